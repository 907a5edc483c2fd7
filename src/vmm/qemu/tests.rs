//! Real machines under software emulation: the distribution's kernel and an init that is a busybox script.
//!
//! The script loads the modules of the initramfs, says what it sees, and does what the kernel's command line names in
//! `what=` (a word with `=` that the kernel does not know becomes a variable of its first process).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use super::*;
use crate::error::{Advice, Kind};
use crate::guest::initramfs;
use crate::guest::kernel::Kernel;
use crate::guest::kernel::test_kernel::{busybox, kernel};
use crate::value::ByteSize;
use crate::vmm::accelerator::Accelerator;
use crate::vmm::console::Ending;
use crate::vmm::{Disk, Tap, command_line, find_strays, tsc};

const INIT: &str = r#"#!/busybox sh
PATH=/bin
/busybox mkdir -p /bin /lib/modules
/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /sistemo/modules/order); do insmod /sistemo/modules/$module.ko || echo "no $module"; done
# Linux makes sure of a counter's rate for its first second.
clock=/sys/devices/system/clocksource/clocksource0/current_clocksource
while grep -q early $clock; do usleep 10000; done
echo "init: clock $(cat $clock)"
for disk in /sys/block/vd?; do
    echo "init: disk ${disk##*/} $(cat $disk/serial) $(cat $disk/ro) $(cat $disk/size)"
done
echo "init: link $(cat /sys/class/net/eth0/address)"
echo "init: rng $(cat /sys/class/misc/hw_random/rng_current)"
echo "init: cpus $(nproc)"
case $what in
button)
    mkdir -p /lib/modules/$(uname -r)
    mount -o ro /dev/vda /lib/modules/$(uname -r)
    modprobe evdev && modprobe button
    while ! [ -e /dev/input/event0 ]; do usleep 10000; done
    mkdir -p /etc/acpi/PWRF
    printf '#!/bin/sh\nsync\npoweroff -f\n' > /etc/acpi/PWRF/00000080
    chmod +x /etc/acpi/PWRF/00000080
    echo "init: waits for the button"
    exec acpid -d -c /etc/acpi ;;
poweroff) echo "init: off"; sync; poweroff -f ;;
restart) sync; reboot -f ;;
panic) echo c > /proc/sysrq-trigger ;;
write) echo "init: writes"; dd if=/dev/zero of=/dev/vda bs=1M count=4 conv=fsync; echo "init: written $?" ;;
esac
echo "init: stays"
while :; do sleep 1000; done
"#;

/// A machine to launch and the directory it lives in; what is still running when it is dropped is killed.
struct Bench {
    dir: TempDir,
    spec: LaunchSpec,
    launched: Mutex<Vec<Process>>,
}

impl Bench {
    fn new(what: &str) -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let initramfs = initramfs(dir.path(), &kernel());
        let spec = spec(what, dir.path(), initramfs);
        Bench {
            dir,
            spec,
            launched: Mutex::default(),
        }
    }

    fn disk(&mut self, name: &str, read_only: bool) {
        let path = self.dir.path().join(name);
        if !path.exists() {
            File::create(&path).unwrap().set_len(8 << 20).unwrap();
        }
        self.spec.disks.push(Disk {
            path,
            read_only,
            serial: name.into(),
        });
    }

    async fn launch(&self) -> Result<Process, Error> {
        let born = |process: &Process| {
            self.launched.lock().unwrap().push(process.clone());
            Ok(())
        };
        Qemu::find().unwrap().launch(&self.spec, &born).await
    }

    /// Waits until the guest prints a line with `text`, and returns all it has printed up to there.
    async fn prints(&self, text: &str) -> String {
        let mut follower = tokio::process::Command::new("tail")
            .args(["-n", "+1", "-F", "--"])
            .arg(&self.spec.console)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
        let mut all = String::new();
        let found = tokio::time::timeout(Duration::from_secs(120), async {
            while let Some(line) = lines.next_line().await.unwrap() {
                all.push_str(line.trim_end());
                all.push('\n');
                if line.contains(text) {
                    return;
                }
            }
        });
        let in_time = found.await.is_ok();
        assert!(in_time, "the guest did not print {text:?}:\n{all}");
        all
    }

    async fn ends(&self, process: &Process) -> Ending {
        let gone = tokio::time::timeout(Duration::from_secs(120), process.wait_exit()).await;
        let printed = || fs::read_to_string(&self.spec.console).unwrap_or_default();
        assert!(gone.is_ok(), "it did not end:\n{}", printed());
        gone.unwrap().unwrap();
        console::ending(&self.spec.console).unwrap()
    }
}

/// A machine that does `what`, with all its files in `dir`.
fn spec(what: &str, dir: &Path, initramfs: PathBuf) -> LaunchSpec {
    let accelerator = Accelerator::Tcg;
    let line = command_line::command_line(accelerator, tsc::measure());
    LaunchSpec {
        machine: Uuid::new_v4().to_string(),
        kernel: kernel().bzimage(),
        initramfs,
        command_line: format!("{line} what={what}"),
        disks: vec![],
        taps: vec![],
        namespace: None,
        vcpus: 2,
        iops: None,
        memory: ByteSize::mib(256),
        console: dir.join("console, with a comma.log"),
        run_dir: dir.join("run"),
        accelerator,
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

/// The shared archive, as it is made for machines, with the script and busybox in another archive behind it.
fn initramfs(dir: &Path, kernel: &Kernel) -> PathBuf {
    let shared = initramfs::shared(kernel, &busybox()).unwrap();
    let path = dir.join("initramfs");
    let tree = dir.join("tree");
    fs::create_dir(&tree).unwrap();
    fs::copy(busybox(), tree.join("busybox")).unwrap();
    fs::write(tree.join("init"), INIT).unwrap();
    let pack = "chmod 755 busybox init; printf 'busybox\\ninit\\n' | cpio -o -H newc --quiet";
    let packed = Command::new("sh")
        .args(["-ec", pack])
        .current_dir(&tree)
        .output();
    let mut whole = fs::read(shared).unwrap();
    whole.resize(whole.len().next_multiple_of(4), 0);
    whole.extend(packed.unwrap().stdout);
    File::create(&path).unwrap().write_all(&whole).unwrap();
    path
}

/// A network namespace with a tap in it; both are gone when this is.
struct Namespace {
    path: PathBuf,
    _end: std::sync::mpsc::Sender<()>,
}

impl Namespace {
    fn with_tap(name: &'static str) -> Self {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let tap = crate::host::tap::make(name).unwrap();
            drop(tap);
            let path = format!(
                "/proc/{}/task/{}/ns/net",
                std::process::id(),
                nix::unistd::gettid()
            );
            send.send(path).unwrap();
            // The namespace lives as long as this thread.
            let _ = ended.recv();
        });
        Namespace {
            path: receive.recv().unwrap().into(),
            _end: end,
        }
    }
}

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
    assert_eq!(fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
    assert_eq!(
        fs::read_link(proc.join("fd/0")).unwrap(),
        Path::new("/dev/null")
    );
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
    };
    let tap = refused(|spec| spec.taps = vec![tap]).await;
    assert!(matches!(tap, Error::Ended { .. }), "{tap}");
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
        arguments: vec!["1000".into()],
        namespace: None,
        output: run_dir.output().unwrap(),
        keep: vec![lock.into()],
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
