//! From the start of the hypervisor to a guest that answers SSH, beside a bare initramfs of busybox that prints a line,
//! on the same kernel and with the same hypervisor's command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cpio::NewcBuilder;
use cpio::newc::{ModeFileType, trailer};
use nix::sched::CloneFlags;
use nix::time::{ClockId, clock_gettime};
use sistemo::guest::words;

use crate::Outcome;
use crate::lab::{Lab, Machine, enter, run};
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 5;
/// How long a guest may take.
const LIMIT: Duration = Duration::from_secs(300);
/// How often the console is looked at: far finer than what is measured.
const TICK: Duration = Duration::from_millis(2);
/// What the bare initramfs prints.
const FIRST_LINE: &str = "bench: first line";

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let bare = Bare::new(lab)?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let words = [
            "machine",
            "deploy",
            "debian",
            "--name",
            "boot",
            "--storage",
            "2G",
            "--no-wait",
        ];
        run(&mut lab.sistemo(&words))?;
        let machine = lab.show("boot")?;
        ours.push(until_ssh(lab, &machine)?);
        let line = command_line(&machine)?;
        // Its disks stay for the bare guest, which gets the same devices.
        run(&mut lab.sistemo(&["machine", "stop", "--force", "boot"]))?;
        plain.push(bare.until_first_line(&line)?);
        lab.delete("boot")?;
    }
    Ok(vec![Line {
        name: "boot to ssh: debian".into(),
        unit: Unit::Milliseconds,
        ours: Samples::times(&ours)?,
        plain: Some(("bare busybox".into(), Samples::times(&plain)?)),
        bound: Bound::Times(1.3),
    }])
}

/// From the start of the hypervisor to the SSH server's greeting.
fn until_ssh(lab: &Lab, machine: &Machine) -> Outcome<Duration> {
    let pid = machine.pid.ok_or("the machine has no hypervisor")?;
    let began = started(pid)?;
    // A connection before the guest has its address would wait for address resolution to be tried again, a second
    // later; so the console is awaited first, as `deploy` does.
    await_line(&machine.folder.join("console.log"), words::READY_LINE)?;
    let address: SocketAddr = format!("{}:{}", machine.ip, words::SSH_PORT).parse()?;
    let namespace = File::open(lab.namespace())?;
    let greeting = std::thread::spawn(move || -> std::io::Result<[u8; 4]> {
        nix::sched::setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting)?;
        Ok(greeting)
    });
    let greeting = greeting
        .join()
        .map_err(|_| "the connection's thread died")??;
    if &greeting != b"SSH-" {
        return Err("the guest's greeting is not SSH's".into());
    }
    Ok(since_boot()?.saturating_sub(began))
}

/// When a process began, since this computer's boot (proc_pid_stat(5), field 22, in hundredths of a second). It is
/// rounded down, which counts against us.
fn started(pid: i64) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name
        .split_whitespace()
        .nth(19)
        .ok_or("no start time")?;
    Ok(Duration::from_millis(10 * ticks.parse::<u64>()?))
}

fn since_boot() -> Outcome<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into())
}

/// The hypervisor's command line, word by word.
fn command_line(machine: &Machine) -> Outcome<Vec<OsString>> {
    let pid = machine.pid.ok_or("the machine has no hypervisor")?;
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline"))?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Ok(bytes
        .split(|byte| *byte == 0)
        .map(|word| OsString::from_vec(word.into()))
        .collect())
}

/// Waits until a line is in a console's log.
fn await_line(console: &Path, line: &str) -> Outcome<()> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let text = std::fs::read(console).unwrap_or_default();
        if text
            .windows(line.len())
            .any(|window| window == line.as_bytes())
        {
            return Ok(());
        }
        std::thread::sleep(TICK);
    }
    let text = std::fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().last().unwrap_or_default();
    Err(format!("the guest did not print {line:?}; its last line is {last:?}").into())
}

/// The bare guest, and the namespace that holds its tap.
struct Bare {
    folder: PathBuf,
    namespace: String,
}

