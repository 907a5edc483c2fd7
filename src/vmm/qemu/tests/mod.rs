//! Real machines under software emulation, of the distribution's kernel.

mod bench;
mod groups;
mod state;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use self::bench::{Bench, Namespace, spec};
use super::*;
use crate::error::{Advice, Kind};
use crate::guest::kernel::test_kernel::kernel;
use crate::value::ByteSize;
use crate::vmm::console::Ending;
use crate::vmm::contain::Owner;
use crate::vmm::{Disk, Tap, find_strays};

#[tokio::test]
async fn a_machine_boots_with_its_disks_link_and_clock() {
    let namespace = Namespace::with_tap("tap7");
    let mut bench = Bench::new("stay");
    bench.disk("one", false);
    bench.disk("two, with a comma", true);
    bench.disk("three", false);
    bench.spec.namespace = Some(namespace.path.clone());
    bench.spec.taps = vec![Tap {
        name: "tap7".into(),
        mac: "02:00:00:00:00:07".into(),
        mtu: None,
    }];
    let process = bench.launch().await.unwrap();
    let log = bench.prints("init: stays").await;
    assert!(log.contains("Linux version"), "{log}");
    let said: Vec<&str> = log.lines().filter(|l| l.starts_with("init: ")).collect();
    assert_eq!(
        said,
        [
            "init: clock tsc",
            "init: disk vda one 0 16384",
            "init: disk vdb two, with a comma 1 16384",
            "init: disk vdc three 0 16384",
            "init: link 02:00:00:00:00:07",
            "init: rng virtio_rng.0",
            "init: cpus 2",
            "init: stays",
        ]
    );
    stands_alone(&process, &namespace);
    assert_eq!(process.current_state().unwrap(), State::Alive);

    let found = find_strays(&bench.spec.machine, &bench.spec.run_dir).unwrap();
    assert_eq!(found, std::slice::from_ref(&process));
    assert!(
        find_strays(&Uuid::new_v4().to_string(), Path::new("/nowhere"))
            .unwrap()
            .is_empty()
    );

    let again = bench.launch().await.unwrap_err();
    assert!(matches!(again, Error::AlreadyRunning { .. }), "{again}");
    assert_eq!(process.current_state().unwrap(), State::Alive);

    let mut other = Bench::new("stay");
    other.spec.disks = bench.spec.disks[..1].to_vec();
    let locked = other.launch().await.unwrap_err();
    assert_eq!(locked.kind(), Kind::Refused, "{locked}");
    assert!(
        locked.hint().unwrap().contains("one running machine"),
        "{locked}"
    );
    for failed in other.launched.lock().unwrap().iter() {
        assert_eq!(failed.current_state().unwrap(), State::Dead);
    }

    process.kill().await.unwrap();
    assert_eq!(bench.ends(&process).await, Ending::Unsaid);
    assert!(
        find_strays(&bench.spec.machine, &bench.spec.run_dir)
            .unwrap()
            .is_empty()
    );
}

