//! A machine's life from deploy to delete.

use serde_json::Value;

use crate::support::{Image, Lab};

#[test]
fn debian_is_deployed_entered_stopped_started_and_deleted_without_a_trace() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_DEFAULT_MEMORY", "512M");
    let debian = lab.image(Image::Debian);
    lab.set("SISTEMO_DEFAULT_STORAGE", "2G");

    let said = lab.run(&format!("machine deploy {debian} --name deb")).ok();
    let made = lab.status("deb");
    let ip = made["ip"].as_str().unwrap().to_string();
    assert!(
        said.starts_with(&format!("deb is ready at {ip}\n")),
        "{said}"
    );
    assert_eq!(made["status"], "running");
    let id = made["id"].as_str().unwrap();

    assert_eq!(
        lab.run("machine exec deb cat /proc/1/comm").ok(),
        "systemd\n"
    );
    assert_eq!(lab.run("machine exec deb hostname").ok(), "deb\n");
    assert!(
        lab.run(&format!("vm exec {id} -- cat /etc/os-release"))
            .ok()
            .contains("ID=debian")
    );
    let address = lab.run("machine exec deb ip -4 -o address show eth0").ok();
    assert!(address.contains(&format!("{ip}/16")), "{address}");
    // The disk grew to what was asked for.
    let size: u64 = lab
        .run("machine exec deb 'df -k --output=size / | tail -1'")
        .ok()
        .trim()
        .parse()
        .unwrap();
    assert!(size > 1_800_000, "{size} KiB");
    assert!(lab.run("machine logs deb").ok().contains("Linux version"));

    lab.run("machine exec deb 'echo kept > /root/kept'").ok();
    assert_eq!(lab.run("machine stop deb").ok(), "deb stopped\n");
    assert_eq!(lab.field("deb", "status"), "stopped");
    lab.has_nothing_running();
    let log = lab.run("machine logs deb").ok();
    assert!(
        log.contains("reboot: Power down"),
        "no clean power-off:\n{log}"
    );

    lab.run("machine start deb").ok();
    assert_eq!(lab.run("machine exec deb cat /root/kept").ok(), "kept\n");
    assert_eq!(lab.field("deb", "ip"), ip);
    assert_eq!(lab.field("deb", "mac"), made["mac"].as_str().unwrap());

    assert_eq!(lab.run("machine rm deb -y").ok(), "deb deleted\n");
    lab.has_nothing_left();
}

