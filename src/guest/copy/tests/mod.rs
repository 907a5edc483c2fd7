//! Copying with OpenSSH's server as the guest, and out of a guest that wants to reach what is none of its business.

mod destination;
mod hostile;
mod links;
mod resume;
mod streams;

use std::process::Stdio;

use tokio::process::{Child, Command};

use super::*;
use crate::guest::sftp::Sftp;

/// A folder of which one side is reached as the host's, and the other by an SFTP server.
struct Lab {
    folder: tempfile::TempDir,
    side: Side,
    _server: Child,
}

impl Lab {
    async fn new() -> Lab {
        let mut server = Command::new("/usr/lib/openssh/sftp-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stream = tokio::io::join(server.stdout.take().unwrap(), server.stdin.take().unwrap());
        let sftp = Sftp::begin(stream).await.unwrap();
        Lab {
            folder: tempfile::tempdir().unwrap(),
            side: guest(sftp),
            _server: server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn put_in(&self, from: &str, to: &str) -> Result<Copied, Error> {
        let from = paths(Side::Host, self.path(from));
        put(from, self.side.clone(), self.path(to)).await
    }

    async fn out(&self, from: &str, to: &str) -> Result<Copied, Error> {
        let from = paths(self.side.clone(), self.path(from));
        put(from, Side::Host, self.path(to)).await
    }

    /// Unfinished files in a folder.
    fn parts(&self, name: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(name)).unwrap();
        let names = entries.map(|entry| PathBuf::from(entry.unwrap().file_name()));
        names.filter(|name| part::is_any(name)).collect()
    }
}

fn guest(sftp: Sftp) -> Side {
    Side::Guest(Guest {
        name: "web".into(),
        identity: "1".into(),
        sftp,
    })
}

fn paths(side: Side, path: PathBuf) -> Vec<From> {
    vec![From::Paths {
        side,
        paths: vec![path],
    }]
}

async fn put(from: Vec<From>, side: Side, path: PathBuf) -> Result<Copied, Error> {
    let to = To::Path { side, path };
    copy(
        from,
        to,
        false,
        &Progress::silent(),
        &CancellationToken::new(),
    )
    .await
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..))
        .take(length)
        .collect()
}
