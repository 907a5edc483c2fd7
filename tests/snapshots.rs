//! Machines that are held still, go back to where they were, and go on as others.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Api, Image, Lab};

/// Has a guest count in a shell's memory.
fn count(lab: &Lab, machine: &str) {
    count_every(lab, machine, 50_000);
}

/// The same, once in so many microseconds: a guest that counts keeps its processor busy.
fn count_every(lab: &Lab, machine: &str, microseconds: u32) {
    let line = format!(
        "i=0; while :; do i=$((i+1)); echo $i > /run/now; mv /run/now /run/count; usleep {microseconds}; done"
    );
    lab.run(&format!(
        "machine exec {machine} \"setsid sh -c '{line}' </dev/null >/dev/null 2>&1 &\""
    ))
    .ok();
    reaches(lab, machine, 1);
}

/// What a guest has counted to.
#[track_caller]
fn counted(lab: &Lab, machine: &str) -> u64 {
    let said = lab.run(&format!(
        "machine exec {machine} 'cat /run/count 2>/dev/null || echo 0'"
    ));
    said.ok().trim().parse().unwrap_or(0)
}

/// Waits until a guest has counted so far.
#[track_caller]
fn reaches(lab: &Lab, machine: &str, number: u64) -> u64 {
    let line = format!(
        "machine exec {machine} 'while :; do n=$(cat /run/count 2>/dev/null); [ \"${{n:-0}}\" -ge {number} ] && break; \
         usleep 20000; done; echo $n'"
    );
    lab.run(&line).ok().trim().parse().unwrap()
}

#[track_caller]
fn says(lab: &Lab, machine: &str, command: &str) -> String {
    lab.run(&format!("machine exec {machine} '{command}'"))
        .ok()
        .trim()
        .to_owned()
}

/// How far a guest's clock is from this computer's, in seconds.
#[track_caller]
fn clock_is_off_by(lab: &Lab, machine: &str) -> u64 {
    let guest: u64 = says(lab, machine, "date +%s").parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs().abs_diff(guest)
}

