//! The words that host and guest share: the only part of the engine that `sistemo-guest` imports.
//!
//! The host writes a [`Config`] as JSON to [`CONFIG_PATH`] in the machine's initramfs; the guest program, as PID 1,
//! reads it before anything else.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// Where the configuration lies in the initramfs.
pub const CONFIG_PATH: &str = "/sistemo/config.json";
/// Where the kernel modules needed to reach the root disk lie in the initramfs, each `NAME.ko`, uncompressed, and
/// [`MODULES_ORDER`] names them one per line in the order in which they load.
pub const MODULES_DIR: &str = "/sistemo/modules";
/// The list of modules to load, inside [`MODULES_DIR`].
pub const MODULES_ORDER: &str = "/sistemo/modules/order";
/// The guest program in the initramfs, and the place it is reachable at once the root is mounted.
pub const PROGRAM_PATH: &str = "/sistemo/guest";
/// The reserved port of the guest's SSH server, TCP. Port 22 is served as well when the image leaves it free.
pub const SSH_PORT: u16 = 7722;
/// The SSH subsystem that ends with status 0 once the guest has handed over to its init.
pub const READY_SUBSYSTEM: &str = "sistemo-ready";
/// The SSH subsystem that has the guest power off cleanly; it ends with status 0 once that has begun.
pub const POWER_OFF_SUBSYSTEM: &str = "sistemo-poweroff";
/// The reserved port at which the guest takes the host's [`Order`]s, TCP.
///
/// ```text
///   guest: CHALLENGE ⏎          host: SignedOrder as JSON ⏎          guest: Answer as JSON ⏎          host hangs up
/// ```
///
/// Only the gateway is heard. The guest is not asked who it is: whoever answers on a port that only root may listen on is
/// the machine (its kernel's `ip_unprivileged_port_start`).
pub const ORDERS_PORT: u16 = 722;
/// The version of orders and of how they are given. A guest is as old as its last start.
pub const ORDERS_VERSION: u32 = 1;
/// What a challenge begins with: this, the version, a blank.
pub const CHALLENGE_BEGINS: &str = "sistemo-orders-";
/// The namespace of the signatures under orders (OpenSSH's PROTOCOL.sshsig): whatever was signed for another purpose is none.
pub const ORDERS_NAMESPACE: &str = "orders@sistemo";
/// The longest line of either side, in bytes.
pub const LONGEST_ORDER: usize = 1 << 20;
/// A line that the guest program prints on the console once its SSH server listens.
pub const READY_LINE: &str = "sistemo-guest: ready";
/// What begins the last line that the guest program prints on the console when it cannot go on.
pub const FATAL_PREFIX: &str = "sistemo-guest: cannot go on: ";
/// What begins the line that it prints when the machine ends because its command failed and is not started again.
pub const FAILED_PREFIX: &str = "sistemo-guest: the command failed: ";
/// A line that it prints when the machine ends because its command has done its work.
pub const DONE_LINE: &str = "sistemo-guest: the command is done";
/// A line that it prints when it restarts a machine that is to be off, because that has no power switch: a hypervisor
/// that does not reset machines (Firecracker) ends then.
pub const SWITCHLESS_LINE: &str =
    "sistemo-guest: the machine has no power switch; restarting ends it";

/// The SSH subsystem that has the guest power off cleanly and give its command so many seconds to end by itself.
pub fn power_off_within(seconds: u64) -> String {
    format!("{POWER_OFF_SUBSYSTEM}:{seconds}")
}

/// What the host has a guest do beside what SSH is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// To become another machine, or the same at another time. It is answered once the guest has done so, but for its
    /// address, its host key and whom it lets in: these change when the host has hung up, which ends all SSH connections.
    /// Then [`READY_LINE`] comes again.
    Renew(Box<Renewal>),
    /// To set its clock.
    SetClock {
        /// In nanoseconds since 1970, UTC.
        time_ns: u64,
    },
}

/// An order, and that it is one of whoever may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOrder {
    /// An [`Order`] as JSON.
    pub order: String,
    /// A signature in OpenSSH's PEM form (PROTOCOL.sshsig), in [`ORDERS_NAMESPACE`], of [`under_signature`], by a key in
    /// [`Config::authorized_keys`].
    pub signature: String,
}

/// What is signed: an order, for the guest that has this address and asked with this challenge, once. A guest that passed
/// another's challenge on would get an order that is for itself.
pub fn under_signature(guest: Ipv4Addr, challenge: &str, order: &str) -> Vec<u8> {
    format!("{guest}\n{challenge}\n{order}").into_bytes()
}

