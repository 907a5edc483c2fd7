//! Hypervisors of real machines are contained, whoever starts them, and leave nothing of it behind.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Image, Lab, gone};

/// A field of a process's status (proc_pid_status(5)), its first word.
fn status(pid: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = text.lines().find_map(|line| line.strip_prefix(name));
    let word = field.unwrap().split_whitespace().next();
    word.unwrap_or_default().into()
}

fn owner(path: &Path) -> String {
    fs::metadata(path).unwrap().st_uid().to_string()
}

fn root_disk(lab: &Lab, machine: &str) -> PathBuf {
    let volume = lab.volume(&format!("{machine}-root"));
    volume["path"].as_str().unwrap().into()
}

#[test]
fn machines_have_users_of_their_own_and_see_nothing_of_each_other() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    for name in ["a", "b"] {
        lab.run(&format!("machine deploy tiny --name {name}")).ok();
    }
    let pids = ["a", "b"].map(|name| lab.field(name, "pid"));
    let users = pids.clone().map(|pid| status(&pid, "Uid:"));
    assert_ne!(users[0], users[1]);
    let (own, other) = (root_disk(&lab, "a"), root_disk(&lab, "b"));
    assert_eq!(owner(&own), users[0]);
    assert_eq!(owner(&other), users[1]);
    let seen = |path: &Path| {
        let path = path.strip_prefix("/").unwrap();
        Path::new("/proc").join(&pids[0]).join("root").join(path)
    };
    assert!(seen(&own).exists());
    let data = lab.data_dir();
    for hidden in [
        other,
        data.join("sistemo.db"),
        data.join("ssh"),
        data.join("locks"),
    ] {
        assert!(hidden.exists(), "{hidden:?}");
        assert!(!seen(&hidden).exists(), "{hidden:?}");
    }
    let machines = fs::read_dir(seen(&data.join("machines"))).unwrap();
    let machines: Vec<_> = machines.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(machines, [lab.field("a", "id").as_str()]);
    lab.agrees("with two machines");

    // Its user is its own from start to start, and its files are only meanwhile.
    lab.run("machine restart a --force").ok();
    assert_eq!(status(&lab.field("a", "pid"), "Uid:"), users[0]);
    lab.run("machine stop a --force").ok();
    assert_eq!(owner(&own), "0");
    // Its disk becomes another machine's.
    lab.run("machine delete a -y --preserve-storage").ok();
    lab.run("machine deploy --volume a-root --name c").ok();
    let user = status(&lab.field("c", "pid"), "Uid:");
    assert!(!users.contains(&user), "{user}");
    assert_eq!(owner(&own), user);
    lab.run("machine delete b c -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_hypervisor_that_was_killed_leaves_its_files_to_whoever_sees_it_off() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    lab.run("machine deploy tiny --name a --no-wait").ok();
    let pid: i32 = lab.field("a", "pid").parse().unwrap();
    let disk = root_disk(&lab, "a");
    assert_ne!(owner(&disk), "0");
    let killed = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(killed, nix::sys::signal::Signal::SIGKILL).unwrap();
    gone(pid);
    lab.agrees("after its hypervisor was killed");
    assert_eq!(lab.field("a", "status"), "failed");
    assert_eq!(owner(&disk), "0");
}

#[test]
fn the_setting_says_whether() {
    let mut lab = Lab::new();
    lab.image(Image::Tiny);
    let refused = lab.run("config set contain sometimes").fails(2);
    assert!(refused.contains("auto, always or never"), "{refused}");
    let doctor = lab.run("doctor -o json");
    let checks: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let check = checks.as_array().unwrap().iter();
    let check = check.clone().find(|check| check["check"] == "containment");
    let check = check.unwrap();
    assert_eq!(check["ok"], true);
    let whole = check["hint"].is_null();

    lab.set("SISTEMO_CONTAIN", "always");
    let deployed = lab.run("machine deploy tiny --name a --no-wait");
    match whole {
        true => drop(deployed.ok()),
        // This host has no control groups that could limit anything.
        false => {
            let said = deployed.fails(4);
            assert!(said.contains("cannot be contained"), "{said}");
            assert!(said.contains("config set contain auto"), "{said}");
            lab.has_nothing_left();
        }
    }
    lab.set("SISTEMO_CONTAIN", "never");
    lab.run("machine deploy tiny --name free --no-wait").ok();
    assert_eq!(status(&lab.field("free", "pid"), "Uid:"), "0");
    assert_eq!(owner(&root_disk(&lab, "free")), "0");
}

#[test]
fn what_cannot_be_contained_runs_all_the_same_and_is_said_so() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    let folder = lab.folder().join("wrapped");
    fs::create_dir(&folder).unwrap();
    let script = folder.join("qemu-system-x86_64");
    let text = "#!/bin/sh\nexec /usr/bin/qemu-system-x86_64 \"$@\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let deploy = |name: &str, contain: &str| {
        let line = format!("machine deploy tiny --name {name} --no-wait");
        lab.run_with(&line, &[("PATH", &path), ("SISTEMO_CONTAIN", contain)])
    };
    let deployed = deploy("a", "auto");
    assert!(
        deployed.stderr.contains("machine a is not contained: "),
        "{}",
        deployed.stderr
    );
    assert!(deployed.stderr.contains("script"), "{}", deployed.stderr);
    deployed.ok();
    assert_eq!(status(&lab.field("a", "pid"), "Uid:"), "0");
    let refused = deploy("b", "always").stderr;
    assert!(refused.contains("cannot be contained"), "{refused}");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
