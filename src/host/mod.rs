//! What this computer has and lacks: [`setup`] brings it, [`doctor`] checks it.

pub mod doctor;
mod packages;
pub mod setup;

use crate::error::Advice;
use crate::value::ByteSize;

/// A failure to look at this computer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read how much memory this computer has")]
    Memory(#[source] std::io::Error),
    #[error("this computer has none of the package managers apt, dnf, pacman, zypper and apk")]
    NoPackageManager,
    #[error("{command} failed: {said}")]
    Command {
        command: String,
        said: String,
        log: std::path::PathBuf,
    },
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("no kernel for guests was found: neither {0} nor this computer's own")]
    NoKernel(String),
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Kernel(#[from] crate::guest::kernel::Error),
    #[error(transparent)]
    Keys(#[from] crate::guest::keys::Error),
}

impl Advice for Error {
    fn kind(&self) -> crate::error::Kind {
        match self {
            Error::Cancelled => crate::error::Kind::Cancelled,
            _ => crate::error::Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NoPackageManager => {
                "install QEMU, nftables, mmdebstrap and e2fsprogs in its own way, then: sistemo doctor".into()
            }
            Error::Command { log, .. } => format!(
                "check the network and the package sources; all that it said is in {}",
                log.display()
            ),
            Error::NoKernel(_) => {
                "name an unpacked kernel package with the setting kernel".into()
            }
            Error::Kernel(error) => return error.hint(),
            Error::Keys(error) => return error.hint(),
            _ => return None,
        })
    }
}

/// Memory of this computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub total: ByteSize,
    /// What can be had without swapping (`MemAvailable` of proc_meminfo(5)).
    pub available: ByteSize,
}

/// How much memory this computer has, and has to spare.
pub fn memory() -> Result<Memory, Error> {
    let text = std::fs::read_to_string("/proc/meminfo").map_err(Error::Memory)?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace()
            .next()?
            .parse()
            .ok()
            .map(|kib: u64| ByteSize::bytes(kib << 10))
    };
    match (field("MemTotal:"), field("MemAvailable:")) {
        (Some(total), Some(available)) => Ok(Memory { total, available }),
        _ => Err(Error::Memory(std::io::ErrorKind::InvalidData.into())),
    }
}