/// Whether this is the challenge of a guest that takes orders of this version, as far as it has come.
pub fn is_challenge(line: &str) -> bool {
    line.strip_prefix(CHALLENGE_BEGINS)
        .and_then(|rest| rest.split_once(' '))
        .is_some_and(|(version, _)| version.parse() == Ok(ORDERS_VERSION))
}

/// What a guest says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It has done it; a line for each part that could not be had, without which it goes on.
    Done { notes: Vec<String> },
    /// It has not, and why.
    Refused { why: String },
}

/// What a guest is told that goes on from a snapshot: who it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// As a guest that boots is told. Of disks it has what it had.
    pub config: Config,
    /// The time, in nanoseconds since 1970, UTC.
    pub time_ns: u64,
    /// Bytes of the host's randomness, as hexadecimal digits: whoever goes on from one snapshot would else draw the same
    /// numbers.
    pub seed: String,
}

/// All that a guest needs to know of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The machine's name; becomes the host name.
    pub hostname: String,
    /// The one network interface; absent for a machine without a network.
    pub network: Option<Network>,
    /// Public keys that may log in, one OpenSSH `authorized_keys` line each. Any user of the image may be asked for.
    pub authorized_keys: Vec<String>,
    /// The server's private host key in OpenSSH's PEM form (PROTOCOL.key), made by the host, which pins its public half.
    pub host_key: String,
    /// The disk that holds the root file system.
    pub root: Disk,
    /// Other file systems, mounted before the hand-over, in this order.
    pub volumes: Vec<Mount>,
    /// A read-only disk with the modules of the running kernel (`/lib/modules/RELEASE` at its top level is its root),
    /// mounted at `/lib/modules/$(uname -r)` when the image has nothing there.
    pub modules: Option<Disk>,
    /// More lines for `/etc/hosts`: address and names.
    pub hosts: Vec<Host>,
    /// What runs when the image has no init, or instead of it; from the image's configuration and the user's wishes.
    /// Absent for an image that was not made for an application.
    pub command: Option<Command>,
}

/// A virtio block device. It is found by its serial number, else by its place among the machine's disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The virtio-blk serial number, at most 20 bytes (VIRTIO 1.2 §5.2.6), as in `/sys/block/vdX/serial`.
    pub serial: String,
    /// Place among the disks, 0 for `vda`; used when no disk has that serial (Firecracker sets its own).
    pub index: usize,
    /// Whether it may be written.
    pub read_only: bool,
}

/// A disk with an ext4 file system and the place to mount it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub disk: Disk,
    /// Absolute path in the guest; made when missing.
    pub path: String,
}

/// The guest's network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Hardware address, `aa:bb:cc:dd:ee:ff`, by which the interface is found.
    pub mac: String,
    pub address: Ipv4Addr,
    /// Length of the network prefix, 1..=30.
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    /// Name servers for `/etc/resolv.conf`.
    pub dns: Vec<IpAddr>,
    /// Search domains for `/etc/resolv.conf`.
    pub search: Vec<String>,
    /// Bytes; 1500 when the host has no reason for another.
    pub mtu: u32,
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub address: IpAddr,
    pub names: Vec<String>,
}

/// A program to run as the machine's purpose (an application image's entry point).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments. Empty for an application image that names none or names an init: it boots that, or stays
    /// up for those who log in, and its variables are for them.
    pub argv: Vec<String>,
    /// `KEY=VALUE` pairs, for the program and for those who log in.
    pub env: Vec<String>,
    /// Working directory; `/` when the image names none. Made when missing.
    pub cwd: String,
    /// `user`, `uid`, `user:group` or `uid:gid` (OCI image-spec config `User`); root when empty.
    pub user: String,
    /// Signal that asks it to stop, as a number (OCI `StopSignal`); 15 by default.
    pub stop_signal: i32,
    /// When true the image's own init is not looked for.
    pub instead_of_init: bool,
    /// Whether to start it again when it ends.
    pub restart: Restart,
    /// Whether the program insists on being the first process: it gets a number 1 of its own, as in a container.
    #[serde(default)]
    pub first: bool,
    /// Folders for data (OCI `Volumes`), absolute paths. Made when missing.
    #[serde(default)]
    pub volumes: Vec<String>,
}

/// When what has ended by itself is started again: an application by the guest, a machine by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    No,
    OnFailure,
    Always,
}

impl Restart {
    /// The word for it, as typed and as shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Restart::No => "no",
            Restart::OnFailure => "on-failure",
            Restart::Always => "always",
        }
    }
}
