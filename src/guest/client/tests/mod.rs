//! The client against OpenSSH's server: another implementation of everything it speaks. One server for each connection,
//! at the other end of a socket pair (`sshd -i`), so that nothing listens anywhere and nothing outlives its test.

mod exits;
mod files;
mod forward;
mod login;
mod slow;
mod streams;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, pin::Pin};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex, empty, sink};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::error::Advice;
use crate::guest::keys::{ensure_key_pair, new_host_key};

/// Longer than anything here takes, so that what hangs fails.
const LONG: Duration = Duration::from_secs(60);

/// A server's host key and the key it lets in.
struct Server {
    directory: tempfile::TempDir,
    keys: Keys,
    host_key: String,
    target: Target,
}

impl Server {
    fn new() -> Server {
        let directory = tempfile::tempdir().unwrap();
        let keys = ensure_key_pair(directory.path()).unwrap();
        let (private, host_key) = new_host_key().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("authorized"), &keys.public_line).unwrap();
        std::fs::write(path("host"), private).unwrap();
        std::os::unix::fs::chown(path("host"), Some(0), Some(0)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path("host"), mode).unwrap();
        // sshd(8): an empty directory that it changes root to.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let target = Target::new("root", &keys, &host_key).unwrap();
        Server {
            directory,
            keys,
            host_key,
            target,
        }
    }

    /// Starts a server; the two ends of its socket, one to read and write and one to cut it with.
    fn start(&self) -> (Running, UnixStream, StdUnixStream) {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let log = std::fs::File::create(path("log")).unwrap();
        let end = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
        let options = [
            format!("HostKey={}", path("host")),
            format!("AuthorizedKeysFile={}", path("authorized")),
            "StrictModes=no".into(),
            "UsePAM=no".into(),
            "PermitRootLogin=yes".into(),
            "AcceptEnv=*".into(),
            "Subsystem=sftp internal-sftp".into(),
            "PrintMotd=no".into(),
            // What the user of this computer has in start-up files may say anything.
            format!("SetEnv=HOME={}", path("home")),
        ];
        let child = Command::new("/usr/sbin/sshd")
            .args(["-i", "-e", "-f", "/dev/null"])
            .args(options.iter().flat_map(|option| ["-o", option]))
            .stdin(end())
            .stdout(end())
            .stderr(log)
            .spawn()
            .unwrap();
        ours.set_nonblocking(true).unwrap();
        let cut = ours.try_clone().unwrap();
        (Running(child), UnixStream::from_std(ours).unwrap(), cut)
    }

    async fn connect(&self) -> (Client, Running) {
        let (running, stream, _) = self.start();
        (
            Client::connect(stream, &self.target).await.unwrap(),
            running,
        )
    }
}

/// A server that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(line: &str) -> Exec {
    Exec {
        command: Some(line.into()),
        ..Exec::default()
    }
}

fn no_events() -> mpsc::Receiver<Event> {
    mpsc::channel(1).1
}

/// Runs a command with some input; its output, its errors and its end.
async fn run(client: &Client, exec: Exec, input: &[u8]) -> (Vec<u8>, Vec<u8>, Exit) {
    let (mut stdout, mut stderr) = (Heard::default(), Heard::default());
    let counts = [stdout.count.clone(), stderr.count.clone()];
    let heard = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    let io = Io {
        stdin: input,
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    let mut running = Box::pin(client.exec(exec, io, no_events()));
    // A machine under load may be slow. Only silence is a failure: no byte from the guest for long.
    let exit = loop {
        let before = heard();
        match timeout(LONG, &mut running).await {
            Ok(exit) => break exit.unwrap(),
            Err(_) => assert_ne!(heard(), before, "the command hangs"),
        }
    };
    drop(running);
    (stdout.bytes, stderr.bytes, exit)
}

/// What a command says, and how much that is by now.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    count: Arc<AtomicUsize>,
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes.extend_from_slice(data);
        self.count.fetch_add(data.len(), Ordering::Relaxed);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn text(client: &Client, line: &str) -> String {
    let (stdout, stderr, exit) = run(client, command(line), b"").await;
    assert_eq!(
        (exit, String::from_utf8(stderr).unwrap()),
        (Exit::Status(0), String::new())
    );
    String::from_utf8(stdout).unwrap()
}

/// Bytes without a pattern.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}
