//! A deploy that fails at any step, or is cancelled, undoes itself.

use std::io::BufRead;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::support::{Image, Lab};

/// The steps of a deploy, and how a person reads each.
const STEPS: [(&str, &str); 5] = [
    ("clone-root", "making the root disk"),
    (
        "write-initramfs",
        "preparing the kernel and its configuration",
    ),
    ("attach-network", "setting up the network"),
    ("launch", "starting the hypervisor"),
    ("await-guest", "waiting for the guest"),
];

#[test]
fn a_deploy_that_fails_at_any_step_undoes_itself() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    for (step, says) in STEPS {
        for when in ["before", "after"] {
            let fault = format!("fail:{step}:{when}");
            let line = format!("machine deploy {tiny} --name a --no-wait");
            let said = lab.run_with(&line, &[("SISTEMO_FAULT", &fault)]).fails(1);
            let wanted = format!("error: cannot deploy machine a: {says}: ");
            assert!(said.contains(&wanted), "{fault}: {said}");
            lab.has_nothing_left();
        }
    }
    // The name is free again, and so is the address.
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    assert_eq!(lab.field("a", "ip"), "10.200.0.2");
}

#[test]
fn an_interrupt_undoes_a_deploy() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let line = format!("machine deploy {tiny} --name a");
    let waiting = "waiting for the guest";
    let (status, said) = signalled(lab.command(&line, &[]), waiting, Signal::SIGINT);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("cancelled"), "{said}");
    lab.has_nothing_left();

    // Also in a step that does not ask, and where nothing is waited for afterwards.
    let fault = [("SISTEMO_FAULT", "stop:write-initramfs:before")];
    let mut child = lab
        .command(&format!("{line} --no-wait"), &fault)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    kill(pid, Signal::SIGINT).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("cancelled"), "{said}");
    lab.has_nothing_left();
}

#[test]
fn a_deploy_under_nohup_outlives_its_terminal() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let deploy = lab.command(&format!("machine deploy {tiny} --name a"), &[]);
    let mut nohup = Command::new("sh");
    nohup
        .args(["-c", r#"trap '' HUP; exec "$0" "$@""#])
        .arg(deploy.get_program())
        .args(deploy.get_args());
    for (key, value) in deploy.get_envs() {
        match value {
            Some(value) => nohup.env(key, value),
            None => nohup.env_remove(key),
        };
    }
    let (status, said) = signalled(nohup, "waiting for the guest", Signal::SIGHUP);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(lab.field("a", "status"), "running");
}

/// Runs a command, sends it a signal when it says a line, and gives its exit status and all that it said.
fn signalled(mut command: Command, moment: &str, signal: Signal) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in std::io::BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == moment {
            kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        }
        said += &(line + "\n");
    }
    (child.wait().unwrap().code(), said)
}
