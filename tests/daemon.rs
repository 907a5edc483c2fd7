//! The daemon: what it notices by itself, and that machines do not need it.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Image, Lab};

/// How long anything may take on a computer that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(170);

/// Waits until a machine is in a state; the daemon is told by nobody, so neither is the test.
#[track_caller]
fn until(lab: &Lab, name: &str, wanted: &str) {
    let begun = Instant::now();
    let mut status = String::new();
    while begun.elapsed() < PATIENCE {
        // Out of the database: a command would notice by itself.
        status = lab.stored(name, "status");
        if status == wanted {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{name} is {status}, not {wanted}\n{}", lab.daemon_log());
}

fn kill_hypervisor(lab: &Lab, name: &str) {
    let pid: i32 = lab.stored(name, "pid").parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[test]
fn a_crash_is_noticed_at_once_and_machines_outlive_the_daemon() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name before"))
        .ok();
    let said = lab.run("up --detach").ok();
    assert!(said.starts_with("the daemon is up (pid "), "{said}");
    let said = lab.run("up --detach").fails(4);
    assert!(
        said.contains("watches over these machines already"),
        "{said}"
    );
    assert!(lab.run("up").fails(4).contains("sistemo down"));
    // One that was there, and one that somebody else deploys meanwhile.
    lab.run(&format!("machine deploy {tiny} --name after")).ok();
    for name in ["before", "after"] {
        kill_hypervisor(&lab, name);
        until(&lab, name, "failed");
    }
    // Their namespaces and rules have gone by themselves.
    let begun = Instant::now();
    while !lab.nothing_runs_but_the_daemon() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(lab.nothing_runs_but_the_daemon());

    lab.run("machine start before").ok();
    assert_eq!(
        lab.run("down").ok(),
        "the daemon is down; machines go on running\n"
    );
    assert_eq!(lab.run("down").ok(), "the daemon is not up\n");
    lab.run("machine exec before true").ok();
    lab.run("machine delete before after -y").ok();
    lab.has_nothing_left();
}

#[test]
fn what_is_to_run_is_started_again() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_RECONCILE_INTERVAL", "1");
    let tiny = lab.image(Image::Tiny);
    lab.run("up --detach").ok();
    lab.run(&format!(
        "machine deploy {tiny} --name a --restart on-failure --expose 8080:80"
    ))
    .ok();
    let first = lab.stored("a", "pid");
    kill_hypervisor(&lab, "a");
    until(&lab, "a", "failed");
    until(&lab, "a", "running");
    assert_ne!(lab.stored("a", "pid"), first);

    // Rules that another program threw away are brought back.
    lab.inside("nft flush ruleset");
    let begun = Instant::now();
    while !lab.inside("nft list ruleset").contains("8080") {
        assert!(begun.elapsed() < PATIENCE, "{}", lab.daemon_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    // A guest that powers off has not failed.
    lab.run("machine exec a poweroff").ok();
    until(&lab, "a", "stopped");
    lab.run("down").ok();

    // The host restarts: what ran comes up again with the daemon.
    lab.run("machine start a").ok();
    kill_hypervisor(&lab, "a");
    lab.store("UPDATE machines SET boot_id = 'an-earlier-boot'");
    lab.run("up --detach").ok();
    until(&lab, "a", "running");
    lab.run("machine exec a true").ok();
    lab.run("down").ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
