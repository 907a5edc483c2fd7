//! `cp` beside OpenSSH's `scp -r` to the same guest, over our server's port, both ways: one large file, and a folder of
//! many small ones. Where the guest's processor is emulated, less is copied.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sistemo::guest::words;

use crate::Outcome;
use crate::lab::{Lab, enter, noise, run, settle_disks};
use crate::measure::{alternate, time};
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 3;
/// How long one copy by `scp` may take.
const LIMIT: Duration = Duration::from_secs(25);
const LARGE_MIB: usize = 1024;
const SMALL_FILES: usize = 20_000;
/// Small files in one folder, and the bytes of each.
const IN_FOLDER: usize = 100;
const SMALL_BYTES: usize = 2_000;

/// One large file.
pub(crate) fn large(lab: &Lab) -> Outcome<Vec<Line>> {
    let ends = Ends::open(lab)?;
    let make = |mib: usize| -> Outcome<()> {
        let folder = ends.fresh("source")?;
        Ok(noise(
            11,
            mib << 20,
            &mut File::create(folder.join("large"))?,
        )?)
    };
    let mib = ends.affordable(16, LARGE_MIB, make)?;
    ends.both_ways(&format!("file of {mib} MiB"))
}

/// Many small files.
pub(crate) fn small(lab: &Lab) -> Outcome<Vec<Line>> {
    let ends = Ends::open(lab)?;
    let make = |files: usize| -> Outcome<()> {
        let folder = ends.fresh("source")?;
        for file in 0..files {
            let folder = folder.join((file / IN_FOLDER).to_string());
            std::fs::create_dir_all(&folder)?;
            let out = &mut File::create(folder.join(file.to_string()))?;
            noise(file as u64, SMALL_BYTES, out)?;
        }
        Ok(())
    };
    let files = ends.affordable(250, SMALL_FILES, make)?;
    ends.both_ways(&format!("{files} small files"))
}

/// The host's folders and the guest's.
struct Ends<'a> {
    lab: &'a Lab,
    machine: &'static str,
    ip: String,
}

impl<'a> Ends<'a> {
    fn open(lab: &'a Lab) -> Outcome<Ends<'a>> {
        let machine = lab.idle_machine()?;
        let ip = lab.show(machine)?.ip;
        Ok(Ends { lab, machine, ip })
    }

    /// An empty folder on the host.
    fn fresh(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.lab.scratch().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Doubles what `make` makes until `scp` would take too long, or `most` is reached.
    fn affordable(
        &self,
        least: usize,
        most: usize,
        make: impl Fn(usize) -> Outcome<()>,
    ) -> Outcome<usize> {
        make(least)?;
        self.clear("probe")?;
        let probe = time(|| run(&mut self.scp_in("probe")?).map(drop))?;
        self.clear("probe")?;
        let mut size = least;
        while size < most && probe.mul_f64(size as f64 * 2.0 / least as f64) <= LIMIT {
            size = (size * 2).min(most);
        }
        make(size)?;
        Ok(size)
    }

    fn both_ways(&self, what: &str) -> Outcome<Vec<Line>> {
        let source = self.lab.scratch().join("source");
        let (ours, plain) = alternate(
            ROUNDS,
            |_| {
                self.put_in(&mut self.lab.sistemo(&[
                    "machine",
                    "cp",
                    text(&source)?,
                    &self.at("in"),
                ]))
            },
            |_| self.put_in(&mut self.scp_in("in")?),
        )?;
        let into = line(format!("cp {what} into a machine"), ours, plain);
        // What was copied last is copied out.
        let (ours, plain) = alternate(
            ROUNDS,
            |_| {
                let back = self.fresh("back")?;
                settle_disks();
                let mut command =
                    self.lab
                        .sistemo(&["machine", "cp", &self.at("in"), text(&back)?]);
                time(|| run(&mut command).map(drop))
            },
            |_| {
                let back = self.fresh("back")?;
                settle_disks();
                let mut command = self.scp()?;
                command
                    .arg(format!("root@{}:/var/tmp/in", self.ip))
                    .arg(&back);
                time(|| run(&mut command).map(drop))
            },
        )?;
        let out = line(format!("cp {what} out of a machine"), ours, plain);
        let compared = run(Command::new("diff")
            .arg("-r")
            .arg(&source)
            .arg(self.lab.scratch().join("back/in")));
        compared?;
        self.clear("in")?;
        Ok(vec![into, out])
    }

    fn put_in(&self, command: &mut Command) -> Outcome<Duration> {
        self.clear("in")?;
        settle_disks();
        time(|| run(command).map(drop))
    }

    /// Removes a folder of the guest, and lets its disk come to rest.
    fn clear(&self, name: &str) -> Outcome<()> {
        let line = format!("rm -rf /var/tmp/{name}; sync");
        run(&mut self.lab.sistemo(&["machine", "exec", self.machine, &line])).map(drop)
    }

    fn at(&self, name: &str) -> String {
        format!("{}:/var/tmp/{name}", self.machine)
    }

    fn scp_in(&self, name: &str) -> Outcome<Command> {
        let mut command = self.scp()?;
        command
            .arg(self.lab.scratch().join("source"))
            .arg(format!("root@{}:/var/tmp/{name}", self.ip));
        Ok(command)
    }

    fn scp(&self) -> Outcome<Command> {
        let mut command = Command::new("scp");
        command.args([
            "-r",
            "-q",
            "-F",
            "/dev/null",
            "-P",
            &words::SSH_PORT.to_string(),
        ]);
        for option in [
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ] {
            command.args(["-o", option]);
        }
        command
            .arg("-i")
            .arg(self.lab.data().join("ssh/id_ed25519"));
        enter(&mut command, &self.lab.namespace())?;
        Ok(command)
    }
}

fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a path that is no text")?)
}

fn line(name: String, ours: crate::measure::Samples, plain: crate::measure::Samples) -> Line {
    Line {
        name,
        unit: Unit::Milliseconds,
        ours,
        plain: Some(("scp -r".into(), plain)),
        bound: Bound::Times(1.0),
    }
}
