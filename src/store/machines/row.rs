//! A machine as a row, and the words in it.

use std::fmt;
use std::str::FromStr;

use rusqlite::Row;
use serde::{Deserialize, Serialize};

use crate::guest::words::{Command, Restart};
use crate::store::{Fields, unreadable};
use crate::value::{ByteSize, MachineId, Name};

/// What a machine was last seen to be. The drawing of its life is in [`crate::machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Creating,
    Stopped,
    Starting,
    Running,
    /// It is there, and its processors are held still.
    Paused,
    Stopping,
    Failed,
    Deleting,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 8] = [
        Status::Creating,
        Status::Stopped,
        Status::Starting,
        Status::Running,
        Status::Paused,
        Status::Stopping,
        Status::Failed,
        Status::Deleting,
    ];

    /// The word for it, as shown and as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Stopped => "stopped",
            Status::Starting => "starting",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopping => "stopping",
            Status::Failed => "failed",
            Status::Deleting => "deleting",
        }
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Status::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("unknown status {text:?}"))
    }
}

impl Status {
    /// Whether a hypervisor has the machine, and nothing is being done to it.
    pub fn is_up(self) -> bool {
        matches!(self, Status::Running | Status::Paused)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was asked for at deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub vcpus: u8,
    pub memory: ByteSize,
    /// What runs instead of an init, from the image's configuration and the user's wishes; absent for an OS image.
    pub command: Option<Command>,
    /// Ports that the image says its application listens on: `80/tcp`.
    #[serde(default)]
    pub exposed: Vec<String>,
    /// When the machine is started again after its hypervisor has ended by itself.
    #[serde(default = "never")]
    pub restart: Restart,
    #[serde(default)]
    pub limits: Limits,
    /// The hypervisor that it was deployed for; without one the setting says, at each start.
    #[serde(default)]
    pub vmm: Option<String>,
}

/// How much of the host a machine may take; without a limit as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Megabits per second that it may send, and as many that it may be sent.
    pub bandwidth_mbps: Option<u32>,
    /// Reads and writes per second, of all its disks together.
    pub iops: Option<u32>,
}

fn never() -> Restart {
    Restart::No
}

/// Which hypervisor process runs a machine. A pid alone proves nothing: it is reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    pub pid: u32,
    /// Clock ticks since boot at which it began (proc_pid_stat(5), field 22).
    pub started: u64,
    /// `/proc/sys/kernel/random/boot_id` of the boot it belongs to.
    pub boot_id: String,
}

/// A machine as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineRow {
    pub id: MachineId,
    pub name: Name,
    pub status: Status,
    pub spec: Spec,
    pub image: Option<String>,
    pub image_digest: Option<String>,
    pub network: Option<Name>,
    pub ip: Option<std::net::Ipv4Addr>,
    pub mac: Option<String>,
    /// Public half of the guest's SSH host key, OpenSSH form.
    pub host_key: Option<String>,
    pub vmm: Option<String>,
    pub accelerator: Option<String>,
    pub process: Option<ProcessRow>,
    pub failure: Option<String>,
    pub created_at: String,
    pub started_at: Option<String>,
}

pub(super) const COLUMNS: &str = "id, name, status, spec, image, image_digest, network, ip, mac, host_key, \
     vmm, accelerator, pid, pid_started, boot_id, failure, created_at, started_at";

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<MachineRow> {
    let mut fields = Fields::of(row);
    // Fields are evaluated in the order in which they stand here, which is that of COLUMNS.
    Ok(MachineRow {
        id: fields.parsed()?,
        name: fields.parsed()?,
        status: fields.parsed()?,
        spec: serde_json::from_str(fields.text()?.unwrap_or_default()).map_err(unreadable)?,
        image: fields.next()?,
        image_digest: fields.next()?,
        network: fields.parsed_or_null()?,
        ip: fields.parsed_or_null()?,
        mac: fields.next()?,
        host_key: fields.next()?,
        vmm: fields.next()?,
        accelerator: fields.next()?,
        process: process(fields.next()?, fields.next()?, fields.next()?),
        failure: fields.next()?,
        created_at: fields.next()?,
        started_at: fields.next()?,
    })
}

pub(super) fn process(
    pid: Option<u32>,
    started: Option<i64>,
    boot_id: Option<String>,
) -> Option<ProcessRow> {
    Some(ProcessRow {
        pid: pid?,
        started: started?.cast_unsigned(),
        boot_id: boot_id?,
    })
}
