//! Machines that end by themselves: killed hypervisors and guests that power off.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Image, Lab, gone, until};

#[test]
fn a_killed_hypervisor_is_noticed_and_the_machine_starts_again() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    lab.run("machine exec a 'echo kept > /root/kept && sync'")
        .ok();
    let pid = lab.field("a", "pid").parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    gone(pid);

    let failed = lab.status("a");
    assert_eq!(failed["status"], "failed");
    let why = failed["failure"].as_str().unwrap();
    assert!(why.contains("the hypervisor ended unexpectedly"), "{why}");
    let log = failed["boot_log"].as_str().unwrap();
    assert!(log.contains("tiny: up"), "{log}");
    assert!(lab.run("machine status a").ok().contains("tiny: up"));
    assert_eq!(failed["pid"], serde_json::Value::Null);
    lab.has_nothing_running();
    assert!(lab.run("machine logs a").ok().contains("tiny: up"));
    lab.run("machine exec a true").fails(4);

    lab.run("machine start a").ok();
    assert_eq!(lab.run("machine exec a cat /root/kept").ok(), "kept\n");
    assert_eq!(lab.field("a", "failure"), "null");
    assert_eq!(lab.field("a", "boot_log"), "null");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_guest_that_restarts_comes_up_again_with_and_without_a_daemon() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --expose 8080:80"))
        .ok();
    let address = lab.field("a", "ip");
    for daemon in [false, true] {
        if daemon {
            lab.run("up --detach").ok();
        }
        let pid: i32 = lab.stored("a", "pid").parse().unwrap();
        lab.run("machine exec a 'echo kept > /root/kept && sync && reboot'");
        gone(pid);
        // By itself: no command looks after it.
        until("the machine runs again", || {
            lab.stored("a", "status") == "running" && lab.stored("a", "pid") != pid.to_string()
        });
        lab.run("machine start a").ok();
        let boots = lab.logs_until("a", "tiny: up");
        assert!(boots.contains("Linux version"), "{boots}");
        assert_eq!(lab.run("machine exec a cat /root/kept").ok(), "kept\n");
        assert_eq!(lab.field("a", "ip"), address);
    }
    lab.run("down").ok();
    lab.agrees("two restarts");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_restart_that_nobody_lived_to_finish_is_finished_by_the_next_command() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    // The attendant is there, so no command brings another, and sees nothing any more.
    let restart_unseen = || {
        let attendant = lab.attendant().unwrap();
        kill(Pid::from_raw(attendant), Signal::SIGSTOP).unwrap();
        let pid: i32 = lab.stored("a", "pid").parse().unwrap();
        lab.run("machine exec a 'sync && reboot'");
        gone(pid);
        kill(Pid::from_raw(attendant), Signal::SIGKILL).unwrap();
        gone(attendant);
        pid
    };
    let before = restart_unseen();
    assert_eq!(lab.stored("a", "status"), "running");
    // It notices, and whoever attends does the rest.
    lab.run("machine list").ok();
    until("the machine runs again", || {
        lab.stored("a", "status") == "running" && lab.stored("a", "pid") != before.to_string()
    });
    lab.logs_until("a", "tiny: up");

    // One that cannot come up again says why, and is not tried for ever.
    lab.run("machine exec a true").ok();
    restart_unseen();
    lab.store("UPDATE machines SET spec = json_set(spec, '$.memory', 1 << 50)");
    lab.run("machine list").ok();
    until("it has failed", || lab.stored("a", "status") == "failed");
    let why = lab.field("a", "failure");
    assert!(why.contains("memory"), "{why}");
    assert_eq!(lab.stored("a", "resume"), "0");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_guest_that_powers_off_is_stopped_and_one_that_panics_has_failed() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let pid = lab.field("a", "pid").parse().unwrap();
    lab.run("machine exec a poweroff");
    gone(pid);
    assert_eq!(lab.field("a", "status"), "stopped");
    assert_eq!(lab.field("a", "failure"), "null");
    lab.has_nothing_running();

    lab.run("machine start a").ok();
    let pid = lab.field("a", "pid").parse().unwrap();
    // Nobody is there any more to end the connection; it ends with the hypervisor.
    let said = lab
        .run("machine exec a 'echo c > /proc/sysrq-trigger'")
        .fails(255);
    assert!(
        said.contains("the machine's hypervisor has ended"),
        "{said}"
    );
    gone(pid);
    assert_eq!(lab.field("a", "status"), "failed");
    let why = lab.field("a", "failure");
    assert!(why.contains("Kernel panic"), "{why}");
    lab.has_nothing_running();
}
