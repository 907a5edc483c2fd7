//! What the daemon tells commands of the same data directory: where it serves.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::web::access::token::private_folder;

/// The file, in the folder `web` of the data directory.
const FILE: &str = "served.json";

/// The folder of the data directory for what belongs to the server.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("web")
}

/// Where a daemon serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Served {
    /// The daemon's process.
    pub(crate) pid: u32,
    /// For people and their browsers: `http://localhost:7777`.
    pub(crate) url: String,
    /// Where a program on this computer connects to.
    pub(crate) address: SocketAddr,
    /// What is sent as `Host`.
    pub(crate) host: String,
    /// Of the certificate, with TLS.
    pub(crate) fingerprint: Option<String>,
}

impl Served {
    /// What the daemon with this process says; none if it says nothing, or another did.
    pub(crate) fn read(data_dir: &Path, pid: u32) -> Option<Served> {
        let text = fs::read(folder(data_dir).join(FILE)).ok()?;
        let served: Served = serde_json::from_slice(&text).ok()?;
        (served.pid == pid).then_some(served)
    }

    /// Says it, until what comes back is dropped.
    pub(super) fn write(&self, data_dir: &Path) -> Result<Said, Error> {
        let folder = folder(data_dir);
        let path = folder.join(FILE);
        let write = || {
            private_folder(&folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.persist(&path).map_err(|error| error.error)
        };
        match write() {
            Ok(_) => Ok(Said(path)),
            Err(source) => Err(Error::File {
                what: "write",
                path,
                source,
            }),
        }
    }
}

/// Takes back what was said when dropped.
#[derive(Debug)]
pub(super) struct Said(PathBuf);

impl Drop for Said {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
