//! Where things are measured: a network namespace and a data directory that nothing else uses.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sched::CloneFlags;
use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;

/// The program that is measured.
pub(crate) const SISTEMO: &str = env!("CARGO_BIN_EXE_sistemo");
/// The program inside guests, as it is installed.
pub(crate) const GUEST: &str = env!("CARGO_BIN_EXE_sistemo-guest");

/// The lab. Dropping it deletes its machines and all that it made.
#[derive(Debug)]
pub(crate) struct Lab {
    scratch: TempDir,
    namespace: String,
}

impl Lab {
    pub(crate) fn new() -> Outcome<Lab> {
        let scratch = tempfile::Builder::new()
            .prefix("sistemo-bench-")
            .tempdir_in("/var/tmp")?;
        let lab = Lab {
            scratch,
            namespace: format!("sistemo-bench-{}", std::process::id()),
        };
        run(Command::new("ip").args(["netns", "add", &lab.namespace]))?;
        run(Command::new("ip").args(["-n", &lab.namespace, "link", "set", "lo", "up"]))?;
        lab.prepare()?;
        Ok(lab)
    }

    /// The data directory begins as a copy of one that `setup` and `image pull debian` have filled.
    fn prepare(&self) -> Outcome<()> {
        let kept = cache()?.join("bench-data");
        if !kept.exists() {
            eprintln!("preparing a kernel and a Debian (once) …");
            let partial = kept.with_extension(format!("partial-{}", std::process::id()));
            for words in [&["setup", "--yes"][..], &["image", "pull", "debian"]] {
                run(self.sistemo_in(&partial).args(words))?;
            }
            if std::fs::rename(&partial, &kept).is_err() {
                // Another run was faster.
                std::fs::remove_dir_all(&partial)?;
            }
        }
        run(Command::new("cp")
            .args(["-a", "--sparse=always"])
            .arg(&kept)
            .arg(self.data()))?;
        Ok(())
    }

    /// The data directory of machines.
    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// A folder for whatever a measurement writes.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The network namespace that holds bridges and machines.
    pub(crate) fn namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.namespace)
    }

    /// Our program on the lab's machines.
    pub(crate) fn sistemo(&self, words: &[&str]) -> Command {
        let mut command = self.sistemo_in(&self.data());
        command.args(words);
        command
    }

    /// The same as a line for a shell.
    pub(crate) fn typed(&self, words: &[&str]) -> String {
        let data = self.data().display().to_string();
        let home = self.namespace().display().to_string();
        format!(
            "SISTEMO_DATA_DIR={data} SISTEMO_NETWORK_HOME={home} {SISTEMO} {}",
            words.join(" ")
        )
    }

    /// Our program on another data directory.
    pub(crate) fn sistemo_in(&self, data: &Path) -> Command {
        let mut command = Command::new(SISTEMO);
        command
            .env("SISTEMO_DATA_DIR", data)
            .env("SISTEMO_NETWORK_HOME", self.namespace())
            .env("SISTEMO_MIN_DISK_FREE", "1M");
        command
    }

    /// What `machine show` says of a machine.
    pub(crate) fn show(&self, name: &str) -> Outcome<Machine> {
        let output = run(&mut self.sistemo(&["machine", "show", name, "-o", "json"]))?;
        let shown: Value = serde_json::from_slice(&output.stdout)?;
        let shown = shown
            .as_array()
            .and_then(|list| list.first())
            .unwrap_or(&shown);
        let text = |key: &str| shown.get(key).and_then(Value::as_str).map(String::from);
        let id = text("id").ok_or("the machine has no id")?;
        Ok(Machine {
            folder: self.data().join("machines").join(&id),
            ip: text("ip").ok_or("the machine has no address")?,
            pid: shown.get("pid").and_then(Value::as_i64),
        })
    }

    /// A Debian that is up and idle, deployed by the first that asks for it.
    pub(crate) fn idle_machine(&self) -> Outcome<&'static str> {
        const NAME: &str = "idle";
        if self.show(NAME).is_err() {
            let words = [
                "machine",
                "deploy",
                "debian",
                "--name",
                NAME,
                "--storage",
                "2G",
            ];
            run(&mut self.sistemo(&words))?;
            // `degraded` ends with 1, and is as idle.
            let settle = "systemctl is-system-running --wait || true";
            run(&mut self.sistemo(&["machine", "exec", NAME, settle]))?;
        }
        Ok(NAME)
    }

    /// Deletes a machine whatever its state.
    pub(crate) fn delete(&self, name: &str) -> Outcome<()> {
        run(&mut self.sistemo(&["machine", "delete", "--yes", name])).map(drop)
    }
}

/// A machine of the lab.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// What the machine has in the data directory besides its disks.
    pub(crate) folder: PathBuf,
    pub(crate) ip: String,
    pub(crate) pid: Option<i64>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let listed = run(&mut self.sistemo(&["machine", "list", "-o", "json"])).ok();
        let machines: Vec<Value> = listed
            .and_then(|output| serde_json::from_slice(&output.stdout).ok())
            .unwrap_or_default();
        for name in machines
            .iter()
            .filter_map(|machine| machine.get("name")?.as_str())
        {
            if let Err(error) = self.delete(name) {
                eprintln!("warning: {error}");
            }
        }
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.namespace])) {
            eprintln!("warning: {error}");
        }
    }
}

/// What is kept from run to run, shared with the tests.
pub(crate) fn cache() -> Outcome<PathBuf> {
    let path = std::env::var_os("SISTEMO_TEST_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/sistemo-tests"), PathBuf::from);
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// Lets a command begin in a network namespace.
pub(crate) fn enter(command: &mut Command, namespace: &Path) -> Outcome<()> {
    let namespace = File::open(namespace)?;
    // SAFETY: setns is a system call that is safe between fork and exec, and the closure allocates nothing.
    unsafe {
        command.pre_exec(move || Ok(nix::sched::setns(&namespace, CloneFlags::CLONE_NEWNET)?));
    }
    Ok(())
}

/// Runs a command to its end. One that fails is an error with its last words.
pub(crate) fn run(command: &mut Command) -> Outcome<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(failed(command, &output).into()),
    }
}

/// What is to be said of a command that failed.
pub(crate) fn failed(command: &Command, output: &Output) -> String {
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or_default().display();
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said
        .lines()
        .find(|line| line.starts_with("error:"))
        .or_else(|| said.lines().last())
        .unwrap_or("it said nothing");
    format!(
        "`{program} {}` ended with {}: {said}",
        words.join(" "),
        output.status
    )
}

/// Writes everything that waits to be written to disk, so that a measurement does not pay for what came before it.
pub(crate) fn settle_disks() {
    nix::unistd::sync();
}

/// Fills a file with noise of a seed (xorshift64*), which nothing can compress.
pub(crate) fn noise(seed: u64, length: usize, out: &mut impl Write) -> std::io::Result<()> {
    let mut state = seed | 1;
    let mut block = [0u8; 8 << 10];
    let mut left = length;
    while left > 0 {
        for word in block.chunks_exact_mut(8) {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            word.copy_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        let piece = left.min(block.len());
        out.write_all(&block[..piece])?;
        left -= piece;
    }
    Ok(())
}