#[test]
fn a_machine_goes_on_from_where_it_was() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run("volume create 8M --name data").ok();
    lab.run(&format!(
        "machine deploy {tiny} --name a --attach data --expose 8080:80"
    ))
    .ok();
    count(&lab, "a");
    says(
        &lab,
        "a",
        "echo early > /root/file; echo early > /mnt/data/file",
    );
    let boot = says(&lab, "a", "cat /proc/sys/kernel/random/boot_id");

    let made = lab.run("machine snapshot create a -o json").json();
    assert_eq!(made["name"], "snap0");
    assert_eq!(made["machine"], "a");
    assert_eq!(made["memory"], Value::Bool(true));
    assert_eq!(made["disks"].as_array().unwrap().len(), 2);
    assert!(made["used_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(clock_is_off_by(&lab, "a") <= 2);
    assert_eq!(lab.field("a", "status"), "running");
    lab.run("machine snapshot create a snap0").fails(4);
    let at = counted(&lab, "a");
    says(
        &lab,
        "a",
        "echo late > /root/file; echo late > /mnt/data/file; sync",
    );
    let far = reaches(&lab, "a", at + 200);

    // Without a terminal it does not ask, and does nothing.
    lab.run("machine snapshot restore a snap0").fails(4);
    let said = lab.run("machine snapshot restore a snap0 -y").ok();
    assert_eq!(said, "a is as it was at snap0 (running)\n");
    let back = counted(&lab, "a");
    assert!(back < far, "{back} is not before {far}");
    reaches(&lab, "a", back + 5);
    assert_eq!(says(&lab, "a", "cat /proc/sys/kernel/random/boot_id"), boot);
    assert_eq!(
        says(&lab, "a", "cat /root/file /mnt/data/file"),
        "early\nearly"
    );
    assert!(clock_is_off_by(&lab, "a") <= 2);
    lab.agrees("a restore");

    // Also when it does not run by then, and more than once.
    lab.run("machine stop a --force").ok();
    lab.run("machine snapshot restore a snap0 -y").ok();
    assert_eq!(says(&lab, "a", "cat /proc/sys/kernel/random/boot_id"), boot);
    let random = says(&lab, "a", "head -c 16 /dev/urandom | hexdump");
    lab.run("machine snapshot restore a snap0 -y").ok();
    assert_ne!(says(&lab, "a", "head -c 16 /dev/urandom | hexdump"), random);
    // What was restored boots again as any machine.
    lab.run("machine restart a").ok();
    assert_eq!(says(&lab, "a", "cat /root/file"), "early");
    assert_eq!(lab.run("machine list").ok().matches("running").count(), 1);

    let listed = lab.run("machine snapshot list a -o json").json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(
        lab.run("machine snapshot show a snap0 -o json").json(),
        listed[0]
    );
    assert!(
        lab.run("machine snapshot ls")
            .ok()
            .contains("memory, disks")
    );
    lab.run("machine snapshot show a other").fails(3);
    lab.run("machine delete a -y").ok();
    assert_eq!(
        lab.run("machine snapshot list -o json").json(),
        Value::Array(Vec::new())
    );
    lab.run("volume delete data -y").ok();
    lab.has_nothing_left();
    lab.agrees("a delete");
}

#[test]
fn a_fork_and_its_parent_run_side_by_side() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --expose 8080:80"))
        .ok();
    says(
        &lab,
        "a",
        "echo 0123456789abcdef0123456789abcdef > /etc/machine-id",
    );
    says(&lab, "a", "mkdir -p /var/lib/sistemo");
    count(&lab, "a");
    let boot = says(&lab, "a", "cat /proc/sys/kernel/random/boot_id");
    lab.run("machine fork a b --expose 8081:80").ok();
    lab.agrees("a fork");

    let (a, b) = (lab.status("a"), lab.status("b"));
    for key in ["id", "ip", "mac", "namespace", "pid"] {
        assert_ne!(a[key], b[key], "{key}");
    }
    for key in ["vcpus", "memory_bytes", "image", "network"] {
        assert_eq!(a[key], b[key], "{key}");
    }
    let ip = |machine: &Value| machine["ip"].as_str().unwrap().to_owned();
    for (name, machine) in [("a", &a), ("b", &b)] {
        assert_eq!(says(&lab, name, "hostname"), name);
        let addresses = says(&lab, name, "ip -4 -o addr show eth0");
        assert!(addresses.contains(&ip(machine)), "{addresses}");
        assert_eq!(addresses.lines().count(), 1, "{addresses}");
        let mac = says(&lab, name, "cat /sys/class/net/eth0/address");
        assert_eq!(mac, machine["mac"].as_str().unwrap());
        assert!(says(&lab, name, "cat /etc/hosts").contains(&ip(machine)));
        let n = counted(&lab, name);
        reaches(&lab, name, n + 5);
        assert!(clock_is_off_by(&lab, name) <= 2);
        assert_eq!(
            says(&lab, name, "cat /proc/sys/kernel/random/boot_id"),
            boot
        );
    }
    assert_ne!(lab.stored("a", "host_key"), lab.stored("b", "host_key"));
    let id = |name| says(&lab, name, "cat /etc/machine-id");
    assert_ne!(id("a"), id("b"));
    assert_eq!(id("b").len(), 32);
    let random = |name| says(&lab, name, "head -c 16 /dev/urandom | hexdump");
    assert_ne!(random("a"), random("b"));

    // They reach each other, by name and by address, and are not mistaken for each other.
    says(&lab, "a", "ping -c 1 -W 5 b");
    says(&lab, "b", "ping -c 1 -W 5 a");
    says(&lab, "a", &format!("ping -c 1 -W 5 {}", ip(&b)));
    for name in ["a", "b"] {
        let serve = format!("mkdir -p /srv && echo {name} > /srv/hello && httpd -p 80 -h /srv");
        says(&lab, name, &serve);
    }
    for (name, port) in [("a", 8080), ("b", 8081)] {
        let hello = lab.inside(&format!("curl -s -m 5 http://127.0.0.1:{port}/hello"));
        assert_eq!(hello.trim(), name);
    }

    // What one does is not the other's.
    says(&lab, "b", "echo b > /root/own");
    says(&lab, "a", "test ! -e /root/own");
    // It is a machine like any other from now on.
    lab.run("machine restart b").ok();
    assert_eq!(says(&lab, "b", "hostname; cat /root/own"), "b\nb");
    assert_eq!(lab.field("b", "ip"), ip(&b));
    lab.run("machine fork a b").fails(4);
    lab.run("machine delete a b -y").ok();
    lab.has_nothing_left();
}

