//! Nonsense, and what a host or a guest may get wrong: a clear error with a way out, and nothing half-made.

use serde_json::Value;

use crate::support::{Image, Lab};

#[test]
fn what_was_typed_wrong_is_said_with_a_way_out() {
    let mut lab = Lab::bare();
    lab.set("SISTEMO_MAX_MEMORY", "8G");
    // There is a store to be changed.
    lab.run("volume create 16M --name data").ok();
    let said = lab.refuses(
        &[
            (
                "machine deploy debian --name Web",
                2,
                "invalid value 'Web' for '--name",
            ),
            ("machine deploy debian --name ''", 2, "--name"),
            ("machine deploy debian --name=-a", 2, "--name"),
            ("machine deploy debian --name ../etc", 2, "--name"),
            (
                "machine deploy debian --memory lots",
                2,
                "invalid value 'lots' for '--memory",
            ),
            ("machine deploy debian --memory 0", 2, "--memory"),
            ("machine deploy debian --memory=-1G", 2, "--memory"),
            (
                "machine deploy debian --memory 99999999999999999999G",
                2,
                "--memory",
            ),
            (
                "machine deploy debian --memory 99999G",
                2,
                "of memory was asked for",
            ),
            (
                "machine deploy debian --memory 1M",
                2,
                "1 MiB of memory was asked for",
            ),
            ("machine deploy debian --storage none", 2, "--storage"),
            (
                "machine deploy debian --storage 99999999G",
                2,
                "of storage was asked for",
            ),
            ("machine deploy debian --vcpus 0", 2, "--vcpus"),
            ("machine deploy debian --vcpus 65", 2, "--vcpus"),
            ("machine deploy", 2, "required"),
            (
                "machine deploy debian --volume a-root",
                2,
                "cannot be used with",
            ),
            ("machine deploy --volume nosuch", 3, "nosuch"),
            ("machine nosuch", 2, "unrecognized subcommand"),
            ("machine stop", 2, "required"),
            ("machine stop a --timeout soon", 2, "--timeout"),
            ("machine exec a -e novalue -- true", 2, "wants KEY=VALUE"),
            (
                "machine status nosuch",
                3,
                "error: there is no machine \"nosuch\"",
            ),
            ("machine status ''", 3, "there is no machine"),
            ("machine start nosuch", 3, "there is no machine"),
            ("machine stop nosuch", 3, "there is no machine"),
            ("machine restart nosuch", 3, "there is no machine"),
            ("machine delete nosuch -y", 3, "there is no machine"),
            ("machine exec nosuch true", 3, "there is no machine"),
            ("machine ssh nosuch", 3, "there is no machine"),
            ("machine logs nosuch", 3, "there is no machine"),
            ("volume show nosuch", 3, "nosuch"),
            ("config set default_memmory 1G", 2, "there is no setting"),
            (
                "config set default_memory lots",
                2,
                "setting default_memory is \"lots\"",
            ),
            ("config unset nosuch", 2, "there is no setting"),
            ("completion tcsh", 2, "invalid value 'tcsh'"),
            ("history --limit some", 2, "invalid value 'some'"),
            ("image show nosuch", 3, "nosuch"),
            ("-o yaml machine list", 2, "invalid value 'yaml'"),
            (
                "machine deploy debian --restart sometimes",
                2,
                "possible values",
            ),
            ("machine deploy debian --attach :/srv", 2, "it wants VOLUME"),
            (
                "machine deploy debian --attach data:srv",
                2,
                "does not begin with /",
            ),
            (
                "machine deploy debian --attach data:/a/../b",
                2,
                "it holds . or ..",
            ),
            (
                "machine deploy debian --expose 80:80:80",
                2,
                "is not a port",
            ),
            ("machine deploy debian --expose 80:0", 2, "is not a port"),
            ("machine deploy debian --expose 80/icmp", 2, "is not a port"),
            ("machine deploy debian --network Lab", 2, "--network"),
            (
                "machine deploy debian --colour red",
                2,
                "unexpected argument '--colour'",
            ),
            ("machine expose a", 2, "required"),
            ("machine expose a --port 65536", 2, "is not a port"),
            ("machine expose nosuch --port 80", 3, "there is no machine"),
            (
                "machine unexpose nosuch --port 80",
                3,
                "there is no machine",
            ),
            (
                "machine volume attach nosuch data",
                3,
                "there is no machine",
            ),
            (
                "machine volume detach nosuch data",
                3,
                "there is no machine",
            ),
            ("machine deploy debian --vmm bochs", 2, "--vmm"),
            ("machine logs a --tail some", 2, "--tail"),
            ("machine exec a", 2, "required"),
            ("volume create", 2, "required"),
            ("volume create 1.2.3G", 2, "is not a size"),
            ("volume create 99999999999999999999G", 2, "is not a size"),
            ("volume resize nosuch 1G", 3, "there is no volume"),
            ("volume rename nosuch other", 3, "there is no volume"),
            ("volume rename data Other", 2, "is not a name"),
            ("volume delete nosuch -y", 3, "there is no volume"),
            ("image pull 'Not A Name'", 2, "is not the name of an image"),
            ("image build --recipe arch", 3, "there is no recipe"),
            (
                "image import /nosuch/disk.tar",
                3,
                "cannot open /nosuch/disk.tar",
            ),
            ("image import /etc", 1, "is neither an ext4 disk"),
            ("image delete nosuch -y", 3, "there is no image"),
            ("network create", 2, "required"),
            ("network create lab --subnet 10.0.0.0/33", 2, "--subnet"),
            ("network show nosuch", 3, "there is no network"),
            ("config set", 2, "required"),
            ("config set default_vcpus 65", 2, "setting default_vcpus is"),
            (
                "config set bridge_subnet everything",
                2,
                "setting bridge_subnet is",
            ),
            ("history --limit -1", 2, "unexpected argument"),
            (
                "--colour red machine list",
                2,
                "unexpected argument '--colour'",
            ),
        ],
        "volume list -o json",
    );
    insta::assert_snapshot!("refused_as_typed", said);
    lab.run("volume delete data -y").ok();
    lab.has_nothing_left();
}