/// It has nothing of the program that started it.
fn stands_alone(process: &Process, namespace: &Namespace) {
    let proc = PathBuf::from(format!("/proc/{}", process.pid));
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    let session = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(3)
        .unwrap();
    assert_eq!(session, process.pid.to_string());
    let net = |path: &Path| fs::metadata(path).map(|m| std::os::unix::fs::MetadataExt::ino(&m));
    assert_eq!(
        net(&proc.join("ns/net")).unwrap(),
        net(&namespace.path).unwrap()
    );
    let environment = fs::read_to_string(proc.join("environ")).unwrap();
    let mut names: Vec<&str> = environment
        .split('\0')
        .filter_map(|v| v.split('=').next())
        .collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    assert_eq!(names, ["LC_ALL", "PATH"]);
    let (cwd, root) = (proc.join("cwd"), proc.join("root"));
    assert_eq!(fs::read_link(cwd).unwrap(), fs::read_link(root).unwrap());
    let input = fs::read_link(proc.join("fd/0")).unwrap();
    assert!(input.ends_with("dev/null"), "{input:?}");
    assert_eq!(
        fs::read_to_string(proc.join("oom_score_adj"))
            .unwrap()
            .trim(),
        "100"
    );
    let limits = fs::read_to_string(proc.join("limits")).unwrap();
    let core = limits
        .lines()
        .find(|l| l.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // The system-call filter is on (proc(5): 2 is a filter).
    let status = fs::read_to_string(proc.join("status")).unwrap();
    assert!(status.contains("Seccomp:\t2"), "{status}");
    is_contained(process, &status);
}

/// It is a user of its own with no capability, is number 1 of its processes, and sees its files.
fn is_contained(process: &Process, status: &str) {
    let field = |name: &str| {
        let mut lines = status.lines();
        let words = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let ids = field("Uid:");
    let user: u32 = ids.split(' ').next().unwrap().parse().unwrap();
    assert!(user >= Owner::FIRST, "{status}");
    assert_eq!(ids, [user.to_string().as_str(); 4].join(" "));
    assert_eq!(field("Gid:"), ids);
    assert_eq!(field("Groups:"), "");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("NSpid:"), format!("{} 1", process.pid));
    let root = PathBuf::from(format!("/proc/{}/root", process.pid));
    let listed = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(listed("dev"), "net null urandom");
    assert_eq!(listed("usr/bin"), "qemu-system-x86_64");
    let etc = listed("etc");
    assert!(etc.is_empty() || etc == "ld.so.cache", "{etc}");
    for hidden in ["proc", "sys", "run", "root", "home", "tmp"] {
        assert!(!root.join(hidden).exists(), "{hidden}");
    }
}

#[tokio::test]
async fn the_power_button_reaches_the_guest() {
    let mut bench = Bench::new("button");
    bench.spec.disks = vec![Disk {
        path: kernel().modules_image().unwrap(),
        read_only: true,
        serial: "modules".into(),
    }];
    let process = bench.launch().await.unwrap();
    bench.prints("init: waits for the button").await;
    let qemu = Qemu::find().unwrap();
    // The button counts once acpid listens; pressing it again is harmless.
    while process.current_state().unwrap() == State::Alive {
        let _ = qemu.shutdown(&bench.spec.run_dir).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), process.wait_exit()).await;
    }
    assert_eq!(bench.ends(&process).await, Ending::PoweredOff);
    let late = qemu.shutdown(&bench.spec.run_dir).await.unwrap_err();
    assert!(matches!(late, Error::Control { .. }), "{late}");
}

#[tokio::test]
async fn a_guest_that_ends_by_itself_ends_its_hypervisor() {
    let panicked = Ending::Panicked {
        words: "sysrq triggered crash".into(),
    };
    for (what, expected) in [
        ("poweroff", Ending::PoweredOff),
        ("restart", Ending::Restarted),
        ("panic", panicked),
    ] {
        let bench = Bench::new(what);
        let process = bench.launch().await.unwrap();
        assert_eq!(bench.ends(&process).await, expected);
        assert!(bench.spec.console.exists());
    }
}

#[tokio::test]
async fn zeroes_that_a_guest_writes_take_no_space() {
    let mut bench = Bench::new("write");
    bench.disk("disk", false);
    fs::write(&bench.spec.disks[0].path, vec![1; 8 << 20]).unwrap();
    let process = bench.launch().await.unwrap();
    bench.prints("init: written 0").await;
    process.kill().await.unwrap();
    let facts = fs::metadata(&bench.spec.disks[0].path).unwrap();
    assert_eq!(facts.len(), 8 << 20);
    assert_eq!(
        std::os::unix::fs::MetadataExt::blocks(&facts) * 512,
        4 << 20
    );
    assert_eq!(
        fs::read(&bench.spec.disks[0].path).unwrap()[..4 << 20],
        vec![0; 4 << 20]
    );
}

/// A launch that cannot succeed: it says so, and leaves no process.
async fn refused(change: impl FnOnce(&mut LaunchSpec)) -> Error {
    let mut bench = Bench::new("stay");
    change(&mut bench.spec);
    let error = bench.launch().await.unwrap_err();
    for process in bench.launched.lock().unwrap().iter() {
        assert_eq!(process.current_state().unwrap(), State::Dead);
    }
    assert!(
        find_strays(&bench.spec.machine, &bench.spec.run_dir)
            .unwrap()
            .is_empty()
    );
    error
}

