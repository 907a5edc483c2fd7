//! How busy machines are, read on the host.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Image, Lab, until};

fn stats(lab: &Lab, name: &str) -> Value {
    lab.run(&format!("machine stats {name} -o json")).json()[0].clone()
}

fn number(stats: &Value, key: &str) -> f64 {
    stats[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} is no number: {stats}"))
}

#[test]
fn what_a_machine_takes_is_seen_from_the_host() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    assert_eq!(
        lab.run("machine stats -o json").json(),
        Value::Array(vec![])
    );
    for name in ["a", "b"] {
        lab.run(&format!("machine deploy {tiny} --name {name}"))
            .ok();
    }
    lab.run("machine stop b").ok();

    let stopped = stats(&lab, "b");
    assert_eq!(stopped["status"], "stopped");
    for key in [
        "pid",
        "uptime_ns",
        "cpu_percent",
        "memory_bytes",
        "network_rx_bytes",
    ] {
        assert!(stopped[key].is_null(), "{key}: {stopped}");
    }

    let before = stats(&lab, "a");
    assert_eq!(before["pid"].to_string(), lab.field("a", "pid"));
    assert_eq!(before["memory_limit_bytes"], 192 << 20);
    let memory = number(&before, "memory_bytes");
    assert!(memory > f64::from(32 << 20), "{before}");

    // A megabyte in over the network and onto the disk, and then a processor with nothing else to do.
    lab.feed("machine exec a 'cat > /root/f && sync'", vec![7; 1 << 20])
        .ok();
    let mut busy = lab.start("machine exec a 'while :; do :; done'", &[], Vec::new());
    until("the machine is busy", || {
        number(&stats(&lab, "a"), "cpu_percent") > 30.0
    });
    busy.kill();
    let after = stats(&lab, "a");
    let grown = |key: &str| number(&after, key) - number(&before, key);
    let megabyte = f64::from(1 << 20);
    assert!(grown("network_rx_bytes") >= megabyte, "{after}");
    assert!(grown("network_tx_bytes") > 0.0, "{after}");
    assert!(grown("disk_write_bytes") >= megabyte, "{after}");
    assert!(grown("cpu_time_ns") > 0.0, "{after}");
    assert!(grown("uptime_ns") > 0.0, "{after}");

    let table = lab.run("machine stats").ok();
    assert!(table.starts_with("NAME  STATUS"), "{table}");
    assert!(table.contains("\na ") && table.contains("\nb "), "{table}");
    assert!(!lab.run("machine stats a").ok().contains("\nb "));
    let said = lab.run("machine stats a nosuch").fails(3);
    assert!(said.contains("there is no machine \"nosuch\""), "{said}");
    lab.run("machine delete a b -y").ok();
    lab.has_nothing_left();
}

#[test]
fn watching_goes_on_until_it_is_interrupted() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    let mut command = lab.command("machine stats --watch -o json", &[]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Each line is an object of its own, also when the machine is stopped meanwhile.
    let mut seen = Vec::new();
    for line in lines {
        let stats: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(stats["name"], "a");
        seen.push(stats["status"].as_str().unwrap().to_string());
        match (seen.len(), seen.last().unwrap().as_str()) {
            (2, _) => drop(lab.run("machine stop a --force").ok()),
            (_, "stopped") => break,
            _ => {}
        }
    }
    assert_eq!(seen[0], "running");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
