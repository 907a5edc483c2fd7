//! A command that is killed at any step of any operation: the next one finishes what it began or takes it back.

use crate::support::{Image, Lab};

const MOMENTS: [&str; 2] = ["before", "after"];

/// Runs a command that is killed around one of its steps.
#[track_caller]
fn kill(lab: &Lab, line: &str, step: &str, when: &str) {
    let fault = format!("kill:{step}:{when}");
    lab.run_with(line, &[("SISTEMO_FAULT", &fault)])
        .was_killed();
}

#[test]
fn a_deploy_killed_at_any_step_is_as_if_it_had_never_been() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let deploy = format!("machine deploy {tiny} --name a --no-wait");
    for step in [
        "clone-root",
        "write-initramfs",
        "attach-network",
        "launch",
        "await-guest",
    ] {
        for when in MOMENTS {
            kill(&lab, &deploy, step, when);
            let said = lab.run("machine list").stderr;
            assert!(
                said.contains("recovered machine a"),
                "{step} {when}: {said}"
            );
            lab.has_nothing_left();
        }
    }
    // The next command need not be one that looks: the same deploy finds the name free.
    kill(&lab, &deploy, "launch", "after");
    lab.run(&deploy).ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_start_killed_at_any_step_leaves_a_machine_that_starts() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    lab.run("machine exec a 'echo kept > /root/kept && sync'")
        .ok();
    lab.run("machine stop a").ok();
    for step in ["write-initramfs", "attach-network", "launch", "await-guest"] {
        for when in MOMENTS {
            kill(&lab, "machine start a --no-wait", step, when);
            let status = lab.field("a", "status");
            assert!(
                ["stopped", "failed"].contains(&status.as_str()),
                "{step} {when}: {status}"
            );
            lab.has_nothing_running();
        }
    }
    lab.run("machine start a").ok();
    assert_eq!(lab.run("machine exec a cat /root/kept").ok(), "kept\n");
    assert_eq!(lab.field("a", "failure"), "null");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_stop_killed_at_any_step_ends_stopped_or_has_not_begun() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    for step in ["power-off", "kill", "detach-network"] {
        for when in MOMENTS {
            kill(&lab, "machine stop a --force", step, when);
            let status = lab.field("a", "status");
            // Asking comes first, and nothing is asked for with --force: until then it runs.
            let wanted = if step == "power-off" {
                "running"
            } else {
                "stopped"
            };
            assert_eq!(status, wanted, "{step} {when}");
            if status == "stopped" {
                lab.has_nothing_running();
                lab.run("machine start a --no-wait").ok();
            }
        }
    }
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_delete_killed_at_any_step_is_finished() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    for step in ["kill", "detach-network", "remove-volumes", "remove-files"] {
        for when in MOMENTS {
            lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
                .ok();
            kill(&lab, "machine delete a -y", step, when);
            lab.run("machine list").ok();
            lab.has_nothing_left();
        }
    }
}

#[test]
fn a_delete_that_keeps_the_disk_keeps_it_when_killed() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    kill(
        &lab,
        "machine delete a -y --preserve-storage",
        "kill",
        "after",
    );
    assert_eq!(lab.run("machine list -o json").ok(), "[]\n");
    let volume = lab.run("volume show a-root -o json").json();
    assert_eq!(volume["status"], "available");
    assert!(std::path::Path::new(volume["path"].as_str().unwrap()).exists());
}

#[test]
fn a_delete_that_cannot_be_finished_is_in_nobodys_way() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    let fault = [("SISTEMO_FAULT", "fail:remove-files:before")];
    lab.run_with("machine delete a -y", &fault).fails(1);
    // Its disk is gone: it is neither stopped nor started, but everything else goes on.
    for line in ["machine stop a --force", "machine start a"] {
        let said = lab.run_with(line, &fault).fails(4);
        assert!(said.contains("machine a is deleting"), "{said}");
        assert!(
            said.contains("hint: what is left of it goes with: sistemo machine delete a"),
            "{said}"
        );
    }
    let said = lab.run_with("machine list", &fault);
    assert!(said.stderr.contains("could not be put right yet"), "{said}");
    said.ok();
    lab.run_with(&format!("machine deploy {tiny} --name b --no-wait"), &fault)
        .ok();
    lab.run("machine delete b -y").ok();
    lab.has_nothing_left();
}
