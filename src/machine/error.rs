//! What can go wrong in a machine's life.

use std::path::PathBuf;

use crate::error::{Advice, Error as Cause, Kind};
use crate::store;
use crate::store::machines::Status;
use crate::value::{ByteSize, Name};

/// A failure around a machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no machine {0:?}")]
    Unknown(String),
    #[error("{0:?} begins the identifier of several machines")]
    Ambiguous(String),
    #[error("there is a machine {0} already")]
    NameTaken(Name),
    #[error("there is a volume {0} already, and the machine's root disk would have that name")]
    VolumeTaken(Name),
    #[error("nothing to boot from: neither an image nor a root volume was named")]
    NothingToBoot,
    #[error("both an image and a root volume were named")]
    TwoToBoot,
    #[error("volume {0} is not a root volume")]
    NotARoot(Name),
    #[error("volume {volume} belongs to machine {machine}")]
    VolumeInUse { volume: Name, machine: String },
    #[error("{asked} virtual processors were asked for, and a machine may have 1 to {most}")]
    Vcpus { asked: u8, most: u8 },
    #[error("{asked} of memory was asked for, and a machine may have {least} to {most}")]
    Memory {
        asked: ByteSize,
        least: ByteSize,
        most: ByteSize,
    },
    #[error("{asked} of memory was asked for, and the host has {free} available")]
    MemoryShort { asked: ByteSize, free: ByteSize },
    #[error("{asked} of storage was asked for, and a disk has at most {most}")]
    Storage { asked: ByteSize, most: ByteSize },
    #[error("machine {name} is {status}")]
    State {
        name: Name,
        status: Status,
        way_out: String,
    },
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("there is no guest kernel yet")]
    NoKernel,
    #[error("the guest program {} is missing", .0.display())]
    NoGuestProgram(PathBuf),
    #[error("the guest did not answer within {0} s")]
    Silent(u64),
    #[error("the hypervisor ended before the guest answered{}", because(.0))]
    Died(Option<String>),
    #[error("the connection to machine {name} failed")]
    Connect {
        name: Name,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("cannot {operation} machine {name}: {step}: {cause}")]
    Step {
        operation: &'static str,
        name: Name,
        /// The step that failed, as progress names it.
        step: &'static str,
        cause: Box<Cause>,
        /// The end of the boot log, when the guest had begun.
        log: Option<String>,
        /// What could not be taken back.
        left: Vec<String>,
    },
    #[error("cancelled")]
    Cancelled,
    #[error("the step {0} was made to fail")]
    Fault(&'static str),
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn because(why: &Option<String>) -> String {
    why.as_ref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default()
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unknown(_) => Kind::NotFound,
            Error::Ambiguous(_)
            | Error::NothingToBoot
            | Error::TwoToBoot
            | Error::Vcpus { .. }
            | Error::Memory { .. }
            | Error::Storage { .. } => Kind::Usage,
            Error::NameTaken(_)
            | Error::VolumeTaken(_)
            | Error::NotARoot(_)
            | Error::VolumeInUse { .. }
            | Error::MemoryShort { .. }
            | Error::State { .. } => Kind::Refused,
            Error::Step { cause, .. } => cause.kind(),
            Error::Cancelled => Kind::Cancelled,
            Error::File { .. }
            | Error::NoKernel
            | Error::NoGuestProgram(_)
            | Error::Silent(_)
            | Error::Died(_)
            | Error::Connect { .. }
            | Error::Fault(_)
            | Error::Store(_) => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Unknown(_) => "see what there is: sistemo machine list".into(),
            Error::Ambiguous(_) => "type more of it, or the name".into(),
            Error::NameTaken(name) => {
                format!("choose another with --name, or: sistemo machine delete {name}")
            }
            Error::VolumeTaken(name) => format!(
                "choose another name with --name, boot from the volume with --volume {name}, or look at it: \
                 sistemo volume show {name}"
            ),
            Error::NothingToBoot => "for example: sistemo machine deploy debian".into(),
            Error::TwoToBoot => "leave out the image to boot from the volume".into(),
            Error::NotARoot(_) => "see the roles: sistemo volume list".into(),
            Error::VolumeInUse { machine, .. } => {
                format!("delete the machine and keep its disk: sistemo machine delete {machine} --preserve-storage")
            }
            Error::Vcpus { .. } => "for example: --vcpus 2".into(),
            Error::Memory { .. } => "for example: --memory 512M".into(),
            Error::Storage { .. } => "for example: --storage 10G".into(),
            Error::MemoryShort { .. } => {
                "ask for less with --memory, or stop a machine: sistemo machine list".into()
            }
            Error::State { way_out, .. } => way_out.clone(),
            Error::NoGuestProgram(_) => {
                "it is installed beside sistemo; install both: cargo install --locked --path .".into()
            }
            Error::NoKernel => "fetch one: sistemo setup".into(),
            Error::Silent(_) => {
                "give it more time with the setting ssh_timeout, or more memory with --memory".into()
            }
            Error::Connect { name, .. } => format!("see what it says: sistemo machine logs {name}"),
            Error::Step { cause, left, .. } if left.is_empty() => return cause.hint(),
            Error::Step { .. } => {
                "what is left is taken back by the next command; sistemo doctor says what is in the way".into()
            }
            _ => return None,
        })
    }

    fn detail(&self) -> Option<String> {
        let Error::Step {
            cause, log, left, ..
        } = self
        else {
            return None;
        };
        let mut parts: Vec<String> = cause.detail().into_iter().collect();
        if let Some(log) = log {
            parts.push(format!("the boot log ends with:\n{log}"));
        }
        if !left.is_empty() {
            parts.push(format!("could not be taken back:\n{}", left.join("\n")));
        }
        if parts.is_empty() {
            None
        } else {
            Some(parts.join("\n"))
        }
    }
}
