//! A deploy that fails at any step, or is cancelled, undoes itself.

use std::io::BufRead;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
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
    let mut deploy = lab
        .command(&format!("machine deploy {tiny} --name a"), &[])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in std::io::BufReader::new(deploy.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "waiting for the guest" {
            kill(Pid::from_raw(deploy.id().cast_signed()), Signal::SIGINT).unwrap();
        }
        said += &(line + "\n");
    }
    assert_eq!(deploy.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("cancelled"), "{said}");
    lab.has_nothing_left();
}
