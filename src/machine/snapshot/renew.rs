//! The steps by which a guest that goes on from a snapshot learns who and when it is, before it has a place in its
//! network.

use std::io::Read;
use std::net::SocketAddrV4;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::super::configure::guest_config;
use super::super::journal::Operation;
use super::super::stop::process;
use super::super::{Error, Rooms, pause};
use crate::error::Result;
use crate::guest::words::Order;
use crate::guest::{orders, words};
use crate::store::machines::MachineRow;
use crate::store::snapshots::Place;

/// How long one attempt to connect may take. The guest is one hop away; it has not run for a while.
const CONNECT: Duration = Duration::from_secs(10);
/// How long after an attempt that failed the next one follows.
const AGAIN: Duration = Duration::from_millis(200);
/// How many bytes of randomness a guest is given: as many as the kernel's generator has state (random(4)).
const SEED: usize = 64;

/// The machine's namespace is there, and a tap in it that is the gateway which the guest knew.
pub(in crate::machine) async fn meet_guest(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let snapshot = operation.snapshot()?;
    if let (Some(place), Some((_, machine))) =
        (&snapshot.taken.place, rooms.network_plan(&row).await?)
    {
        rooms.home.meet(&machine, gateway(place)).await?;
    }
    Ok(())
}

/// Tells the guest who it is, and leaves its tap ready for the network.
pub(in crate::machine) async fn renew_guest(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let snapshot = operation.snapshot()?;
    let Some(place) = &snapshot.taken.place else {
        return Ok(());
    };
    let limit = rooms.config.ssh_timeout;
    let ended = async {
        match process(&row) {
            Some(process) if process.wait_exit().await.is_ok() => {}
            _ => std::future::pending::<()>().await,
        }
    };
    tokio::select! {
        biased;
        () = operation.cancel.cancelled() => return Err(Error::Cancelled.into()),
        told = rooms.tell(&row, place) => told?,
        () = ended => return Err(Error::Died(None).into()),
        () = tokio::time::sleep(limit) => return Err(Error::Silent(limit.as_secs()).into()),
    }
    if let Some((_, machine)) = rooms.network_plan(&row).await? {
        rooms.home.part(&machine).await?;
    }
    Ok(())
}

fn gateway(place: &Place) -> Ipv4Net {
    // A prefix that came out of a network.
    Ipv4Net::new(place.gateway, place.prefix).unwrap_or_else(|_| place.gateway.into())
}

impl Rooms {
    async fn tell(&self, row: &MachineRow, place: &Place) -> Result<()> {
        let config = guest_config(self, row, &self.kernel()?).await?;
        loop {
            match self.tell_once(row, place, &config).await {
                Ok(()) => return Ok(()),
                // The next attempt would not be another.
                Err(error @ Error::NotRenewed { .. }) => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "the guest cannot be told yet"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tell_once(
        &self,
        row: &MachineRow,
        place: &Place,
        config: &words::Config,
    ) -> Result<(), Error> {
        let machine = self.place(row).map_err(|e| Error::connect(&row.name, e))?;
        let machine = machine.ok_or_else(|| Error::connect(&row.name, "it has no address"))?;
        let seed = seed().map_err(|e| Error::connect(&row.name, e))?;
        let address = SocketAddrV4::new(place.ip, words::ORDERS_PORT);
        let stream = self.home.connect_inside(&machine, address, CONNECT).await;
        let renewal = || {
            Order::Renew(Box::new(words::Renewal {
                config: config.clone(),
                time_ns: pause::now(),
                seed,
            }))
        };
        let stream = stream.map_err(|e| Error::connect(&row.name, e))?;
        match self.give(row, place.ip, stream, renewal).await {
            Ok(notes) => {
                for note in notes.iter().flat_map(|note| note.lines()) {
                    tracing::warn!(machine = %row.name, "{note}");
                }
                Ok(())
            }
            Err(error @ (orders::Error::Refused(_) | orders::Error::Long(_))) => {
                Err(Error::NotRenewed {
                    name: row.name.clone(),
                    source: Box::new(error),
                })
            }
            Err(error) => Err(Error::connect(&row.name, error)),
        }
    }
}

/// Randomness of the host's, as hexadecimal digits.
fn seed() -> std::io::Result<String> {
    let mut bytes = [0; SEED];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
