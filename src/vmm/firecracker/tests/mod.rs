//! The driver against the other side of the API: a program of our own in Firecracker's place (`server`) that takes only
//! calls which the description allows.
//!
//! That program is this very test program, begun by a script that says where it is to behave how. A real Firecracker
//! needs KVM; the tests of the whole program take one when `SISTEMO_TEST_FIRECRACKER` names it (`tests/firecracker.rs`).

mod description;
mod plans;
mod server;
mod states;
mod table;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::error::{Advice, Kind};
use crate::value::ByteSize;
use crate::vmm::console::{self, Ending};
use crate::vmm::process::State;
use crate::vmm::{Disk, HugePages, Hypervisor, command_line, find_strays};

/// Tells this program that it is to stand in, and where.
const STAND_IN: &str = "SISTEMO_TEST_STAND_IN";

/// Not a test of its own: what runs in Firecracker's place. Without its variable it has nothing to do.
#[test]
fn stands_in() {
    if let Some(dir) = std::env::var_os(STAND_IN) {
        let arguments: Vec<String> = std::env::args().collect();
        server::run(&arguments, Path::new(&dir), description::check);
    }
}

/// A machine to launch, the directory it lives in, and a stand-in with its behaviour.
struct Bench {
    dir: TempDir,
    spec: LaunchSpec,
    launched: Mutex<Vec<Process>>,
}

impl Bench {
    fn new(version: &str, behaviour: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let description = std::env::var(description::WHERE).unwrap_or_default();
        let script = format!(
            "#!/bin/sh\n\
             if [ \"$1\" = --version ]; then\n\
             echo 'Firecracker v{version}'; echo asked >> '{dir}/asked'; exit\n\
             fi\n\
             export {STAND_IN}='{dir}' {variable}='{description}'\n\
             exec '{own}' --exact vmm::firecracker::tests::stands_in --nocapture -- \"$@\"\n",
            variable = description::WHERE,
            dir = dir.path().display(),
            own = own.display(),
        );
        let program = dir.path().join("firecracker");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("behaviour"), behaviour).unwrap();
        let mut bench = Bench {
            spec: spec(dir.path()),
            dir,
            launched: Mutex::default(),
        };
        bench.disk("root", false);
        bench.disk("modules", true);
        bench
    }

    fn disk(&mut self, name: &str, read_only: bool) {
        let path = self.dir.path().join(name);
        fs::write(&path, "").unwrap();
        self.spec.disks.push(Disk {
            path,
            read_only,
            serial: name.into(),
        });
    }

    fn driver(&self) -> Firecracker {
        Firecracker::new(self.dir.path().join("firecracker"))
    }

    async fn launch(&self) -> Result<Process, Error> {
        let born = |process: &Process| {
            self.launched.lock().unwrap().push(process.clone());
            Ok(())
        };
        self.driver().launch(&self.spec, &born).await
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// Paths of the calls that the stand-in got.
    fn calls(&self) -> Vec<String> {
        let calls = self.read("calls");
        let path = |line: &str| line.split(' ').nth(1).unwrap().to_string();
        calls.lines().map(path).collect()
    }

    /// What the guest has printed, without what a test program says for itself.
    fn printed(&self) -> String {
        let text = fs::read_to_string(&self.spec.console).unwrap();
        let lines = text.lines().filter(|line| line.starts_with('['));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// No process is left of it, and none is found.
    fn is_clean(&self) {
        for process in self.launched.lock().unwrap().iter() {
            assert_eq!(process.current_state().unwrap(), State::Dead);
        }
        let found = find_strays(&self.spec.machine, &self.spec.run_dir).unwrap();
        assert_eq!(found, []);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for process in self.launched.lock().unwrap().iter() {
            if process.current_state().unwrap() == State::Alive {
                let pid = nix::unistd::Pid::from_raw(process.pid as i32);
                nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).unwrap();
            }
        }
    }
}

