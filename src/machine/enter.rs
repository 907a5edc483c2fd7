//! Connections into a running machine: over SSH, and for orders.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::stop::process;
use super::tied::Tied;
use super::{Error, Machines, Rooms};
use crate::error::Result;
use crate::guest::client::{Client, Target};
use crate::guest::words::Order;
use crate::guest::{keys, orders, words};
use crate::store::machines::{MachineRow, Status};

/// How long a TCP connection to a guest may take. It is one hop away.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one may take that is asked for again when it fails, or that somebody waits for.
const HOP: Duration = Duration::from_secs(2);

/// How much of the time for powering off an application leaves to the rest of its machine.
const REST: Duration = Duration::from_secs(6);

/// An SSH connection to a machine.
pub type Session = Client;

impl Machines {
    /// Connects to a running machine as `user` (root when absent). Programs there may use the user's SSH agent when its
    /// socket is given.
    pub async fn enter(
        &self,
        name: &str,
        user: Option<&str>,
        agent: Option<PathBuf>,
    ) -> Result<Session> {
        let row = self.running(name)?;
        let user = user.unwrap_or("root");
        let adapt = |target: Target| target.agent(agent);
        Ok(self.0.connect(&row, user, adapt, CONNECT).await?)
    }

    /// Connects to a running machine as root for one of hundreds of terminals: the connection keeps little of what is
    /// under way.
    pub async fn enter_modestly(&self, name: &str) -> Result<Session> {
        let row = self.running(name)?;
        let connecting = self.0.connect(&row, "root", Target::modest, CONNECT);
        Ok(connecting.await?)
    }

    /// The machine of this name, if it can be entered.
    fn running(&self, name: &str) -> Result<MachineRow> {
        let row = self.0.find(name)?;
        let way_out = match row.status {
            Status::Running => return Ok(row),
            Status::Stopped | Status::Failed => {
                format!("start it: sistemo machine start {}", row.name)
            }
            Status::Paused => format!("let it go on: sistemo machine resume {}", row.name),
            _ => "try again in a moment".to_string(),
        };
        Err(Error::State {
            name: row.name,
            status: row.status,
            way_out,
        }
        .into())
    }
}

impl Rooms {
    async fn connect(
        &self,
        row: &MachineRow,
        user: &str,
        adapt: impl FnOnce(Target) -> Target,
        patience: Duration,
    ) -> Result<Client, Error> {
        let (Some(_), Some(host_key)) = (row.ip, &row.host_key) else {
            let why = "it has no address or no host key";
            return Err(Error::connect(&row.name, why));
        };
        let keys =
            keys::ensure_key_pair(&self.paths.keys()).map_err(|e| Error::connect(&row.name, e))?;
        let target = Target::new(user, &keys, host_key)
            .map_err(|e| Error::connect(&row.name, e))?
            .emulated(row.accelerator.as_deref() == Some("tcg"));
        let stream = self.reach(row, words::SSH_PORT, patience).await?;
        Client::connect(Tied::new(stream, process(row)), &adapt(target))
            .await
            .map_err(|e| Error::connect(&row.name, e))
    }

    /// Asks the guest whether it has handed over to its init.
    pub(super) async fn ask_ready(&self, row: &MachineRow) -> Result<(), Error> {
        self.ask(row, words::READY_SUBSYSTEM).await
    }

    /// Whether the guest's SSH server answers at all, by the first bytes that it sends (RFC 4253 §4.2). An emulated guest
    /// needs a second for logging a client in, and next to nothing for this.
    pub(super) async fn greets(&self, row: &MachineRow) -> Result<(), Error> {
        let mut stream = self.reach(row, words::SSH_PORT, HOP).await?;
        let mut greeting = [0; 4];
        match tokio::time::timeout(CONNECT, stream.read_exact(&mut greeting)).await {
            Ok(Ok(_)) if &greeting == b"SSH-" => Ok(()),
            Ok(Ok(_)) => Err(Error::connect(&row.name, "what answers is no SSH server")),
            Ok(Err(error)) => Err(Error::connect(&row.name, error)),
            Err(_) => Err(Error::connect(
                &row.name,
                io::Error::from(io::ErrorKind::TimedOut),
            )),
        }
    }

    /// Whether the guest would take an order: it asks who gives it.
    pub(super) async fn takes_orders(&self, row: &MachineRow) -> Result<(), Error> {
        let stream = self.reach(row, words::ORDERS_PORT, HOP).await?;
        match tokio::time::timeout(CONNECT, orders::listens(stream)).await {
            Ok(listens) => listens.map_err(|error| Error::connect(&row.name, error)),
            Err(_) => Err(Error::connect(
                &row.name,
                io::Error::from(io::ErrorKind::TimedOut),
            )),
        }
    }

    /// A connection to that port of the guest's.
    pub(super) async fn reach(
        &self,
        row: &MachineRow,
        port: u16,
        patience: Duration,
    ) -> Result<TcpStream, Error> {
        self.home
            .connect(SocketAddrV4::new(address_of(row)?, port), patience)
            .await
            .map_err(|e| Error::connect(&row.name, e))
    }

    /// Asks the guest to power off within `grace`. It comes back once the guest has taken note.
    pub(super) async fn ask_power_off(
        &self,
        row: &MachineRow,
        grace: Duration,
    ) -> Result<(), Error> {
        // What its application leaves of the time is for everything else and for the disks.
        let rest = REST.min(grace / 2);
        let seconds = (grace - rest).as_secs().min(u32::MAX.into());
        self.ask(row, &words::power_off_within(seconds)).await
    }

    /// Gives the guest, which has that address, an order over a connection to where it takes them.
    pub(super) async fn give(
        &self,
        row: &MachineRow,
        guest: Ipv4Addr,
        stream: TcpStream,
        order: impl FnOnce() -> Order,
    ) -> Result<Vec<String>, orders::Error> {
        let keys = keys::ensure_key_pair(&self.paths.keys()).map_err(orders::Error::Key)?;
        orders::give(Tied::new(stream, process(row)), guest, &keys, order).await
    }

    async fn ask(&self, row: &MachineRow, subsystem: &str) -> Result<(), Error> {
        let client = self.connect(row, "root", |target| target, HOP).await?;
        match client.ask(subsystem).await {
            Ok(exit) if exit.success() => Ok(()),
            Ok(exit) => Err(Error::connect(
                &row.name,
                format!("{subsystem} ended with {exit:?}"),
            )),
            Err(error) => Err(Error::connect(&row.name, error)),
        }
    }
}

/// The guest's address.
pub(super) fn address_of(row: &MachineRow) -> Result<Ipv4Addr, Error> {
    row.ip
        .ok_or_else(|| Error::connect(&row.name, "it has no address"))
}
