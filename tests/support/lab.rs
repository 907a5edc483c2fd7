//! A lab: a data directory and a network namespace of a test's own. Nothing of it touches the host's network, and
//! nothing in it outlives the test.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{SigHandler, Signal, signal};
use serde_json::Value;

use super::audit;
use super::cache::{self, Image};
use super::left;
use super::screen::Screen;
use super::session::{Done, Going};
use super::turn::Turn;

static LABS: AtomicU32 = AtomicU32::new(0);

/// A test's own world.
#[derive(Debug)]
pub struct Lab {
    pub namespace: String,
    folder: tempfile::TempDir,
    program: PathBuf,
    environment: Vec<(String, String)>,
    turn: Option<Turn>,
}

impl Lab {
    /// A lab for tests that run machines; waits for its turn. It has a kernel, and machines are small.
    pub fn new() -> Lab {
        Lab::on(|_| ())
    }

    /// The same with a data directory that is made ready first.
    pub fn on(ready: impl FnOnce(&Path)) -> Lab {
        let turn = Turn::take();
        let mut lab = Lab::bare();
        lab.turn = Some(turn);
        ready(&lab.data_dir());
        cache::lend_kernel(&lab.data_dir().join("kernels"));
        lab
    }

    /// A lab without a kernel, for tests that run no machine.
    pub fn bare() -> Lab {
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("sistemo-test-{}-{number}", std::process::id());
        let folder = tempfile::Builder::new()
            .prefix("sistemo-test-")
            .tempdir_in("/var/tmp")
            .unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        ip(&["netns", "add", &namespace]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        let settings = [
            (
                "SISTEMO_DATA_DIR",
                folder.path().join("data").display().to_string(),
            ),
            ("SISTEMO_NETWORK_HOME", format!("/run/netns/{namespace}")),
            ("SISTEMO_DEFAULT_VCPUS", "1".into()),
            ("SISTEMO_DEFAULT_MEMORY", "192M".into()),
            ("SISTEMO_DEFAULT_STORAGE", "64M".into()),
            ("COLUMNS", "100".into()),
        ];
        Lab {
            namespace,
            folder,
            program: env!("CARGO_BIN_EXE_sistemo").into(),
            environment: settings.map(|(key, value)| (key.into(), value)).into(),
            turn: None,
        }
    }

    /// Imports `image` and gives the name to deploy it by.
    pub fn image(&self, image: Image) -> String {
        let (disk, name) = (cache::disk(image), image.name());
        self.run(&format!("image import {} --name {name}", disk.display()))
            .ok();
        name.into()
    }

    /// A disk file in the lab that is no image yet.
    pub fn disk(&self) -> String {
        let file = self.folder.path().join("disk.ext4");
        let made = Command::new("mkfs.ext4")
            .args(["-q", &file.display().to_string(), "8M"])
            .status()
            .unwrap();
        assert!(made.success());
        file.display().to_string()
    }

    /// Has machines boot `program` as their guest program.
    pub fn set_guest_program(&mut self, program: &[u8]) {
        let folder = self.folder.path().join("bin");
        std::fs::create_dir(&folder).unwrap();
        let (own, guest) = (folder.join("sistemo"), folder.join("sistemo-guest"));
        std::fs::copy(&self.program, &own).unwrap();
        std::fs::write(guest, program).unwrap();
        self.program = own;
    }

    /// Sets a variable for every command from here on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.environment.push((key.into(), value.into()));
    }

    /// A folder of the test's own.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs `sistemo` with the words of `line`, quoted as in a shell, and nothing on stdin.
    pub fn run(&self, line: &str) -> Done {
        self.start(line, &[], Vec::new()).wait()
    }

    /// The same with something on stdin.
    pub fn feed(&self, line: &str, stdin: impl Into<Vec<u8>>) -> Done {
        self.start(line, &[], stdin.into()).wait()
    }