/// A machine with all its files in `dir`, and no disks yet.
fn spec(dir: &Path) -> LaunchSpec {
    let accelerator = Accelerator::Kvm;
    LaunchSpec {
        machine: Uuid::new_v4().to_string(),
        kernel: dir.join("vmlinux"),
        initramfs: dir.join("initramfs"),
        command_line: command_line::command_line(Hypervisor::Firecracker, accelerator, None),
        disks: vec![],
        taps: vec![crate::vmm::Tap {
            name: "tap0".into(),
            mac: "02:00:0a:c8:00:02".into(),
            mtu: Some(1450),
        }],
        namespace: None,
        vcpus: 2,
        iops: Some(300),
        memory: ByteSize::mib(512),
        huge_pages: HugePages::None,
        console: dir.join("console.log"),
        run_dir: dir.join("run"),
        accelerator,
        owner: None,
        restore: None,
    }
}

#[tokio::test]
async fn every_version_is_spoken_to_as_its_description_has_it() {
    for version in ["1.10.1", "1.14.0", "1.16.2", "1.17.0", "1.99.0"] {
        let bench = Bench::new(version, "");
        let process = bench.launch().await.unwrap();
        let mut expected = vec![
            "/logger",
            "/metrics",
            "/machine-config",
            "/boot-source",
            "/drives/disk0",
            "/drives/disk1",
            "/network-interfaces/eth0",
            "/entropy",
            "/balloon",
        ];
        if Version::printed(&format!("Firecracker v{version}")).unwrap() >= Version::new(1, 16, 0) {
            expected.push("/serial");
        }
        expected.push("/actions");
        assert_eq!(bench.calls(), expected, "{version}");
        assert_eq!(bench.printed(), "[    0.000000] Linux version 6.1\n");
        assert!(
            bench
                .read("run/firecracker/firecracker.log")
                .contains("Listening on API socket")
        );
        assert_eq!(bench.read("asked"), "asked\n", "the version is asked once");
        assert_eq!(process.current_state().unwrap(), State::Alive);
        process.kill().await.unwrap();
        bench.is_clean();
    }
}

#[tokio::test]
async fn a_machine_is_found_alone_and_asked_to_end() {
    let bench = Bench::new("1.17.0", "");
    let process = bench.launch().await.unwrap();
    let found = find_strays(&bench.spec.machine, &bench.spec.run_dir).unwrap();
    assert_eq!(found, std::slice::from_ref(&process));
    let again = bench.launch().await.unwrap_err();
    assert!(matches!(again, Error::AlreadyRunning { .. }), "{again}");

    let mut other = Bench::new("1.17.0", "");
    other.spec.disks = bench.spec.disks[..1].to_vec();
    let locked = other.launch().await.unwrap_err();
    assert_eq!(locked.kind(), Kind::Refused, "{locked}");
    assert!(
        locked.hint().unwrap().contains("one running machine"),
        "{locked}"
    );
    other.spec.disks = bench.spec.disks[1..].to_vec();
    other.launch().await.unwrap().kill().await.unwrap();

    bench.driver().shutdown(&bench.spec.run_dir).await.unwrap();
    process.wait_exit().await.unwrap();
    assert_eq!(
        console::ending(&bench.spec.console).unwrap(),
        Ending::Restarted
    );
    let late = bench
        .driver()
        .shutdown(&bench.spec.run_dir)
        .await
        .unwrap_err();
    assert!(
        matches!(late, Error::Control { .. } | Error::Broken { .. }),
        "{late}"
    );
    bench.is_clean();
    // The disk is free again.
    other.spec.disks = bench.spec.disks[..1].to_vec();
    other.launch().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_refused_is_shown_with_what_was_said_to_it() {
    let bench = Bench::new(
        "1.17.0",
        "refuses /drives/disk1 Unable to create the block device",
    );
    let error = bench.launch().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Firecracker refused PUT /drives/disk1 (400): Unable to create the block device"
    );
    assert_eq!(bench.calls().last().unwrap(), "/drives/disk1");
    bench.is_clean();
}