#[test]
fn setting_up_asks_first_and_nobody_is_there_to_ask() {
    let lab = Lab::bare();
    lab.run("volume create 16M --name data").ok();
    // What the probe of KVM finds is remembered, whoever asks first.
    lab.run("doctor");
    let message = "without a terminal there is nobody to ask";
    lab.refuses(
        &[("setup", 4, message), ("quickstart", 4, message)],
        "volume list -o json",
    );
    lab.run("volume delete data -y").ok();
}

#[test]
fn an_error_is_json_on_stderr_when_asked_for() {
    let lab = Lab::bare();
    let done = lab.run("machine status nosuch -o json");
    assert_eq!(done.stdout, b"");
    let error: Value = serde_json::from_str(&done.fails(3)).unwrap();
    let error = &error["error"];
    assert_eq!(error["code"], "not_found");
    assert_eq!(error["message"], "there is no machine \"nosuch\"");
    assert_eq!(error["hint"], "see what there is: sistemo machine list");
    // What clap finds wrong is no exception.
    for line in [
        "machine deploy debian --memory lots -o json",
        "--output=json machine deploy debian --memory lots",
    ] {
        let done = lab.run(line);
        assert_eq!(done.stdout, b"");
        let error: Value = serde_json::from_str(&done.fails(2)).unwrap();
        assert_eq!(error["error"]["code"], "usage");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains("\"lots\" is not a size"), "{message}");
        let hint = error["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("512M, 2G, 1.5GiB"), "{hint}");
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_where_it_came_from() {
    let lab = Lab::bare();
    let said = lab
        .run_with("machine list", &[("SISTEMO_SSH_TIMEOUT", "soon")])
        .fails(2);
    assert!(
        said.contains("environment variable SISTEMO_SSH_TIMEOUT"),
        "{said}"
    );
    let file = lab.data_dir().join("config.toml");
    std::fs::write(&file, "colour = 'red'\n").unwrap();
    let said = lab.run("machine list").fails(2);
    assert!(
        said.contains(&file.display().to_string()) && said.contains("colour"),
        "{said}"
    );
    std::fs::write(&file, "= =\n").unwrap();
    assert!(lab.run("machine list").fails(2).contains("not TOML"));
    std::fs::remove_file(&file).unwrap();
    let said = lab
        .run_with(
            "machine list",
            &[("SISTEMO_NETWORK_HOME", "/run/netns/nosuch")],
        )
        .fails(1);
    assert!(said.contains("/run/netns/nosuch"), "{said}");
    let said = lab
        .run_with("machine list", &[("SISTEMO_NETWORK_HOME", "/etc/passwd")])
        .fails(1);
    assert!(said.contains("/etc/passwd"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_said_so() {
    let lab = Lab::bare();
    // Root may write anywhere but here.
    let said = lab.run("--data-dir /proc/sistemo machine list").fails(1);
    assert!(
        said.contains("/proc/sistemo") && said.contains("hint: "),
        "{said}"
    );
    let said = lab.run("--data-dir /etc/passwd machine list").fails(1);
    assert!(
        said.contains("/etc/passwd") && said.contains("hint: "),
        "{said}"
    );
    std::fs::write(lab.data_dir().join("sistemo.db"), vec![b'x'; 8192]).unwrap();
    let said = lab.run("machine list").fails(1);
    assert!(said.contains("sistemo.db"), "{said}");
    std::fs::remove_file(lab.data_dir().join("sistemo.db")).unwrap();
}

#[test]
fn without_a_kernel_a_deploy_says_how_to_get_one() {
    let lab = Lab::bare();
    let tiny = lab.image(Image::Tiny);
    let said = lab.run(&format!("machine deploy {tiny} --name a")).fails(1);
    assert!(said.contains("there is no guest kernel yet"), "{said}");
    assert!(said.contains("hint: fetch one: sistemo setup"), "{said}");
    lab.has_nothing_left();
}

#[test]
fn an_image_that_there_is_not_leaves_nothing() {
    let lab = Lab::new();
    for image in ["/nosuch/disk.ext4", "./nosuch.tar"] {
        let said = lab
            .run(&format!("machine deploy {image} --name a"))
            .fails(3);
        assert!(said.contains(image) && said.contains("hint: "), "{said}");
        lab.has_nothing_left();
    }
}

#[test]
fn a_machine_in_another_state_is_refused_with_a_way_out() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    lab.run("machine deploy tiny --name a --no-wait").ok();
    let mut said = lab.refuses(
        &[
            (
                "machine deploy tiny --name a",
                4,
                "error: there is a machine a already",
            ),
            ("machine delete a", 4, "without a terminal"),
            ("image delete tiny", 4, "without a terminal"),
            ("volume resize a-root 1G", 4, "machine a is running"),
            (
                "volume delete a-root -y",
                4,
                "volume a-root belongs to machine a",
            ),
            (
                "machine deploy --volume a-root --name b",
                4,
                "volume a-root belongs to machine a",
            ),
        ],
        "machine list -o json",
    );
    lab.run("machine stop a --force").ok();
    said += &lab.refuses(
        &[
            ("machine exec a true", 4, "error: machine a is stopped"),
            ("machine ssh a", 4, "error: machine a is stopped"),
            ("machine delete a", 4, "without a terminal"),
            (
                "machine deploy --volume a-root --name b",
                4,
                "volume a-root belongs to machine a",
            ),
        ],
        "machine list -o json",
    );
    insta::assert_snapshot!("refused_states", said);
    // Of several, those that can be are done; the status is that of the first that cannot.
    lab.run("machine delete nosuch a -y").fails(3);
    lab.has_nothing_left();
}

#[test]
fn the_beginning_of_several_identifiers_is_no_ones() {
    let lab = Lab::bare();
    lab.run("volume create 16M --name a").ok();
    lab.run("volume create 16M --name b").ok();
    lab.store("UPDATE volumes SET id = 'abcd' || substr(id, 5)");
    lab.refuses(
        &[(
            "volume show abcd",
            2,
            "begins the identifier of several volumes",
        )],
        "volume list -o json",
    );
    // A name that is gone is not taken for the beginning of another's identifier.
    lab.run("volume delete a -y").ok();
    lab.refuses(
        &[
            ("volume delete abc -y", 3, "there is no volume"),
            ("volume show abc", 3, "there is no volume"),
        ],
        "volume list -o json",
    );
    lab.run("volume delete abcd -y").ok();
    lab.store(
        "INSERT INTO machines (id, name, status, spec, image, created_at) VALUES ('abcd0000-0000-4000-8000-000000000000', \
         'web', 'stopped', '{\"vcpus\":1,\"memory\":134217728,\"command\":null}', 'debian', '2026-01-01T00:00:00.000Z')",
    );
    lab.refuses(
        &[
            ("machine delete a -y", 3, "there is no machine"),
            ("machine delete abc -y", 3, "there is no machine"),
        ],
        "machine list -o json",
    );
    lab.run("machine delete abcd -y").ok();
}

#[test]
fn a_guest_that_cannot_go_on_shows_the_end_of_its_boot_log() {
    let lab = Lab::new();
    let image = lab.image(Image::NoInit);
    let said = lab
        .run(&format!("machine deploy {image} --name a"))
        .fails(1);
    let died = "waiting for the guest: the hypervisor ended before the guest answered: ";
    assert!(said.contains(died), "{said}");
    assert!(said.contains("/sbin/init"), "{said}");
    assert!(said.contains("the boot log ends with:"), "{said}");
    lab.has_nothing_left();
}

#[test]
fn a_kernel_that_panics_shows_the_end_of_its_boot_log() {
    let mut lab = Lab::new();
    // It has the look of one, but for the kernel.
    lab.set_guest_program(b"\x7fELF and nothing else");
    let tiny = lab.image(Image::Tiny);
    let said = lab.run(&format!("machine deploy {tiny} --name a")).fails(1);
    let died = "the hypervisor ended before the guest answered: Kernel panic";
    assert!(said.contains(died), "{said}");
    assert!(said.contains("the boot log ends with:"), "{said}");
    lab.has_nothing_left();
}

#[test]
fn a_guest_that_never_answers_is_given_up() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    // No emulated guest is up within a second.
    let line = format!("machine deploy {tiny} --name a");
    let said = lab
        .run_with(&line, &[("SISTEMO_SSH_TIMEOUT", "1")])
        .fails(1);
    assert!(
        said.contains("the guest did not answer within 1 s"),
        "{said}"
    );
    assert!(said.contains("hint: "), "{said}");
    lab.has_nothing_left();
}

#[test]
fn a_disk_that_is_none_is_refused() {
    let lab = Lab::new();
    let file = lab.data_dir().join("noise.ext4");
    std::fs::write(&file, vec![0x5a; 8 << 20]).unwrap();
    let said = lab
        .run(&format!("machine deploy {} --name a", file.display()))
        .fails(1);
    assert!(said.contains("noise.ext4 is not an ext4 disk"), "{said}");
    assert!(said.contains("hint: "), "{said}");
    lab.has_nothing_left();
    assert_eq!(lab.run("image list -o json").ok(), "[]\n");
}
