//! Several commands at once.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::support::{Image, Lab};

#[test]
fn commands_that_want_the_same_machine_queue() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    let lines = [
        "machine restart a --force",
        "machine stop a --force",
        "machine start a --no-wait",
        "machine stop a --force",
        "machine start a --no-wait",
    ];
    let going: Vec<_> = lines
        .iter()
        .map(|line| lab.start(line, &[], Vec::new()))
        .collect();
    for command in going {
        command.wait().ok();
    }
    let status = lab.field("a", "status");
    assert!(
        ["running", "stopped"].contains(&status.as_str()),
        "{status}"
    );
    // Two deletes at once: one does it, the other finds nothing to do.
    let both = [0, 1].map(|_| lab.start("machine delete a -y", &[], Vec::new()));
    let mut codes = both.map(|command| command.wait().status.code());
    codes.sort();
    assert_eq!(codes, [Some(0), Some(3)]);
    lab.has_nothing_left();
}

#[test]
fn deploys_at_once_get_names_and_addresses_of_their_own() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_DEFAULT_MEMORY", "128M");
    let tiny = lab.image(Image::Tiny);
    let line = format!("machine deploy {tiny} --no-wait -o json");
    let going: Vec<_> = (0..10).map(|_| lab.start(&line, &[], Vec::new())).collect();
    let made: Vec<_> = going
        .into_iter()
        .map(|deploy| deploy.wait().json())
        .collect();
    for key in ["id", "name", "ip", "mac", "namespace"] {
        let different: BTreeSet<_> = made
            .iter()
            .map(|machine| machine[key].to_string())
            .collect();
        assert_eq!(different.len(), 10, "{key}: {different:?}");
    }
    assert_eq!(
        lab.run("machine list -o json")
            .json()
            .as_array()
            .unwrap()
            .len(),
        10
    );
    let names: Vec<_> = made
        .iter()
        .map(|machine| machine["name"].as_str().unwrap())
        .collect();
    lab.run(&format!("machine delete -y {}", names.join(" ")))
        .ok();
    lab.has_nothing_left();
}

#[test]
fn of_deploys_of_one_name_at_once_one_wins() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let line = format!("machine deploy {tiny} --name a --no-wait");
    let going = [0; 4].map(|_| lab.start(&line, &[], Vec::new()));
    let mut codes = going.map(|deploy| deploy.wait().status.code());
    codes.sort();
    assert_eq!(codes, [Some(0), Some(4), Some(4), Some(4)]);
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn who_waits_for_long_is_told_for_whom() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    lab.run("machine deploy tiny --name a --no-wait").ok();
    // One that does not go on until it is told to.
    let fault = [("SISTEMO_FAULT", "stop:kill:before")];
    let mut holder = lab
        .command("machine stop a --force", &fault)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(holder.id().cast_signed());
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");

    let mut waiting = lab
        .command("machine start a --no-wait", &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(waiting.stderr.take().unwrap());
    let wanted = format!("waiting for process {pid} (stop)");
    let mut lines = said.lines().map(Result::unwrap);
    assert!(lines.any(|line| line == wanted), "{wanted}");
    kill(pid, Signal::SIGCONT).unwrap();
    assert!(holder.wait().unwrap().success());
    lines.for_each(drop);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(lab.field("a", "status"), "running");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_guest_that_is_only_just_starting_hears_that_it_is_to_stop() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    lab.run("machine deploy tiny --name a --no-wait").ok();
    let done = lab.run("machine stop a --timeout 170");
    assert!(!done.stderr.contains("by force"), "{done}");
    done.ok();
    assert_eq!(lab.field("a", "status"), "stopped");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