#[tokio::test]
async fn what_is_not_as_the_description_has_it_is_refused() {
    let mut bench = Bench::new("1.17.0", "");
    bench.spec.taps[0].mtu = Some(60);
    let error = bench.launch().await.unwrap_err().to_string();
    assert!(error.contains("PUT /network-interfaces/eth0"), "{error}");
    assert!(
        error.contains("contract:") && error.contains("mtu"),
        "{error}"
    );
    bench.is_clean();
}

#[tokio::test]
async fn a_firecracker_that_ends_early_says_why() {
    let before = Bench::new("1.17.0", "fails Error: Kvm error: Permission denied");
    let error = before.launch().await.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    assert!(error.to_string().contains("Kvm error"), "{error}");
    assert!(error.hint().is_some(), "{error}");
    before.is_clean();
    let midway = Bench::new("1.17.0", "dies-at /boot-source");
    let error = midway.launch().await.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    assert!(
        error.to_string().contains("panicked at the stand-in"),
        "{error}"
    );
    midway.is_clean();
    let missing = Firecracker::new("/no/such/firecracker");
    let error = missing.launch(&midway.spec, &|_| Ok(())).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

#[tokio::test]
async fn a_kernel_that_dies_early_leaves_its_log() {
    let bench = Bench::new("1.17.0", "guest panics");
    let process = bench.launch().await.unwrap();
    process.wait_exit().await.unwrap();
    let words = "No working init found.".into();
    assert_eq!(
        console::ending(&bench.spec.console).unwrap(),
        Ending::Panicked { words }
    );
    assert!(bench.printed().contains("Linux version"));
    bench.is_clean();
}

#[tokio::test]
async fn what_firecracker_cannot_do_is_said_before_it_is_started() {
    let refused = async |version: &str, change: fn(&mut LaunchSpec)| {
        let mut bench = Bench::new(version, "");
        change(&mut bench.spec);
        let error = bench.launch().await.unwrap_err();
        assert!(bench.launched.lock().unwrap().is_empty(), "{error}");
        assert!(!bench.spec.console.exists(), "{error}");
        error
    };
    let many = refused("1.17.0", |spec| spec.vcpus = 33).await;
    assert!(
        many.to_string().contains("at most 32 virtual processors"),
        "{many}"
    );
    let slow = refused("1.17.0", |spec| spec.accelerator = Accelerator::Tcg).await;
    assert!(matches!(slow, Error::NeedsKvm { .. }), "{slow}");
    let old = refused("1.9.1", |_| {}).await;
    assert!(matches!(old, Error::TooOld { .. }), "{old}");
    let pages = |spec: &mut LaunchSpec| spec.huge_pages = HugePages::Transparent;
    let pages = refused("1.16.0", pages).await;
    assert!(pages.to_string().contains("huge pages"), "{pages}");
    let disks = |spec: &mut LaunchSpec| spec.disks = vec![spec.disks[1].clone(); 15];
    let disks = refused("1.17.0", disks).await;
    assert!(disks.to_string().contains("at most 17 devices"), "{disks}");
}

#[tokio::test]
async fn a_data_directory_may_be_deep() {
    let mut bench = Bench::new("1.17.0", "");
    bench.spec.run_dir = bench.dir.path().join("deep/".repeat(30)).join("run");
    bench.launch().await.unwrap();
    bench.driver().shutdown(&bench.spec.run_dir).await.unwrap();
}

#[tokio::test]
async fn a_hypervisor_that_cannot_be_written_down_is_killed() {
    let bench = Bench::new("1.17.0", "");
    let born = |process: &Process| {
        bench.launched.lock().unwrap().push(process.clone());
        Err("the store is full".into())
    };
    let launched = bench.driver().launch(&bench.spec, &born).await;
    assert!(matches!(launched, Err(Error::Identity(_))), "{launched:?}");
    bench.is_clean();
}