    /// The same with variables of its own.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Done {
        self.start(line, variables, Vec::new()).wait()
    }

    /// Starts it and comes back.
    pub fn start(&self, line: &str, variables: &[(&str, &str)], stdin: Vec<u8>) -> Going {
        Going::start(line, self.command(line, variables), stdin)
    }

    /// The command itself. Settings of whoever runs the tests do not reach it, nor that they run in the background, where
    /// shells have interrupts ignored.
    pub fn command(&self, line: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.program);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("SISTEMO_") {
                command.env_remove(key);
            }
        }
        let own = self
            .environment
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()));
        // Nor who they are behind sudo: history says who did it.
        command.env_remove("SUDO_USER");
        // SAFETY: signal(2) is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                for number in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
                    signal(number, SigHandler::SigDfl)?;
                }
                Ok(())
            });
        }
        command
            .args(shlex::split(line).expect("a shell line"))
            .envs(own.chain(variables.iter().copied()));
        command
    }

    /// The same on a terminal of this size, where it may fill the screen.
    pub fn screen(&self, line: &str, columns: u16, rows: u16) -> Screen {
        Screen::of(self.command(line, &[]), columns, rows)
    }

    /// What a command says that fails because its data directory is on a file system that can only be read.
    #[track_caller]
    pub fn run_read_only(&self, line: &str) -> String {
        let data = self.data_dir();
        let mut command = self.command(line, &[]);
        // SAFETY: nothing here allocates but the paths, and no other thread of the child is there to hold a lock.
        unsafe {
            command.pre_exec(move || {
                alone_with_mounts()?;
                let flags = MsFlags::MS_BIND;
                mount(Some(&data), &data, None::<&str>, flags, None::<&str>)?;
                let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                Ok(mount(
                    None::<&str>,
                    &data,
                    None::<&str>,
                    flags,
                    None::<&str>,
                )?)
            });
        }
        Going::start(line, command, Vec::new()).wait().fails(1)
    }

    /// A machine as `machine status -o json` has it.
    #[track_caller]
    pub fn status(&self, name: &str) -> Value {
        self.run(&format!("machine status {name} -o json")).json()
    }

    /// A machine that was shown in answer to `what` is what `machine status` shows.
    #[track_caller]
    pub fn is_as_status(&self, mut shown: Value, what: &str) {
        let mut status = self.status(shown["name"].as_str().unwrap());
        forget_use(&mut shown);
        forget_use(&mut status);
        assert_eq!(shown, status, "{what}");
    }

    /// A volume as `volume show -o json` has it.
    #[track_caller]
    pub fn volume(&self, name: &str) -> Value {
        self.run(&format!("volume show {name} -o json")).json()
    }

    /// One field of a machine as text.
    #[track_caller]
    pub fn field(&self, name: &str, key: &str) -> String {
        match &self.status(name)[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// A field of a machine as the database has it; no command looks at the machine.
    pub fn stored(&self, name: &str, column: &str) -> String {
        left::field(self, name, column)
    }

    /// Changes the database as no command would.
    pub fn store(&self, statement: &str) {
        let path = self.data_dir().join("sistemo.db");
        let database = rusqlite::Connection::open(path).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database.execute(statement, []).unwrap();
    }

    /// What the daemon has said.
    pub fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.data_dir().join("daemon.log")).unwrap_or_default()
    }

    /// Whether nothing of any machine is alive.
    pub fn nothing_runs_but_the_daemon(&self) -> bool {
        let found = left::running(self);
        found
            .iter()
            .filter(|what| !what.starts_with("process "))
            .count()
            == 0
    }

    /// Listens on a TCP port in the lab's namespace.
    pub fn listen(&self, port: u16) -> TcpListener {
        self.within(move || TcpListener::bind(("0.0.0.0", port)).unwrap())
    }

    /// Does something on a thread in the lab's namespace.
    pub fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let home = std::fs::File::open(format!("/run/netns/{}", self.namespace)).unwrap();
        let working = std::thread::spawn(move || {
            nix::sched::setns(home, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        working.join().unwrap()
    }

    /// Hypervisors and the attendant.
    pub fn processes(&self) -> Vec<i32> {
        left::processes(self)
    }

    /// The process that attends to the lab's machines.
    pub fn attendant(&self) -> Option<i32> {
        left::attendant(self)
    }

    /// Runs a program in the lab's namespace.
    #[track_caller]
    pub fn inside(&self, line: &str) -> String {
        left::output(&format!("ip netns exec {} {line}", self.namespace))
    }

    /// Checks that there is no machine, and nothing of one.
    #[track_caller]
    pub fn has_nothing_left(&self) {
        assert_eq!(
            self.run("machine list -o json").json(),
            Value::Array(Vec::new())
        );
        let found = left::of_machines(self);
        assert!(found.is_empty(), "left over:\n{}", found.join("\n"));
    }

    /// Checks that the store and the world agree, after a command that puts right what is to be put right.
    #[track_caller]
    pub fn agrees(&self, after: &str) {
        self.run("machine list").ok();
        let differences = self.differences();
        assert!(
            differences.is_empty(),
            "{after}:\n{}",
            differences.join("\n")
        );
    }

    /// What the auditor finds.
    pub fn differences(&self) -> Vec<String> {
        audit::differences(self)
    }

    /// Disks of machines that do not run that are damaged.
    pub fn damaged_disks(&self) -> Vec<String> {
        audit::damaged_disks(self)
    }

    /// Checks that no disk of a machine that does not run is damaged.
    #[track_caller]
    pub fn disks_are_whole(&self) {
        let damaged = self.damaged_disks();
        assert!(damaged.is_empty(), "{}", damaged.join("\n"));
    }

    /// Checks that nothing of a stopped machine but its disk and its files is there: no process, namespace or link.
    #[track_caller]
    pub fn has_nothing_running(&self) {
        let found = left::running(self);
        assert!(found.is_empty(), "still there:\n{}", found.join("\n"));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            left::show(self);
        }
        let _ = self.run("down");
        let _ = self.run("machine list");
        for id in left::machines(self) {
            let _ = self.run(&format!("machine delete {id} -y"));
        }
        for pid in left::processes(self) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
        for name in left::namespaces(self) {
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
        let _ = Command::new("ip")
            .args(["netns", "del", &self.namespace])
            .status();
    }
}

/// Gives this process mounts of its own.
fn alone_with_mounts() -> nix::Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

fn ip(words: &[&str]) {
    let status = Command::new("ip").args(words).status().unwrap();
    assert!(status.success(), "ip {}", words.join(" "));
}

/// Leaves out of what is shown of a machine what its disks take: its guest goes on writing.
pub(super) fn forget_use(machine: &mut Value) {
    for volume in machine["volumes"].as_array_mut().unwrap() {
        assert!(volume["used_bytes"].take().is_u64());
    }
}