#[test]
fn exec_is_the_command_itself() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();

    // Its status, and a signal's as a shell has it.
    lab.run("machine exec a true").ok();
    lab.run("machine exec a 'exit 7'").fails(7);
    lab.run("machine exec a nosuch").fails(127);
    let said = lab.run("machine exec a 'kill -TERM $$'").fails(128 + 15);
    assert!(said.contains("TERM"), "{said}");

    // Its streams, each by itself and byte by byte.
    let done = lab.run("machine exec a 'echo out; echo err >&2'");
    assert_eq!(
        (done.stdout.as_slice(), done.stderr.as_str()),
        (&b"out\n"[..], "err\n")
    );
    let every: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let done = lab.feed("machine exec a cat", every.clone());
    assert!(
        done.status.success() && done.stdout == every,
        "bytes were changed on the way"
    );
    let much = vec![0; 8 << 20];
    let done = lab.feed("machine exec a cat", much.clone());
    assert!(
        done.status.success() && done.stdout == much,
        "{} bytes came back",
        done.stdout.len()
    );
    assert_eq!(lab.feed("machine exec a 'wc -c'", b"a\0b").ok(), "3\n");

    // Its words, as they were typed.
    assert_eq!(
        lab.run(r#"machine exec a echo "a  b" '$HOME' '*' "it's""#)
            .ok(),
        "a  b $HOME * it's\n"
    );
    assert_eq!(
        lab.run("machine exec a 'printf \"1\\n2\\n\" | wc -l'").ok(),
        "2\n"
    );
    assert_eq!(lab.run("machine exec a ls -d /").ok(), "/\n");

    // Its surroundings.
    assert_eq!(
        lab.run("machine exec a -e A=1 -e 'B=two words' -- sh -c 'echo $A $B'")
            .ok(),
        "1 two words\n"
    );
    assert_eq!(lab.run("machine exec a -w /tmp -- pwd").ok(), "/tmp\n");
    assert_eq!(lab.run("machine exec a -u www -- id -un").ok(), "www\n");
    assert_eq!(lab.run("machine exec a -u www -- pwd").ok(), "/home/www\n");
    let said = lab.run("machine exec a -u nobody-here true").fails(255);
    assert!(said.contains("hint: name a user"), "{said}");
    lab.run("machine exec a tty").fails(1);
    let tty = lab.run("machine exec a -t -- tty").ok();
    assert!(tty.starts_with("/dev/pts/"), "{tty}");
    assert_eq!(
        lab.feed("machine ssh a", "echo $USER; exit 3\n").fails(3),
        ""
    );

    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_machine_keeps_its_disk_and_address_over_stop_start_and_restart() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let before = lab.status("a");
    let kept = |when: &str| {
        let now = lab.status("a");
        for key in ["id", "ip", "mac", "namespace", "created_at", "volumes"] {
            if key != "volumes" {
                assert_eq!(now[key], before[key], "{key} after {when}");
            }
        }
        assert_eq!(now["volumes"][0]["id"], before["volumes"][0]["id"]);
        now
    };

    lab.run("machine exec a 'echo kept > /root/kept && sync'")
        .ok();
    lab.run("machine stop a").ok();
    assert_eq!(kept("stop")["status"], "stopped");
    assert_eq!(lab.field("a", "pid"), "null");
    lab.has_nothing_running();
    assert!(lab.run("machine logs a").ok().contains("tiny: up"));
    // Stopping and starting what is so already is no failure.
    lab.run("machine stop a").ok();

    lab.run("machine start a").ok();
    assert_eq!(kept("start")["status"], "running");
    assert_eq!(lab.run("machine exec a cat /root/kept").ok(), "kept\n");
    lab.run("machine start a").ok();

    let boot = lab
        .run("machine exec a cat /proc/sys/kernel/random/boot_id")
        .ok();
    lab.run("machine restart a").ok();
    assert_eq!(kept("restart")["status"], "running");
    assert_eq!(lab.run("machine exec a cat /root/kept").ok(), "kept\n");
    assert_ne!(
        lab.run("machine exec a cat /proc/sys/kernel/random/boot_id")
            .ok(),
        boot
    );

    lab.run("machine stop a --force").ok();
    lab.run("machine delete a -y --preserve-storage").ok();
    let volume = lab.run("volume show a-root -o json").json();
    assert_eq!(volume["status"], "available");
    assert_eq!(volume["machine"], Value::Null);
    lab.run("machine deploy --volume a-root --name b").ok();
    assert_eq!(lab.status("b")["volumes"][0]["mount_path"], "/");
    assert_eq!(lab.run("machine exec b cat /root/kept").ok(), "kept\n");
    lab.run("machine delete b -y").ok();
    lab.has_nothing_left();
}

#[test]
fn settings_that_changed_since_are_in_no_ones_way() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let deploy = format!("machine deploy {tiny} --name a --no-wait");
    lab.run(&deploy).ok();
    // An interface that is gone is not needed for taking down what once went out by it.
    let gone = [("SISTEMO_UPLINK", "gone0")];
    lab.run_with("machine stop a --force", &gone).ok();
    lab.has_nothing_running();
    let said = lab.run_with("machine start a -o json", &gone).fails(4);
    let error: Value = serde_json::from_str(&said).expect("nothing but the error");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("no interface gone0"), "{message}");
    lab.run_with("machine delete a -y", &gone).ok();
    lab.has_nothing_left();

    // The default network moves once nobody lives in it, and not before.
    let moved = [("SISTEMO_BRIDGE_SUBNET", "10.201.0.0/16")];
    lab.run_with(&deploy, &moved).ok();
    assert_eq!(lab.field("a", "ip"), "10.201.0.2");
    let beside = format!("machine deploy {tiny} --name b --no-wait");
    lab.run(&beside).ok();
    assert_eq!(lab.field("b", "ip"), "10.201.0.3");
    lab.run("machine delete a b -y").ok();
    lab.has_nothing_left();
}
