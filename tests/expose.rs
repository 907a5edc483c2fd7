//! Ports of the host that lead into machines.

use crate::support::{Image, Lab, until};

/// What a web server in a machine answers to the lab's namespace.
fn ask(lab: &Lab, port: u16) -> String {
    lab.inside(&format!("curl -s -m 5 http://localhost:{port}/hello"))
}

fn serve(lab: &Lab, machine: &str) {
    let line = format!(
        "machine exec {machine} 'mkdir -p /srv && echo {machine} > /srv/hello && httpd -p 80 -h /srv'"
    );
    lab.run(&line).ok();
}

#[test]
fn an_exposed_port_leads_into_its_machine_for_as_long_as_it_is_to() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!(
        "machine deploy {tiny} --name a --expose 8080:80 --expose 9090"
    ))
    .ok();
    serve(&lab, "a");
    assert_eq!(ask(&lab, 8080), "a\n");
    let ports = lab.status("a")["ports"].clone();
    let wanted = serde_json::json!([
        {"host_port": 8080, "machine_port": 80, "protocol": "tcp"},
        {"host_port": 9090, "machine_port": 9090, "protocol": "tcp"},
    ]);
    assert_eq!(ports, wanted);

    // Other ports come and go while it runs; the same one may lead elsewhere.
    lab.run("machine expose a --port 8081:80").ok();
    assert_eq!(ask(&lab, 8081), "a\n");
    lab.run("machine expose a -p 9090:80").ok();
    assert_eq!(ask(&lab, 9090), "a\n");
    assert_eq!(
        lab.run("machine unexpose a --port 8081").ok(),
        "port 8081/tcp is free\n"
    );
    let gone = "sh -c 'curl -s -m 5 http://localhost:8081/ || echo gone'";
    assert_eq!(lab.inside(gone), "gone\n");

    // Over a restart they stay; while it is stopped the host's port is nobody's.
    lab.run("machine stop a").ok();
    assert!(!lab.inside("nft list ruleset").contains("8080"));
    lab.run("machine start a").ok();
    serve(&lab, "a");
    assert_eq!(ask(&lab, 8080), "a\n");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_port_that_cannot_be_had_is_refused_and_nothing_changes() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let deploy = format!("machine deploy {tiny} --no-wait");
    lab.run(&format!("{deploy} --name a --expose 8080:80")).ok();
    let listener = lab.listen(7000);
    let deploys = [
        (
            "--name b --expose 8080:90",
            4,
            "port 8080/tcp of the host leads to machine a",
        ),
        ("--name b --expose 7000", 4, "port 7000/tcp is taken by"),
        (
            "--name b --expose 80:80 --expose 80:81",
            2,
            "asked for twice",
        ),
        ("--name b --expose 0", 2, "invalid value '0'"),
        ("--name b --expose 65536", 2, "invalid value '65536'"),
        ("--name b --expose http", 2, "invalid value 'http'"),
        ("--name b --expose 80/sctp", 2, "invalid value '80/sctp'"),
    ]
    .map(|(options, status, message)| (format!("{deploy} {options}"), status, message));
    let mut said = lab.refuses(&deploys, "machine list -o json");
    said += &lab.refuses(
        &[
            ("machine expose nosuch --port 80", 3, "there is no machine"),
            (
                "machine expose a --port 7000:80",
                4,
                "port 7000/tcp is taken by",
            ),
            (
                "machine unexpose a --port 81",
                3,
                "no port 81:81/tcp leads to machine a",
            ),
        ],
        "machine list -o json",
    );
    // This is the program that has the port.
    insta::with_settings!({filters => [(r"by \S+ \(pid \d+\)", "by PROGRAM (pid PID)")]}, {
        insta::assert_snapshot!("refused_ports", said);
    });
    // A child of another test that is about to become its program may have the port as well.
    let own = format!("(pid {})", std::process::id());
    let line = format!("{deploy} --name b --expose 7000");
    until("the program that has the port is named", || {
        lab.run(&line).fails(4).contains(&own)
    });
    // A stopped machine takes its port back only if nobody has it by then.
    lab.run("machine stop a --force").ok();
    lab.run("machine expose a --port 7001:81").ok();
    let other = lab.listen(7001);
    let said = lab.run("machine start a --no-wait").fails(4);
    assert!(said.contains("port 7001/tcp is taken by"), "{said}");
    drop((listener, other));
    until("nobody has the port", || {
        lab.inside("ss -Hltn sport = :7001").is_empty()
    });
    lab.run("machine start a --no-wait").ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
