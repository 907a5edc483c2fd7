//! `exec` beside OpenSSH's `ssh` to the same guest: to its port of ours, and to the image's own server. The faster of
//! the two is what ours is held to.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sistemo::guest::words;

use crate::Outcome;
use crate::lab::{Lab, enter, failed, noise, run};
use crate::measure::{Samples, time};
use crate::table::{Bound, Line, Unit};

const COLD_ROUNDS: usize = 15;
const CAT_ROUNDS: usize = 3;
/// How long one transfer may take. Where the guest's processor is emulated, less than 1 GiB is sent.
const TRANSFER_LIMIT: Duration = Duration::from_secs(40);

/// An empty command, each time over a connection of its own.
pub(crate) fn exec_true(lab: &Lab) -> Outcome<Vec<Line>> {
    let doors = Doors::open(lab)?;
    let sample = |mut command: Command| time(|| run(&mut command));
    let times = doors.take_turns(COLD_ROUNDS, |door| sample(doors.command(door, "true")?))?;
    Ok(vec![line("exec true, cold".into(), times)?])
}

/// A lot of data there and back.
pub(crate) fn exec_cat(lab: &Lab) -> Outcome<Vec<Line>> {
    let doors = Doors::open(lab)?;
    let path = lab.scratch().join("noise");
    let mut mib = 16;
    noise(7, mib << 20, &mut File::create(&path)?)?;
    let probe = transfer(doors.command(Door::Plain(words::SSH_PORT), "cat")?, &path)?;
    while mib < 1024 && probe.mul_f64(mib as f64 * 2.0 / 16.0) <= TRANSFER_LIMIT {
        mib *= 2;
    }
    noise(7, mib << 20, &mut File::create(&path)?)?;
    let times = doors.take_turns(CAT_ROUNDS, |door| {
        transfer(doors.command(door, "cat")?, &path)
    })?;
    std::fs::remove_file(&path)?;
    Ok(vec![line(
        format!("exec cat, {mib} MiB there and back"),
        times,
    )?])
}

/// Sends a file through a command and counts what comes back.
fn transfer(mut command: Command, path: &Path) -> Outcome<Duration> {
    let length = std::fs::metadata(path)?.len();
    time(|| {
        let mut child = command
            .stdin(File::open(path)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut out = child.stdout.take().ok_or("no output")?;
        let back = drain(&mut out)?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(failed(&command, &output).into());
        }
        if back != length {
            return Err(format!("{back} of {length} bytes came back").into());
        }
        Ok(())
    })
}

fn drain(from: &mut impl std::io::Read) -> std::io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(total),
            count => total += count as u64,
        }
    }
}

/// Ways into the guest.
#[derive(Clone, Copy, Debug)]
enum Door {
    /// Our `exec`.
    Ours,
    /// OpenSSH to a port.
    Plain(u16),
}

/// OpenSSH to our port of the idle machine, with options of its own.
pub(crate) fn ssh(lab: &Lab, line: &str, options: &[&str]) -> Outcome<Command> {
    let doors = Doors::open(lab)?;
    let mut command = doors.command(Door::Plain(words::SSH_PORT), line)?;
    let words: Vec<_> = command.get_args().map(OsString::from).collect();
    command = Command::new("ssh");
    command.args(options).args(words);
    enter(&mut command, &doors.namespace)?;
    Ok(command)
}

struct Doors<'a> {
    lab: &'a Lab,
    machine: &'static str,
    ip: String,
    key: PathBuf,
    namespace: PathBuf,
    all: Vec<Door>,
}

impl<'a> Doors<'a> {
    fn open(lab: &'a Lab) -> Outcome<Doors<'a>> {
        let machine = lab.idle_machine()?;
        let keys = lab.data().join("ssh");
        // The image's own server lets the same key in when it is told to.
        let public = std::fs::read_to_string(keys.join("id_ed25519.pub"))?;
        let admit = format!(
            "mkdir -p -m 700 /root/.ssh && echo '{}' > /root/.ssh/authorized_keys",
            public.trim()
        );
        run(&mut lab.sistemo(&["machine", "exec", machine, &admit]))?;
        let mut doors = Doors {
            lab,
            machine,
            ip: lab.show(machine)?.ip,
            key: keys.join("id_ed25519"),
            namespace: lab.namespace(),
            all: vec![Door::Ours, Door::Plain(words::SSH_PORT)],
        };
        match run(&mut doors.command(Door::Plain(22), "true")?) {
            Ok(_) => doors.all.push(Door::Plain(22)),
            Err(error) => eprintln!("  the image's own SSH server is left out: {error}"),
        }
        Ok(doors)
    }

    fn command(&self, door: Door, line: &str) -> Outcome<Command> {
        let port = match door {
            Door::Ours => return Ok(self.lab.sistemo(&["machine", "exec", self.machine, line])),
            Door::Plain(port) => port,
        };
        let mut command = Command::new("ssh");
        command.args([
            "-F",
            "/dev/null",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
        ]);
        command.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ]);
        command.args(["-o", "LogLevel=ERROR", "-p", &port.to_string(), "-i"]);
        command
            .arg(&self.key)
            .args([&format!("root@{}", self.ip), line]);
        // Ours enters the namespace by itself; OpenSSH begins there.
        enter(&mut command, &self.namespace)?;
        Ok(command)
    }

    /// Lets all doors take turns; each round begins with another.
    fn take_turns(
        &self,
        rounds: usize,
        sample: impl Fn(Door) -> Outcome<Duration>,
    ) -> Outcome<Vec<(Door, Samples)>> {
        let mut times = vec![Vec::new(); self.all.len()];
        for round in 0..rounds {
            for turn in 0..self.all.len() {
                let index = (round + turn) % self.all.len();
                times[index].push(sample(self.all[index])?);
            }
        }
        let samples = self.all.iter().zip(&times);
        samples
            .map(|(door, times)| Ok((*door, Samples::times(times)?)))
            .collect()
    }
}

fn line(name: String, times: Vec<(Door, Samples)>) -> Outcome<Line> {
    let mut ours = None;
    let mut plain: Vec<(String, Samples)> = Vec::new();
    for (door, samples) in times {
        match door {
            Door::Ours => ours = Some(samples),
            Door::Plain(port) => {
                eprintln!("  ssh to port {port}: {:.1} ms", samples.median());
                plain.push((format!("ssh, port {port}"), samples));
            }
        }
    }
    Ok(Line {
        name,
        unit: Unit::Milliseconds,
        ours: ours.ok_or("ours was not measured")?,
        plain: plain
            .into_iter()
            .min_by(|a, b| a.1.median().total_cmp(&b.1.median())),
        bound: Bound::Times(1.0),
    })
}
