//! QEMU's `microvm` machine: virtio-mmio devices, no firmware menu, direct kernel boot
//! (<https://www.qemu.org/docs/master/system/i386/microvm.html>).

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use nix::sched::CloneFlags;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::process::marker;
use super::{Accelerator, Error, LaunchSpec, Process, Vmm};

const PROGRAM: &str = "qemu-system-x86_64";
/// QMP socket in the run folder (<https://www.qemu.org/docs/master/interop/qmp-spec.html>).
const MONITOR: &str = "qmp";
/// What QEMU writes to its stderr.
const MESSAGES: &str = "messages";

/// The driver for QEMU.
#[derive(Debug)]
pub(super) struct Qemu;

#[async_trait]
impl Vmm for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    async fn version(&self) -> Result<String, Error> {
        let output = Command::new(PROGRAM)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(not_started)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .split_whitespace()
            .skip_while(|word| *word != "version")
            .nth(1);
        Ok(version.unwrap_or("of an unknown version").to_string())
    }

    async fn launch(&self, spec: &LaunchSpec) -> Result<Process, Error> {
        let monitor = spec.run_dir.join(MONITOR);
        let messages = spec.run_dir.join(MESSAGES);
        let file = |what, path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::File { what, path, source }
        };
        let _ = std::fs::remove_file(&monitor);
        let stderr = File::create(&messages).map_err(file("write", &messages))?;
        File::create(&spec.console).map_err(file("write", &spec.console))?;
        let namespace = match &spec.namespace {
            Some(path) => Some(File::open(path).map_err(file("open", path))?),
            None => None,
        };
        // The run folder is the working directory, so that the socket's name fits into the 108 bytes that the kernel
        // has for it (unix(7)), however deep the data directory lies.
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments(spec))
            .current_dir(&spec.run_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(false);
        // SAFETY: setsid and setns are async-signal-safe system calls, and the closure allocates nothing.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                if let Some(namespace) = &namespace {
                    nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET)?;
                }
                Ok(())
            });
        }
        let mut child = command.spawn().map_err(not_started)?;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .unwrap_or_default();
        let process = Process::of_pid(pid);
        let accepted = tokio::select! {
            answer = greet(&spec.run_dir) => answer,
            _ = child.wait() => {
                let said = std::fs::read_to_string(&messages).unwrap_or_default();
                return Err(Error::EndedAtOnce { program: PROGRAM, said: last_line(&said) });
            }
        };
        match (accepted, process) {
            (Ok(()), Some(process)) => Ok(process),
            (answer, process) => {
                if let Some(process) = process {
                    process.kill().await?;
                }
                let source = answer
                    .err()
                    .unwrap_or_else(|| std::io::Error::other("it is gone"));
                Err(Error::Monitor {
                    path: monitor,
                    source,
                })
            }
        }
    }

    async fn power_button(&self, run_dir: &Path) -> Result<(), Error> {
        let fail = |source| Error::Monitor {
            path: run_dir.join(MONITOR),
            source,
        };
        let mut monitor = Monitor::connect(run_dir).await.map_err(fail)?;
        monitor.execute("system_powerdown").await.map_err(fail)
    }
}

fn not_started(source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotInstalled { program: PROGRAM },
        _ => Error::Spawn {
            program: PROGRAM.into(),
            source,
        },
    }
}

/// QEMU's last words without its own name in front.
fn last_line(said: &str) -> String {
    let line = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let line = line.strip_prefix(PROGRAM).unwrap_or(line);
    line.trim_start_matches([':', ' ']).to_string()
}

/// The command line for a machine.
fn arguments(spec: &LaunchSpec) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| args.extend(words.iter().map(OsString::from));
    add(&["-name", &marker(&spec.machine)]);
    add(&["-M", "microvm,acpi=on,pit=on,rtc=on,isa-serial=on"]);
    match spec.accelerator {
        Accelerator::Kvm => add(&["-accel", "kvm", "-cpu", "host"]),
        Accelerator::Tcg => add(&["-accel", "tcg,thread=multi", "-cpu", "max"]),
    }
    add(&["-smp", &spec.vcpus.to_string()]);
    add(&["-m", &format!("{}M", spec.memory.mib_up())]);
    add(&[
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
    ]);
    add(&[
        "-kernel",
        &comma_free(&spec.kernel),
        "-initrd",
        &comma_free(&spec.initramfs),
    ]);
    add(&["-append", &spec.command_line]);
    add(&["-qmp", &format!("unix:{MONITOR},server=on,wait=off")]);
    add(&[
        "-chardev",
        &format!("file,id=console,path={}", escaped(&spec.console)),
    ]);
    add(&["-serial", "chardev:console"]);
    for (index, disk) in spec.disks.iter().enumerate() {
        // Write-back caching with flushes honoured: what a guest syncs is on the host's disk. QEMU's own lock on the
        // file keeps a second machine from writing it.
        let read_only = if disk.read_only { "on" } else { "off" };
        add(&[
            "-drive",
            &format!(
                "if=none,id=disk{index},format=raw,cache=writeback,discard=unmap,\
                 detect-zeroes=unmap,read-only={read_only},file={}",
                escaped(&disk.path)
            ),
            "-device",
            &format!("virtio-blk-device,drive=disk{index},serial={}", disk.serial),
        ]);
    }
    for (index, tap) in spec.taps.iter().enumerate() {
        add(&[
            "-netdev",
            &format!(
                "tap,id=net{index},ifname={},script=no,downscript=no",
                tap.name
            ),
            "-device",
            &format!("virtio-net-device,netdev=net{index},mac={}", tap.mac),
        ]);
    }
    add(&["-object", "rng-random,id=entropy,filename=/dev/urandom"]);
    add(&["-device", "virtio-rng-device,rng=entropy"]);
    args
}

/// A path inside an option list, where a comma is written twice.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

fn comma_free(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Waits until QEMU answers on its monitor, which it does once every device is there and the processors run.
async fn greet(run_dir: &Path) -> std::io::Result<()> {
    const LIMIT: Duration = Duration::from_secs(30);
    let ready = async {
        loop {
            match Monitor::connect(run_dir).await {
                Ok(_) => return Ok(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
                    ) =>
                {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    tokio::time::timeout(LIMIT, ready)
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

/// A QMP connection.
struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    async fn connect(run_dir: &Path) -> std::io::Result<Monitor> {
        // Through the folder's descriptor, for the same 108 bytes.
        let folder = File::open(run_dir)?;
        let path = format!("/proc/self/fd/{}/{MONITOR}", folder.as_raw_fd());
        let stream = UnixStream::connect(&path).await?;
        let mut monitor = Monitor {
            stream: BufReader::new(stream),
        };
        let greeting = monitor.receive().await?;
        if greeting.get("QMP").is_none() {
            return Err(std::io::Error::other(format!(
                "no QMP greeting but {greeting}"
            )));
        }
        monitor.execute("qmp_capabilities").await?;
        Ok(monitor)
    }

    /// Runs a command that has no arguments and waits for its answer; events that come between are left out.
    async fn execute(&mut self, command: &str) -> std::io::Result<()> {
        let request = serde_json::json!({ "execute": command });
        self.stream
            .write_all(format!("{request}\n").as_bytes())
            .await?;
        loop {
            let message = self.receive().await?;
            if message.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = message.get("error") {
                return Err(std::io::Error::other(format!("{command}: {error}")));
            }
        }
    }

    async fn receive(&mut self) -> std::io::Result<serde_json::Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}