#[test]
fn twenty_forks_at_once() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    count_every(&lab, "a", 1_000_000);
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    let going: Vec<_> = names
        .iter()
        .map(|name| lab.start(&format!("machine fork a {name}"), &[], Vec::new()))
        .collect();
    for going in going {
        going.wait().ok();
    }
    lab.agrees("twenty forks");
    let mut addresses = HashSet::new();
    let mut randoms = HashSet::new();
    for name in &names {
        assert_eq!(says(&lab, name, "hostname"), *name);
        addresses.insert(lab.field(name, "ip"));
        randoms.insert(says(&lab, name, "head -c 16 /dev/urandom | hexdump"));
        let n = counted(&lab, name);
        assert!(n > 0);
    }
    assert_eq!((addresses.len(), randoms.len()), (20, 20));
    let n = counted(&lab, "a");
    reaches(&lab, "a", n + 3);
    let all = names.join(" ");
    lab.run(&format!("machine delete a {all} -y")).ok();
    lab.has_nothing_left();
}

#[test]
fn a_paused_machine_is_there_and_does_nothing() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    count(&lab, "a");
    assert_eq!(lab.run("machine pause a").ok(), "a paused\n");
    assert_eq!(lab.field("a", "status"), "paused");
    assert_ne!(lab.field("a", "pid"), "null");
    lab.agrees("a pause");
    lab.run("machine pause a").ok();
    for line in ["machine exec a true", "machine cp a:/etc/passwd ."] {
        let said = lab.run(line).stderr;
        assert!(said.contains("machine a is paused"), "{said}");
        assert!(said.contains("sistemo machine resume a"), "{said}");
    }
    let said = lab.run("machine start a").fails(4);
    assert!(said.contains("sistemo machine resume a"), "{said}");
    assert!(lab.run("machine list").ok().contains("paused"));
    lab.run("machine stats a").ok();

    // A snapshot and a fork of it: the fork runs, and the machine stays as it is.
    lab.run("machine snapshot create a still").ok();
    lab.run("machine fork a b").ok();
    assert_eq!(lab.field("a", "status"), "paused");
    reaches(&lab, "b", 5);

    assert_eq!(lab.run("machine resume a").ok(), "a resumed\n");
    lab.run("machine resume a").ok();
    assert_eq!(lab.field("a", "status"), "running");
    let n = counted(&lab, "a");
    reaches(&lab, "a", n + 3);
    assert!(clock_is_off_by(&lab, "a") <= 2);

    // One that is paused powers off cleanly all the same.
    lab.run("machine pause a b").ok();
    lab.run("machine stop a").ok();
    assert!(
        lab.run("machine logs a")
            .ok()
            .contains("reboot: Power down")
    );
    lab.run("machine resume a").fails(4);
    lab.run("machine delete a b -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_machine_that_is_off_has_disks_alone() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    says(&lab, "a", "echo early > /root/file; sync");
    lab.run("machine stop a").ok();
    let made = lab.run("machine snapshot create a off -o json").json();
    assert_eq!(made["memory"], Value::Bool(false));
    lab.run("machine fork a b").ok();
    assert_eq!(says(&lab, "b", "hostname; cat /root/file"), "b\nearly");
    lab.run("machine start a").ok();
    says(&lab, "a", "echo late > /root/file; sync");
    assert_eq!(
        lab.run("machine snapshot restore a off -y").ok(),
        "a is as it was at off (stopped)\n"
    );
    lab.agrees("a restore of disks alone");
    lab.run("machine start a").ok();
    assert_eq!(says(&lab, "a", "cat /root/file"), "early");
    lab.run("machine deploy --from-snapshot a/off").ok();
    assert_eq!(says(&lab, "a-2", "hostname; cat /root/file"), "a-2\nearly");
    lab.run("machine delete a a-2 b -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_snapshot_that_no_longer_fits_is_refused_with_the_reason() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run("volume create 8M --name data").ok();
    lab.run(&format!("machine deploy {tiny} --name a --attach data"))
        .ok();
    says(&lab, "a", "echo early > /root/file; sync");
    lab.run("machine snapshot create a s").ok();
    let id = lab.run("machine snapshot show a s -o json").json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let refused = |line: &str, why: &str| {
        let said = lab.run(line).fails(4);
        assert!(said.contains("no longer fits"), "{said}");
        assert!(said.contains(why), "{said}");
        said
    };
    let change = |path: &str, value: &str| {
        lab.store(&format!(
            "UPDATE snapshots SET taken = json_set(taken, '$.memory.{path}', '{value}')"
        ));
    };
    let version = lab.run("machine snapshot show a s -o json").json()["vmm_version"]
        .as_str()
        .unwrap()
        .to_owned();
    for (path, value, right) in [
        ("version", "6.0.0", version.as_str()),
        ("vmm", "firecracker", "qemu"),
        ("processor", "Another CPU", ""),
    ] {
        change(path, value);
        let said = refused("machine snapshot restore a s -y", value);
        assert!(said.contains("--disks-only"), "{said}");
        refused("machine deploy --from-snapshot a/s", value);
        change(path, right);
    }
    assert_eq!(lab.field("a", "status"), "running");
    change("version", "6.0.0");
    lab.run("machine deploy --from-snapshot a/s --name b --disks-only")
        .ok();
    assert_eq!(says(&lab, "b", "hostname; cat /root/file"), "b\nearly");
    change("version", &version);

    // Its disks are others by now.
    lab.run("machine stop a").ok();
    lab.run("machine volume detach a data").ok();
    refused("machine snapshot restore a s -y", "data");
    lab.run("machine volume attach a data").ok();
    let disk = lab
        .data_dir()
        .join("snapshots")
        .join(id)
        .join("disk-1.ext4");
    std::fs::remove_file(disk).unwrap();
    refused("machine snapshot restore a s -y", "disk-1.ext4");
    lab.run("machine snapshot restore b s -y").fails(3);
    lab.run("machine delete a b -y").ok();
    lab.run("volume delete data b-data -y").ok();
    lab.has_nothing_left();
}

#[test]
fn snapshots_and_forks_through_the_api() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let api = Api::of(&lab);
    // Asks for an operation and waits for its end.
    let done = |method: &str, path: &str, body: Option<&Value>| -> Value {
        let (_, mut answer) = api.ask(method, &format!("{path}?wait=60"), body, &[]);
        while answer["state"] == "running" {
            let id = answer["id"].as_str().unwrap();
            answer = api
                .ask("GET", &format!("/operations/{id}?wait=60"), None, &[])
                .1;
        }
        assert_eq!(answer["state"], "done", "{answer}");
        answer["result"].clone()
    };
    assert_eq!(done("POST", "/machines/a/pause", None)["status"], "paused");
    assert_eq!(
        done("POST", "/machines/a/resume", None)["status"],
        "running"
    );
    let made = done("POST", "/machines/a/snapshots", Some(&json!({"name": "s"})));
    assert_eq!(made, lab.run("machine snapshot show a s -o json").json());
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        api.ask("GET", &format!("/snapshots/{id}"), None, &[]).1,
        made
    );
    for path in ["/snapshots", "/machines/a/snapshots"] {
        assert_eq!(api.ask("GET", path, None, &[]).1, json!([made]));
    }
    assert_eq!(api.ask("GET", "/snapshots/nothing", None, &[]).0, 404);
    let restored = done("POST", &format!("/snapshots/{id}/restore"), None);
    assert_eq!(
        (&restored["name"], &restored["status"]),
        (&json!("a"), &json!("running"))
    );
    done("POST", "/machines/a/fork", Some(&json!({"name": "b"})));
    done(
        "POST",
        &format!("/snapshots/{id}/deploy"),
        Some(&json!({"name": "c"})),
    );
    for name in ["a", "b", "c"] {
        assert_eq!(says(&lab, name, "hostname"), name);
    }
    let gone = done("DELETE", &format!("/snapshots/{id}"), None);
    assert_eq!(gone, json!({"id": id, "name": "s", "machine": "a"}));
    drop(api);
    lab.run("down").ok();
    lab.run("machine delete a b c -y").ok();
    lab.has_nothing_left();
}