impl Bare {
    fn new(lab: &Lab) -> Outcome<Bare> {
        let folder = lab.scratch().join("bare");
        std::fs::create_dir(&folder)?;
        let busybox = std::fs::read("/bin/busybox")?;
        let script =
            format!("#!/bin/busybox sh\necho '{FIRST_LINE}'\nexec /bin/busybox sleep 3600\n");
        let mut archive = Vec::new();
        for name in ["bin", "dev"] {
            let entry = NewcBuilder::new(name)
                .mode(0o755)
                .set_mode_file_type(ModeFileType::Directory);
            entry.write(&mut archive, 0).finish()?;
        }
        let console = NewcBuilder::new("dev/console")
            .mode(0o600)
            .rdev_major(5)
            .rdev_minor(1);
        console
            .set_mode_file_type(ModeFileType::Char)
            .write(&mut archive, 0)
            .finish()?;
        for (name, data) in [
            ("bin/busybox", busybox.as_slice()),
            ("init", script.as_bytes()),
        ] {
            let entry = NewcBuilder::new(name)
                .mode(0o755)
                .set_mode_file_type(ModeFileType::Regular);
            let mut writer = entry.write(&mut archive, u32::try_from(data.len())?);
            writer.write_all(data)?;
            writer.finish()?;
        }
        trailer(&mut archive)?;
        std::fs::write(folder.join("initramfs"), archive)?;
        let namespace = format!("sistemo-bare-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &namespace]))?;
        Ok(Bare { folder, namespace })
    }

    /// From the start of the hypervisor to the first line that the guest's init prints.
    fn until_first_line(&self, line: &[OsString]) -> Outcome<Duration> {
        let console = self.folder.join("console.log");
        let _ = std::fs::remove_file(&console);
        let (program, words) = line
            .split_first()
            .ok_or("the hypervisor has no command line")?;
        let mut command = Command::new(program);
        let mut option = OsString::new();
        for word in words {
            let word = self.replaced(&option.to_string_lossy(), &word.to_string_lossy());
            if let Some(tap) = tap(&word) {
                self.make_tap(&tap)?;
            }
            command.arg(&word);
            option = word.into();
        }
        enter(&mut command, &Path::new("/run/netns").join(&self.namespace))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.join("messages"))?);
        let began = Instant::now();
        let mut hypervisor = command.spawn()?;
        let printed = await_line(&console, FIRST_LINE).map_err(|error| {
            let said = std::fs::read_to_string(self.folder.join("messages")).unwrap_or_default();
            format!("{error} {said}")
        });
        let took = began.elapsed();
        hypervisor.kill()?;
        hypervisor.wait()?;
        printed?;
        Ok(took)
    }

    /// The value of an option, where the bare guest needs another: its own initramfs, console and control files.
    fn replaced(&self, option: &str, value: &str) -> String {
        let path = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        match option {
            "-name" => "bare".into(),
            "-initrd" => path("initramfs"),
            "-chardev" if value.contains("id=console") => {
                format!("file,id=console,path={}", path("console.log"))
            }
            "-chardev" => {
                let id = value
                    .split(',')
                    .find(|part| part.starts_with("id="))
                    .unwrap_or("id=control");
                format!("null,{id}")
            }
            _ => value.into(),
        }
    }

    /// The tap that the hypervisor's command line names.
    fn make_tap(&self, tap: &str) -> Outcome<()> {
        let ip = |words: &[&str]| run(Command::new("ip").args(["-n", &self.namespace]).args(words));
        if ip(&["link", "show", tap]).is_ok() {
            ip(&["link", "del", tap])?;
        }
        ip(&["tuntap", "add", "dev", tap, "mode", "tap"])?;
        ip(&["link", "set", tap, "up"])?;
        Ok(())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.namespace])) {
            eprintln!("warning: {error}");
        }
    }
}

/// The tap in a value of `-netdev`.
fn tap(value: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(value).ok()?;
    Some(value.get("ifname")?.as_str()?.into())
}
