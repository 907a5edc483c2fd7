//! Machines under a real Firecracker, which `SISTEMO_TEST_FIRECRACKER` names at the time of the build, on a host whose KVM
//! works; and what is said where it cannot be. Without the variable those that need it are ignored, by name.

use crate::support::{Image, Lab, gone, until};

/// A lab whose machines run under the real one.
fn real() -> Lab {
    let mut lab = Lab::new();
    let program = option_env!("SISTEMO_TEST_FIRECRACKER").unwrap_or_default();
    lab.set("SISTEMO_FIRECRACKER", program);
    lab.set("SISTEMO_VMM", "firecracker");
    lab
}

#[test]
fn firecracker_without_kvm_is_refused_with_the_reason_and_a_way_out() {
    let mut lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.set("SISTEMO_ACCELERATOR", "tcg");
    let said = lab
        .run(&format!("machine deploy {tiny} --vmm firecracker"))
        .fails(4);
    assert!(
        said.contains("machines cannot run under Firecracker here: it needs KVM"),
        "{said}"
    );
    assert!(said.contains("hint: --vmm qemu"), "{said}");
    let doctor = lab.run_with("doctor", &[("SISTEMO_VMM", "firecracker")]);
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(!doctor.status.success(), "{said}");
    assert!(
        said.contains("FAIL  hypervisor: machines cannot run under Firecracker"),
        "{said}"
    );
    // By itself it is QEMU, which is said of the machine.
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    assert_eq!(lab.field("a", "vmm"), "qemu");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn more_processors_than_firecracker_has_are_said_so() {
    let mut lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.set("SISTEMO_ACCELERATOR", "kvm");
    let said = lab
        .run(&format!(
            "machine deploy {tiny} --vmm firecracker --vcpus 33"
        ))
        .fails(2);
    assert!(
        said.contains("at most 32 virtual processors, and 33 were asked for"),
        "{said}"
    );
    let missing = [("SISTEMO_FIRECRACKER", "/no/such/firecracker")];
    let said = lab
        .run_with(
            &format!("machine deploy {tiny} --vmm firecracker"),
            &missing,
        )
        .fails(1);
    assert!(
        said.contains("/no/such/firecracker is not installed"),
        "{said}"
    );
    lab.has_nothing_left();
}

#[test]
#[cfg_attr(
    not(real_firecracker),
    ignore = "SISTEMO_TEST_FIRECRACKER names no firecracker"
)]
fn debian_lives_under_firecracker_as_it_does_under_qemu() {
    let mut lab = real();
    lab.set("SISTEMO_DEFAULT_MEMORY", "512M");
    lab.set("SISTEMO_DEFAULT_STORAGE", "2G");
    let debian = lab.image(Image::Debian);
    lab.run(&format!(
        "machine deploy {debian} --name deb --expose 8080:80"
    ))
    .ok();
    let made = lab.status("deb");
    assert_eq!(
        (&made["vmm"], &made["accelerator"]),
        (&"firecracker".into(), &"kvm".into())
    );
    assert_eq!(
        lab.run("machine exec deb cat /proc/1/comm").ok(),
        "systemd\n"
    );
    assert!(lab.run("machine stats deb -o json").ok().contains("memory"));
    lab.run("machine exec deb 'echo kept > /root/kept'").ok();
    assert_eq!(lab.run("machine stop deb").ok(), "deb stopped\n");
    assert_eq!(lab.field("deb", "status"), "stopped");
    lab.has_nothing_running();
    // The console has what the guest printed and nothing of Firecracker's.
    let log = lab.run("machine logs deb").ok();
    assert!(
        log.contains("Linux version") && log.contains("reboot: Restarting system"),
        "{log}"
    );
    assert!(!log.contains("API socket"), "{log}");
    lab.run("machine start deb").ok();
    assert_eq!(lab.run("machine exec deb cat /root/kept").ok(), "kept\n");
    assert_eq!(lab.field("deb", "ip"), made["ip"].as_str().unwrap());
    lab.run("machine rm deb -y").ok();
    lab.has_nothing_left();
}

#[test]
#[cfg_attr(
    not(real_firecracker),
    ignore = "SISTEMO_TEST_FIRECRACKER names no firecracker"
)]
fn a_killed_firecracker_is_noticed_and_the_machine_starts_again() {
    let lab = real();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let pid: i32 = lab.field("a", "pid").parse().unwrap();
    let killed = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(killed, nix::sys::signal::Signal::SIGKILL).unwrap();
    gone(pid);
    let failed = lab.status("a");
    assert_eq!(failed["status"], "failed");
    let why = failed["failure"].as_str().unwrap();
    assert!(why.contains("the hypervisor ended unexpectedly"), "{why}");
    lab.has_nothing_running();
    lab.run("machine start a").ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
#[cfg_attr(
    not(real_firecracker),
    ignore = "SISTEMO_TEST_FIRECRACKER names no firecracker"
)]
fn a_guest_that_powers_off_or_restarts_under_firecracker_is_seen() {
    let lab = real();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    // Firecracker does not notice; the attendant reads it on the console.
    lab.run("machine exec a 'sync; poweroff -f'");
    lab.ends("a");
    assert_eq!(lab.field("a", "status"), "stopped");
    lab.run("machine start a").ok();
    let pid: i32 = lab.stored("a", "pid").parse().unwrap();
    lab.run("machine exec a 'sync; reboot -f'");
    gone(pid);
    until("the machine runs again", || {
        lab.stored("a", "status") == "running" && lab.stored("a", "pid") != pid.to_string()
    });
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
#[cfg_attr(
    not(real_firecracker),
    ignore = "SISTEMO_TEST_FIRECRACKER names no firecracker"
)]
fn a_kernel_that_dies_early_under_firecracker_keeps_its_log() {
    dies_early(real());
}

#[test]
fn a_kernel_that_dies_early_under_qemu_keeps_its_log() {
    dies_early(Lab::new());
}

/// A machine whose guest has nothing to run any more: it becomes failed with the kernel's words, its log is kept, and
/// nothing runs or is attached.
fn dies_early(mut lab: Lab) {
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    lab.run("machine stop a --force").ok();
    // It has the look of one, but for the kernel.
    lab.set_guest_program(b"\x7fELF and nothing else");
    lab.run("machine start a --no-wait").ok();
    lab.ends("a");
    let failed = lab.status("a");
    assert_eq!(failed["status"], "failed");
    let why = failed["failure"].as_str().unwrap();
    assert!(why.contains("Kernel panic"), "{why}");
    assert!(lab.run("machine logs a").ok().contains("Kernel panic"));
    lab.has_nothing_running();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