#[tokio::test]
async fn a_launch_that_fails_says_why_and_leaves_nothing() {
    let kernel = refused(|spec| spec.kernel = "/no/such/kernel".into()).await;
    assert!(kernel.to_string().contains("/no/such/kernel"), "{kernel}");
    let memory = refused(|spec| spec.memory = ByteSize::gib(1 << 20)).await;
    assert!(memory.hint().unwrap().contains("memory"), "{memory}");
    let disk = Disk {
        path: "/no/such/disk".into(),
        read_only: false,
        serial: "root".into(),
    };
    let disk = refused(|spec| spec.disks = vec![disk]).await;
    assert!(disk.to_string().contains("/no/such/disk"), "{disk}");
    let namespace = refused(|spec| spec.namespace = Some("/no/such/namespace".into())).await;
    assert!(matches!(namespace, Error::Namespace { .. }), "{namespace}");
    let file = refused(|spec| spec.namespace = Some("/etc/hostname".into())).await;
    assert!(matches!(file, Error::Spawn { .. }), "{file}");
    let tap = Tap {
        name: "a name that is too long for a link".into(),
        mac: "02:00:00:00:00:07".into(),
        mtu: None,
    };
    let tap = refused(|spec| spec.taps = vec![tap]).await;
    assert!(matches!(tap, Error::Contain(_)), "{tap}");
}

#[tokio::test]
async fn a_hypervisor_that_cannot_be_written_down_is_killed() {
    let bench = Bench::new("stay");
    let seen = Mutex::new(None);
    let born = |process: &Process| {
        *seen.lock().unwrap() = Some(process.clone());
        Err("the store is full".into())
    };
    let launched = Qemu::find().unwrap().launch(&bench.spec, &born).await;
    assert!(matches!(launched, Err(Error::Identity(_))), "{launched:?}");
    let process = seen.lock().unwrap().take().unwrap();
    assert_eq!(process.current_state().unwrap(), State::Dead);
}

#[tokio::test]
async fn a_process_that_is_not_executed_yet_is_found_by_its_lock() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::prepare(dir.path()).unwrap();
    let machine = Uuid::new_v4().to_string();
    let lock = run_dir.lock().unwrap();
    assert!(matches!(run_dir.lock(), Err(Error::AlreadyRunning { .. })));
    let child = spawn(Spawn {
        program: Path::new("/bin/sleep"),
        directory: Path::new("/"),
        arguments: vec!["1000".into()],
        namespace: None,
        output: run_dir.output().unwrap(),
        console: None,
        keep: vec![lock.into()],
        enclosure: None,
    })
    .unwrap();
    let found = find_strays(&machine, dir.path()).unwrap();
    assert_eq!(found, [child]);
    found[0].kill().await.unwrap();
    assert!(find_strays(&machine, dir.path()).unwrap().is_empty());
    run_dir.lock().unwrap();
}

#[tokio::test]
async fn a_missing_program_is_said_to_be_missing() {
    let bench = Bench::new("stay");
    let qemu = Qemu::new("/no/such/qemu");
    let born = |_: &Process| Ok(());
    let error = qemu.launch(&bench.spec, &born).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert!(qemu.version().await.is_err());
    let version = Qemu::find().unwrap().version().await.unwrap();
    assert!(
        version.split('.').all(|part| part.parse::<u32>().is_ok()),
        "{version}"
    );
}

/// The starter is this very test in a process of its own: it launches, says so, and waits to be killed before the
/// identity is written down.
#[tokio::test]
async fn a_hypervisor_outlives_a_starter_that_is_killed_and_is_found() {
    const STARTER: &str = "SISTEMO_TEST_STARTER";
    if let Some(told) = std::env::var_os(STARTER) {
        let dir = PathBuf::from(told);
        let mut spec = spec("stay", &dir, dir.join("initramfs"));
        spec.machine = fs::read_to_string(dir.join("machine")).unwrap();
        let born = |_: &Process| {
            eprintln!("born");
            loop {
                std::thread::park();
            }
        };
        let _ = Qemu::find().unwrap().launch(&spec, &born).await;
        unreachable!("it is killed before that");
    }
    let bench = Bench::new("stay");
    fs::write(bench.dir.path().join("machine"), &bench.spec.machine).unwrap();
    let mut starter = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("vmm::qemu::tests::a_hypervisor_outlives_a_starter_that_is_killed_and_is_found")
        .env(STARTER, bench.dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(starter.stderr.take().unwrap()).lines();
    while lines.next_line().await.unwrap().unwrap() != "born" {}
    starter.kill().await.unwrap();
    let found = find_strays(&bench.spec.machine, &bench.spec.run_dir).unwrap();
    let [stray] = &found[..] else {
        panic!("{found:?}");
    };
    bench.launched.lock().unwrap().push(stray.clone());
    bench.prints("init: stays").await;
    assert_eq!(stray.current_state().unwrap(), State::Alive);
    let again = bench.launch().await.unwrap_err();
    assert!(matches!(again, Error::AlreadyRunning { .. }), "{again}");
    stray.kill().await.unwrap();
}
