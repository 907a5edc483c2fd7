//! This computer: the programs it has, and how it gets those it lacks.

pub mod background;
pub mod command;
pub mod descriptors;
pub mod doctor;
pub mod packages;
pub mod reclaim;
pub mod service;
pub mod setup;
pub mod space;
pub mod sparse;
pub mod tap;
pub mod untrusted;
pub mod user;

use crate::error::Advice;
use crate::value::ByteSize;

/// This computer could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot read how much memory this computer has")]
pub struct Error(#[source] std::io::Error);

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        Some("mount /proc".into())
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
    let text = std::fs::read_to_string("/proc/meminfo").map_err(Error)?;
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
        _ => Err(Error(std::io::ErrorKind::InvalidData.into())),
    }
}
