//! The daemon's server: where it is, who has its port, and how one comes in.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use crate::support::Lab;

/// A port of localhost that nobody has.
fn free_port() -> u16 {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    unused.local_addr().unwrap().port()
}

/// Sends a request with these lines, and gives the status and the body of its answer.
fn ask(port: u16, line: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.into())
}

/// Runs the program in the lab's namespace, where it shares ports with nobody.
fn inside(lab: &Lab, line: &str) -> String {
    let (program, data_dir) = (env!("CARGO_BIN_EXE_sistemo"), lab.data_dir());
    let home = format!("SISTEMO_NETWORK_HOME=/run/netns/{}", lab.namespace);
    lab.inside(&format!(
        "env -u SISTEMO_LISTEN {home} {program} --data-dir {} {line}",
        data_dir.display()
    ))
}

/// A listener of this process in the lab's namespace.
fn listener_in(lab: &Lab, address: &'static str) -> TcpListener {
    let namespace = std::fs::File::open(format!("/run/netns/{}", lab.namespace)).unwrap();
    // A thread of its own enters it, and ends.
    let listening = std::thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        TcpListener::bind(address).unwrap()
    });
    listening.join().unwrap()
}

#[test]
fn one_comes_in_by_a_link_or_by_the_token() {
    let lab = Lab::bare();
    let port = free_port();
    let url = format!("http://localhost:{port}");
    let said = lab
        .run(&format!("up --detach --listen localhost:{port} -o json"))
        .json();
    assert_eq!(said["url"], url.as_str());
    assert_eq!(said["fingerprint"], Value::Null);

    let link = lab.run("web").ok();
    let ticket = link
        .trim()
        .strip_prefix(&format!("{url}/#ticket="))
        .unwrap();
    let json = "Content-Type: application/json\r\n";
    let login = format!("{{\"ticket\":\"{ticket}\"}}");
    assert_eq!(ask(port, "POST /api/v1/session", json, &login).0, 200);
    assert_eq!(ask(port, "POST /api/v1/session", json, &login).0, 401);
    let shown = lab.run("web --print -o json").json();
    assert!(shown["url"].as_str().unwrap().starts_with(&url));
    assert_eq!(
        (&shown["answers"], &shown["opened"]),
        (&true.into(), &false.into())
    );

    let file = lab.data_dir().join("web-token");
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    assert_eq!(ask(port, "GET /api/v1/session", "", "").0, 401);
    assert_eq!(ask(port, "GET /api/v1/session", &bearer, "").0, 200);
    let (_, health) = ask(port, "GET /healthz", "", "");
    assert!(health.contains("\"product\":\"sistemo\""), "{health}");

    // Who came in is history, and how is nobody's business.
    let history = lab.run("history").ok();
    assert!(history.contains("session login"), "{history}");
    assert!(history.contains("a wrong, used or old ticket"), "{history}");
    for text in [history, lab.daemon_log()] {
        assert!(
            !text.contains(token.trim()) && !text.contains(ticket),
            "{text}"
        );
    }
    lab.run("down").ok();
    let said = lab.run_with("web", &[("SISTEMO_LISTEN", &format!("localhost:{port}"))]);
    assert!(said.fails(4).contains("sistemo up --detach"));
}

#[test]
fn a_port_that_is_taken_is_said_with_who_has_it() {
    let lab = Lab::bare();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let owner = format!("(pid {})", std::process::id());
    let said = lab.run(&format!("up --listen {listen}")).fails(4);
    assert!(said.contains(&owner) && said.contains("--listen"), "{said}");
    let setting = [("SISTEMO_LISTEN", listen.as_str())];
    assert!(lab.run_with("up", &setting).fails(4).contains(&owner));
    let said = lab.run_with("web", &setting).fails(4);
    assert!(said.contains(&owner), "{said}");

    // The usual one is not worth leaving machines alone for. In the lab's own namespace nobody else has it.
    let _taken = listener_in(&lab, "127.0.0.1:7777");
    let said = inside(&lab, "up --detach");
    assert!(said.contains("and serves no pages"), "{said}");
    let log = lab.daemon_log();
    assert!(log.contains("127.0.0.1:7777 is taken by "), "{log}");
    assert!(log.contains(&owner), "{log}");
    assert!(log.contains("watching over machines"), "{log}");
    inside(&lab, "down");
}

#[test]
fn beyond_this_computer_it_takes_tls() {
    let lab = Lab::bare();
    // In the lab's own namespace, so that nobody outside reaches it.
    let said = inside(&lab, "up --detach --listen 0.0.0.0:7777");
    assert!(said.contains(" at https://"), "{said}");
    let fingerprint = said.split("SHA-256 of its certificate: ").nth(1).unwrap();
    let fingerprint = fingerprint.trim().to_string();
    assert!(lab.daemon_log().contains(&fingerprint));
    // The command knows the certificate; others have to be told to take it.
    assert!(inside(&lab, "web").contains("#ticket="));
    let health = lab.inside("curl -sk https://127.0.0.1:7777/healthz");
    assert!(health.contains("\"product\":\"sistemo\""), "{health}");
    inside(&lab, "down");
    // It stays the same.
    let said = inside(&lab, "up --detach --listen 0.0.0.0:7777 -o json");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["fingerprint"], fingerprint.as_str());
    inside(&lab, "down");
}
