//! What the tests launch, and where: an init that is a busybox script, a directory, a network namespace.
//!
//! The script loads the modules of the initramfs, says what it sees, and does what the kernel's command line names in
//! `what=` (a word with `=` that the kernel does not know becomes a variable of its first process).

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use super::super::*;
use crate::guest::initramfs;
use crate::guest::kernel::Kernel;
use crate::guest::kernel::test_kernel::{busybox, kernel};
use crate::value::ByteSize;
use crate::vmm::accelerator::Accelerator;
use crate::vmm::console::Ending;
use crate::vmm::contain::{Owner, release};
use crate::vmm::{Disk, HugePages, Hypervisor, command_line, tsc};

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
count)
    count=0
    while :; do count=$((count + 1)); echo "init: count $count"; usleep 100000; done ;;
host)
    mkdir /new
    mount /dev/vda /new
    exec switch_root /new /init ;;
write) echo "init: writes"; dd if=/dev/zero of=/dev/vda bs=1M count=4 conv=fsync; echo "init: written $?" ;;
esac
echo "init: stays"
while :; do sleep 1000; done
"#;

/// A machine to launch and the directory it lives in; what is still running when it is dropped is killed.
pub(super) struct Bench {
    pub(super) dir: TempDir,
    pub(super) spec: LaunchSpec,
    pub(super) launched: Mutex<Vec<Process>>,
}

impl Bench {
    pub(super) fn new(what: &str) -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let initramfs = initramfs(dir.path(), &kernel());
        let spec = spec(what, dir.path(), initramfs);
        Bench {
            dir,
            spec,
            launched: Mutex::default(),
        }
    }

    pub(super) fn disk(&mut self, name: &str, read_only: bool) {
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

    pub(super) async fn launch(&self) -> Result<Process, Error> {
        let born = |process: &Process| {
            self.launched.lock().unwrap().push(process.clone());
            Ok(())
        };
        Qemu::find().unwrap().launch(&self.spec, &born).await
    }

    /// Waits until the guest prints a line with `text`, and returns all it has printed up to there.
    pub(super) async fn prints(&self, text: &str) -> String {
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

    pub(super) async fn ends(&self, process: &Process) -> Ending {
        let gone = tokio::time::timeout(Duration::from_secs(120), process.wait_exit()).await;
        let printed = || fs::read_to_string(&self.spec.console).unwrap_or_default();
        assert!(gone.is_ok(), "it did not end:\n{}", printed());
        gone.unwrap().unwrap();
        console::ending(&self.spec.console).unwrap()
    }
}

/// A machine that does `what`, with all its files in `dir`.
pub(super) fn spec(what: &str, dir: &Path, initramfs: PathBuf) -> LaunchSpec {
    let accelerator = Accelerator::Tcg;
    let line = command_line::command_line(Hypervisor::Qemu, accelerator, tsc::measure());
    let machine = Uuid::new_v4().to_string();
    let owner = Owner::new(Owner::preferred(&machine));
    LaunchSpec {
        machine,
        kernel: kernel().bzimage(),
        initramfs,
        command_line: format!("{line} what={what}"),
        disks: vec![],
        taps: vec![],
        namespace: None,
        vcpus: 2,
        iops: None,
        memory: ByteSize::mib(256),
        huge_pages: HugePages::None,
        console: dir.join("console, with a comma.log"),
        run_dir: dir.join("run"),
        accelerator,
        owner: Some(owner),
        restore: None,
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for process in self.launched.lock().unwrap().iter() {
            if process.current_state().unwrap() == State::Alive {
                end(process.pid);
            }
        }
        release(&self.spec.machine, self.dir.path(), &[]).unwrap();
    }
}

/// Ends a process, and comes back when it has.
fn end(pid: u32) {
    let handle = rustix::process::Pid::from_raw(pid.cast_signed())
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(handle) = handle else { return };
    let _ = pidfd_send_signal(&handle, Signal::KILL);
    let mut ended = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
    while let Err(errno) = poll(&mut ended, PollTimeout::NONE) {
        assert_eq!(errno, Errno::EINTR);
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
pub(super) struct Namespace {
    pub(super) path: PathBuf,
    _end: std::sync::mpsc::Sender<()>,
}

impl Namespace {
    pub(super) fn with_tap(name: &'static str) -> Self {
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
