//! One running process of a session channel: its streams, its terminal, its end.
//!
//! As sshd does it: the channel closes when the process has ended *and* its output is at its end. So nothing that was
//! written gets lost, and a background process that still holds the pipe keeps the channel open, until the client
//! closes it. A terminal ends with its session leader: the kernel hangs it up.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use russh::ChannelWriteHalf;
use russh::server::{Handle, Msg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, unix::AsyncFd};
use tokio::process::Child;

use super::exit::{self, End};
use super::flow::Inbox;

/// The extended data type of standard error (RFC 4254 §5.2).
pub const STDERR: u32 = 1;
/// How much is read from a process at once, in bytes: a packet. One byte more would be a packet of its own.
const CHUNK: usize = super::PACKET as usize;

/// The channel's way out.
pub type Writer = ChannelWriteHalf<Msg>;

/// Serves a process with pipes until it is over.
pub async fn with_pipes(mut child: Child, writer: Writer, handle: Handle, inbox: Arc<Inbox>) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = group_of(&child);
    let input = async {
        if let Some(mut stdin) = stdin {
            super::process::widen(&stdin);
            while let Some(data) = inbox.take().await {
                if stdin.write_all(&data).await.is_err() {
                    break;
                }
            }
        }
        drain(&inbox).await;
    };
    let output = async {
        if let Some(stdout) = stdout {
            super::process::widen(&stdout);
            pump(stdout, &writer, None).await;
        }
    };
    let errors = async {
        if let Some(stderr) = stderr {
            pump(stderr, &writer, Some(STDERR)).await;
        }
    };
    let end = async {
        tokio::join!(output, errors);
        child.wait().await
    };
    let status = tokio::select! {
        status = end => Some(status),
        () = inbox.until_closed() => None,
        () = input => None,
    };
    match status {
        Some(status) => finish(&handle, &writer, status).await,
        // The pipes are closed by now: the process learns of it as from any other broken pipe.
        None => abandon(child, group, None).await,
    }
    inbox.close();
}

/// Serves a process with a terminal until it is over.
pub async fn with_terminal(
    mut child: Child,
    master: Arc<AsyncFd<OwnedFd>>,
    writer: Writer,
    handle: Handle,
    inbox: Arc<Inbox>,
) {
    let group = group_of(&child);
    let input = async {
        while let Some(data) = inbox.take().await {
            if write_terminal(&master, &data).await.is_err() {
                break;
            }
        }
        drain(&inbox).await;
    };
    let end = async {
        let mut buffer = BytesMut::new();
        while let Ok(Some(data)) = read_terminal(&master, &mut buffer).await {
            if writer.data_bytes(data).await.is_err() {
                break;
            }
        }
        child.wait().await
    };
    let status = tokio::select! {
        status = end => Some(status),
        () = inbox.until_closed() => None,
        () = input => None,
    };
    match status {
        Some(status) => finish(&handle, &writer, status).await,
        None => {
            // With the last holder of this side gone, the kernel hangs up the foreground processes and the leader reads
            // an end of file, whichever of them ignores the signal.
            drop(master);
            abandon(child, group, Some(Signal::SIGHUP)).await;
        }
    }
    inbox.close();
}

/// Sends what was to be said and an end, for a request that no process was started for.
pub async fn answer(
    text: String,
    stream: Option<u32>,
    end: End,
    writer: Writer,
    handle: Handle,
    inbox: Arc<Inbox>,
) {
    let said = async {
        let data = Bytes::from(text);
        match stream {
            None => writer.data_bytes(data).await,
            Some(kind) => writer.extended_data_bytes(kind, data).await,
        }
    };
    tokio::select! {
        _ = said => conclude(&handle, &writer, end).await,
        () = inbox.until_closed() => {}
    }
    inbox.close();
}

/// Keeps taking what nobody will read, so that the connection's other channels are not held back. Never returns.
async fn drain(inbox: &Inbox) {
    while inbox.take().await.is_some() {}
    std::future::pending::<()>().await;
}

async fn pump(mut from: impl tokio::io::AsyncRead + Unpin, writer: &Writer, stream: Option<u32>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let data = buffer.split().freeze();
        let sent = match stream {
            None => writer.data_bytes(data).await,
            Some(kind) => writer.extended_data_bytes(kind, data).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The next output of a terminal; `None` once no process holds it any more (the kernel says EIO).
async fn read_terminal(
    master: &AsyncFd<OwnedFd>,
    buffer: &mut BytesMut,
) -> io::Result<Option<Bytes>> {
    loop {
        let mut ready = master.readable().await?;
        buffer.resize(CHUNK, 0);
        match ready.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), buffer)?)) {
            Ok(Ok(0)) => return Ok(None),
            Ok(Ok(count)) => {
                buffer.truncate(count);
                return Ok(Some(buffer.split().freeze()));
            }
            Ok(Err(error)) if error.raw_os_error() == Some(nix::libc::EIO) => return Ok(None),
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}

async fn write_terminal(master: &AsyncFd<OwnedFd>, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        let mut ready = master.writable().await?;
        match ready.try_io(|fd| Ok(nix::unistd::write(fd.get_ref(), data)?)) {
            Ok(Ok(count)) => data = &data[count..],
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
    Ok(())
}

fn group_of(child: &Child) -> Option<Pid> {
    child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw)
}

/// The client is gone: says so to the process group, and waits for the process so that it does not stay a zombie.
async fn abandon(mut child: Child, group: Option<Pid>, signal: Option<Signal>) {
    if let (Some(group), Some(signal)) = (group, signal) {
        // It may have ended on its own by now.
        let _ = killpg(group, signal);
    }
    let _ = child.wait().await;
}

async fn finish(handle: &Handle, writer: &Writer, status: io::Result<ExitStatus>) {
    let end = match status {
        Ok(status) => exit::end_of(status),
        Err(_) => End::Status(255),
    };
    conclude(handle, writer, end).await;
}

/// Sends the end, EOF and close. A client that is gone by now needs none of them.
async fn conclude(handle: &Handle, writer: &Writer, end: End) {
    let id = writer.id();
    let _ = match end {
        End::Status(status) => handle.exit_status_request(id, status).await,
        End::Signal { name, core_dumped } => {
            handle
                .exit_signal_request(id, name, core_dumped, String::new(), String::new())
                .await
        }
    };
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}
