//! What can go wrong in a machine's life.

use std::path::PathBuf;

use crate::error::{self, Advice, Error as Cause, Kind};
use crate::guest::{client, orders};
use crate::store;
use crate::store::machines::Status;
use crate::store::volumes::Role;
use crate::value::{ByteSize, Name, PortMapping, Protocol};
use crate::volume::MountPath;

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
    #[error("there is a machine {0} already")]
    NewNameTaken(Name),
    #[error(
        "there is a volume {volume} already, and the root disk of machine {machine} would have that name"
    )]
    NewRootTaken { machine: Name, volume: Name },
    #[error("nothing to boot from: neither an image nor a root volume was named")]
    NothingToBoot,
    #[error("both an image and a root volume were named")]
    TwoToBoot,
    #[error("{0} is for applications, and this boots an operating system with an init of its own")]
    NoApplication(&'static str),
    #[error("the entry point was taken away, and no command is there to run")]
    NothingToRun,
    #[error("{0:?} is not a user")]
    NotAUser(String),
    #[error("{0:?} is not an absolute path of a folder")]
    NotAFolder(String),
    #[error("a word of the command holds a zero byte")]
    ZeroByte,
    #[error("volume {0} is not a root volume")]
    NotARoot(Name),
    #[error("volume {volume} belongs to machine {machine}")]
    VolumeInUse {
        volume: Name,
        machine: String,
        role: Role,
    },
    #[error("there is a volume {0} already")]
    VolumeExists(Name),
    #[error("a volume of {asked} was asked for, and one has {least} to {most}")]
    VolumeSize {
        asked: ByteSize,
        least: ByteSize,
        most: ByteSize,
    },
    #[error("volume {volume} has {has}, and {asked} is less")]
    Shrink {
        volume: Name,
        has: ByteSize,
        asked: ByteSize,
    },
    #[error("volume {volume} is {doing}")]
    VolumeBusy { volume: Name, doing: &'static str },
    #[error("volume {volume} is the root disk of machine {machine} and named after it")]
    NamedAfter { volume: Name, machine: Name },
    #[error("volume {0} is a root volume")]
    NotAData(Name),
    #[error("volume {volume} is not attached to machine {machine}")]
    NotAttached { volume: Name, machine: Name },
    #[error("volume {other} is mounted at {path} already")]
    MountTaken { path: MountPath, other: Name },
    #[error("port {port}/{protocol} of the host leads to machine {machine}")]
    PortTaken {
        port: u16,
        protocol: Protocol,
        machine: String,
    },
    #[error("no port {port} leads to machine {machine}")]
    NotExposed { machine: Name, port: PortMapping },
    #[error("port {0} of the host was asked for twice")]
    PortTwice(PortMapping),
    #[error("a machine has at most {0} data volumes")]
    TooManyVolumes(usize),
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
    #[error("machine {0} has been started no more than once")]
    NoPreviousLog(Name),
    #[error("there is no guest kernel yet")]
    NoKernel,
    #[error("the guest program {} is missing", .0.display())]
    NoGuestProgram(PathBuf),
    #[error("the default network cannot be deleted")]
    DefaultNetwork,
    #[error("none of {0} subnets is free")]
    NoSubnet(usize),
    #[error("process {0} watches over these machines already")]
    Supervised(u32),
    #[error("the guest did not answer within {0} s")]
    Silent(u64),
    #[error("the hypervisor ended before the guest answered{}", because(.0))]
    Died(Option<String>),
    #[error("the command failed: {0}")]
    CommandFailed(String),
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
    #[error("there is no snapshot {0:?}")]
    UnknownSnapshot(String),
    #[error("machine {machine} has no snapshot {snapshot:?}")]
    NoSnapshot { machine: Name, snapshot: String },
    #[error("machine {machine} has a snapshot {snapshot} already")]
    SnapshotExists { machine: Name, snapshot: Name },
    #[error("the snapshot that machine {0} is made of is gone")]
    SnapshotGone(Name),
    #[error("machine {0} does not answer, and a snapshot of it could not be told who it is")]
    SnapshotSilent(Name),
    #[error("snapshot {snapshot} of machine {machine} no longer fits: {why}")]
    SnapshotUnfit {
        machine: Name,
        snapshot: Name,
        why: String,
        /// Whether its disks can be used without its memory.
        disks_fit: bool,
    },
    #[error("the guest of machine {name} does not take its identity")]
    NotRenewed {
        name: Name,
        source: Box<orders::Error>,
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

impl Error {
    /// No connection to the guest of that machine, or none that is of use, and why.
    pub(super) fn connect(
        name: &Name,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Connect {
            name: name.clone(),
            source: source.into(),
        }
    }
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unknown(_)
            | Error::NotExposed { .. }
            | Error::NoPreviousLog(_)
            | Error::UnknownSnapshot(_)
            | Error::NoSnapshot { .. } => Kind::NotFound,
            Error::Ambiguous(_)
            | Error::NothingToBoot
            | Error::TwoToBoot
            | Error::NoApplication(_)
            | Error::NothingToRun
            | Error::NotAUser(_)
            | Error::NotAFolder(_)
            | Error::ZeroByte
            | Error::Vcpus { .. }
            | Error::Memory { .. }
            | Error::Storage { .. }
            | Error::PortTwice(_)
            | Error::VolumeSize { .. }
            | Error::Shrink { .. } => Kind::Usage,
            Error::NameTaken(_)
            | Error::VolumeTaken(_)
            | Error::NewNameTaken(_)
            | Error::NewRootTaken { .. }
            | Error::NotARoot(_)
            | Error::VolumeInUse { .. }
            | Error::Supervised(_)
            | Error::DefaultNetwork
            | Error::NoSubnet(_)
            | Error::PortTaken { .. }
            | Error::VolumeExists(_)
            | Error::VolumeBusy { .. }
            | Error::NamedAfter { .. }
            | Error::NotAData(_)
            | Error::NotAttached { .. }
            | Error::MountTaken { .. }
            | Error::TooManyVolumes(_)
            | Error::MemoryShort { .. }
            | Error::SnapshotExists { .. }
            | Error::SnapshotGone(_)
            | Error::SnapshotSilent(_)
            | Error::SnapshotUnfit { .. }
            | Error::State { .. } => Kind::Refused,
            Error::Step { cause, .. } => cause.kind(),
            Error::Cancelled => Kind::Cancelled,
            Error::File { .. }
            | Error::NoKernel
            | Error::NoGuestProgram(_)
            | Error::Silent(_)
            | Error::Died(_)
            | Error::CommandFailed(_)
            | Error::NotRenewed { .. }
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
            Error::NoPreviousLog(name) => {
                format!("the log of its last start: sistemo machine logs {name}")
            }
            Error::NewNameTaken(name) => format!(
                "choose another name, or rename that one first: sistemo machine rename {name} NEW"
            ),
            Error::NewRootTaken { volume, .. } => format!(
                "choose another name, or rename the volume first: sistemo volume rename {volume} NEW"
            ),
            Error::NothingToBoot => "for example: sistemo machine deploy debian".into(),
            Error::TwoToBoot => "leave out the image to boot from the volume".into(),
            Error::NoApplication(_) => {
                "name a command that runs instead of the init: deploy … -- COMMAND; or a command in a machine that \
                 runs: sistemo machine exec NAME -e KEY=VALUE -u USER -w DIR -- COMMAND"
                    .into()
            }
            Error::NothingToRun => "for example: --entrypoint '' -- /bin/sleep infinity".into(),
            Error::NotAUser(_) => {
                "one is a name or a number, with a group or without: --user app, --user 1000:1000".into()
            }
            Error::NotAFolder(_) => "for example: --workdir /srv/app".into(),
            Error::CommandFailed(_) => {
                "say what it runs with --entrypoint and -- COMMAND, or have it tried again with --restart".into()
            }
            Error::NotARoot(_) => "see the roles: sistemo volume list".into(),
            Error::VolumeInUse {
                machine,
                volume,
                role: Role::Data,
            } => format!(
                "stop the machine, then: sistemo machine volume detach {machine} {volume}"
            ),
            Error::DefaultNetwork => {
                "its addresses can be changed: bridge_subnet in the settings (sistemo config)".into()
            }
            Error::NoSubnet(_) => "name one: --subnet 172.20.0.0/24".into(),
            Error::Supervised(_) => "the daemon is up; to end it: sistemo down".into(),
            Error::PortTaken { machine, port, .. } => format!(
                "choose another port of the host, or: sistemo machine unexpose {machine} --port {port}"
            ),
            Error::NotExposed { machine, .. } => {
                format!("see which do: sistemo machine show {machine}")
            }
            Error::PortTwice(_) => "each port of the host leads to one port of a machine: 8080:80".into(),
            Error::VolumeExists(_) => "choose another name".into(),
            Error::VolumeSize { .. } => "for example: sistemo volume create 10G --name data".into(),
            Error::Shrink { .. } => {
                "volumes only grow; for a smaller one, make a new volume and copy what is in it".into()
            }
            Error::VolumeBusy { .. } => "try again in a moment".into(),
            Error::NamedAfter { machine, .. } => {
                format!("rename the machine: sistemo machine rename {machine} NEW")
            }
            Error::NotAData(name) => {
                format!("boot a machine from it: sistemo machine deploy --volume {name}")
            }
            Error::NotAttached { machine, .. } => {
                format!("see which volumes it has: sistemo machine show {machine}")
            }
            Error::MountTaken { .. } => "say another place: VOLUME:/path".into(),
            Error::TooManyVolumes(_) => "put more into fewer, larger volumes".into(),
            Error::VolumeInUse { machine, .. } => {
                format!("delete the machine and keep its disk: sistemo machine delete {machine} --preserve-storage")
            }
            Error::Vcpus { .. } => "for example: --vcpus 2".into(),
            Error::Memory { .. } => "for example: --memory 512M".into(),
            Error::Storage { .. } => "for example: --storage 10G".into(),
            Error::MemoryShort { .. } => {
                "ask for less with --memory, or stop a machine: sistemo machine list".into()
            }
            Error::UnknownSnapshot(_) => "see what there is: sistemo machine snapshot list".into(),
            Error::NoSnapshot { machine, .. } => {
                format!("see which it has: sistemo machine snapshot list {machine}")
            }
            Error::SnapshotExists { machine, snapshot } => format!(
                "choose another name, or: sistemo machine snapshot delete {machine} {snapshot}"
            ),
            Error::SnapshotSilent(name) => format!(
                "try again when it has started, or take its disks alone: sistemo machine stop {name}"
            ),
            Error::NotRenewed { .. } | Error::SnapshotUnfit { disks_fit: true, .. } => {
                "its disks can be used without its memory: --disks-only".into()
            }
            Error::State { way_out, .. } => way_out.clone(),
            Error::NoGuestProgram(_) => {
                "it is installed beside sistemo; install both: cargo install --locked --path .".into()
            }
            Error::NoKernel => "fetch one: sistemo setup".into(),
            Error::Silent(_) => {
                "give it more time with the setting ssh_timeout, or more memory with --memory".into()
            }
            Error::Connect { name, source } => {
                let advice = match source.downcast_ref::<client::Error>() {
                    Some(error @ (client::Error::Refused(_) | client::Error::HostKey)) => error.hint(),
                    _ => None,
                };
                advice.unwrap_or_else(|| format!("see what it says: sistemo machine logs {name}"))
            }
            Error::Step { cause, left, .. } if left.is_empty() => return cause.hint(),
            Error::Step { .. } => {
                "what is left is taken back by the next command; sistemo doctor says what is in the way".into()
            }
            Error::File { source, .. } => return error::way_out_of(source),
            Error::Store(error) => return error.hint(),
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
