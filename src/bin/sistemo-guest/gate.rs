//! How PID 1 takes the SSH server along: a socket pair, one byte per step.
//!
//! ```text
//!   PID 1                          server
//!   root is mounted      R ──▶     makes it its own root
//!   may move it now        ◀── A
//!   all is mounted       M ──▶     lets users in
//!   exec, or the loop  (close)▶    the machine is ready
//! ```

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::boot::SYSROOT;

const ROOTED: u8 = b'R';
const ACKNOWLEDGED: u8 = b'A';
const MOUNTED: u8 = b'M';

/// Why the two lost each other.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    #[error("cannot make a socket pair")]
    Pair(#[source] io::Error),
    #[error("the other side is gone")]
    Lost(#[source] io::Error),
    #[error("the other side said {0:#x}")]
    Unexpected(u8),
    #[error("cannot enter the root file system")]
    Enter(#[source] io::Error),
}

/// PID 1's side.
#[derive(Debug)]
pub struct Keeper(UnixStream);

impl Keeper {
    /// Both sides; the second goes to [`Gate::new`].
    pub fn new() -> Result<(Keeper, OwnedFd), GateError> {
        let (ours, theirs) = UnixStream::pair().map_err(GateError::Pair)?;
        Ok((Keeper(ours), theirs.into()))
    }

    /// Has the server enter the mounted root, and waits until it has.
    pub fn enter_root(&mut self) -> Result<(), GateError> {
        self.0.write_all(&[ROOTED]).map_err(GateError::Lost)?;
        let mut answer = [0];
        self.0.read_exact(&mut answer).map_err(GateError::Lost)?;
        expect(answer[0], ACKNOWLEDGED)
    }

    /// Lets users in.
    pub fn mounted(&mut self) -> Result<(), GateError> {
        self.0.write_all(&[MOUNTED]).map_err(GateError::Lost)
    }
}

/// The server's side.
#[derive(Debug)]
pub struct Gate(tokio::net::UnixStream);

impl Gate {
    /// Inside the event loop.
    pub fn new(socket: OwnedFd) -> Result<Gate, GateError> {
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true).map_err(GateError::Pair)?;
        tokio::net::UnixStream::from_std(socket)
            .map(Gate)
            .map_err(GateError::Pair)
    }

    /// Waits for the root file system and enters it.
    pub async fn rooted(&mut self) -> Result<(), GateError> {
        self.hear(ROOTED).await?;
        enter().map_err(GateError::Enter)?;
        self.0
            .write_all(&[ACKNOWLEDGED])
            .await
            .map_err(GateError::Lost)
    }

    /// Waits until all is mounted.
    pub async fn mounted(&mut self) -> Result<(), GateError> {
        self.hear(MOUNTED).await
    }

    /// Waits until PID 1 has become what it stays.
    pub async fn handed_over(mut self) {
        // End of file, or an error that says the same.
        while self.0.read_u8().await.is_ok() {}
    }

    async fn hear(&mut self, wanted: u8) -> Result<(), GateError> {
        expect(self.0.read_u8().await.map_err(GateError::Lost)?, wanted)
    }
}

fn expect(heard: u8, wanted: u8) -> Result<(), GateError> {
    if heard == wanted {
        Ok(())
    } else {
        Err(GateError::Unexpected(heard))
    }
}

fn enter() -> io::Result<()> {
    nix::unistd::chdir(SYSROOT)?;
    nix::unistd::chroot(".")?;
    Ok(())
}
