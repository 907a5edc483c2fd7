//! A command that is typed: given to the real program, with what it writes and how it ends.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

/// A command that has ended.
#[derive(Debug)]
pub struct Done {
    line: String,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A command that is running. It is waited for, and ended if need be, when dropped.
#[derive(Debug)]
pub struct Going {
    line: String,
    child: Option<Child>,
    streams: Option<Streams>,
}

#[derive(Debug)]
struct Streams {
    stdin: JoinHandle<()>,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

impl Going {
    /// Starts a command and feeds it `stdin`.
    pub fn start(line: &str, mut command: Command, stdin: Vec<u8>) -> Going {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        let mut input = child.stdin.take().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let streams = Streams {
            // A command that does not read all of it closes the pipe.
            stdin: std::thread::spawn(move || drop(input.write_all(&stdin))),
            stdout: std::thread::spawn(move || drain(stdout)),
            stderr: std::thread::spawn(move || drain(stderr)),
        };
        Going {
            line: line.into(),
            child: Some(child),
            streams: Some(streams),
        }
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    /// Kills it. One that has ended already has ended.
    pub fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
    }

    /// Waits until it has ended.
    pub fn wait(mut self) -> Done {
        let status = self.child.take().unwrap().wait().unwrap();
        let streams = self.streams.take().unwrap();
        streams.stdin.join().unwrap();
        let stderr = streams.stderr.join().unwrap();
        Done {
            line: std::mem::take(&mut self.line),
            status,
            stdout: streams.stdout.join().unwrap(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn drain(mut stream: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

impl Done {
    /// What it wrote, once it has succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{self}");
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What it wrote as JSON, once it has succeeded.
    #[track_caller]
    pub fn json(self) -> Value {
        assert!(self.status.success(), "{self}");
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// What it wrote to stderr, once it has ended with `status`.
    #[track_caller]
    pub fn fails(self, status: i32) -> String {
        assert_eq!(self.status.code(), Some(status), "{self}");
        self.stderr
    }

    /// Checks that it was killed.
    #[track_caller]
    pub fn was_killed(self) {
        assert_eq!(self.status.signal(), Some(9), "{self}");
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.stdout.len().min(4096);
        let out = String::from_utf8_lossy(&self.stdout[..end]);
        write!(
            f,
            "$ sistemo {}\n{out}{}[{}]",
            self.line, self.stderr, self.status
        )
    }
}
