//! A guest that goes on from a snapshot is met alone, before it has a place in its network.
//!
//! ```text
//!  machine namespace                                machine namespace
//! ┌───────────────────────────────────┐  part,     ┌───────────────────────────────────┐
//! │ tap0 (the gateway) ─── guest      │ ─────────► │ uplink ─── br0 ─── tap0 ── guest  │
//! │ nothing else                      │  attach    │                                   │
//! └───────────────────────────────────┘            └───────────────────────────────────┘
//! ```
//!
//! It still has the address that it had, which may be another machine's by now. So nothing but its tap is in its namespace,
//! and the tap is the gateway that the guest knows, hardware address included: whoever works in the namespace reaches the
//! guest, and the guest reaches nobody.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use ipnet::Ipv4Net;
use tokio::net::{TcpSocket, TcpStream};

use super::error::Error;
use super::home::{self, Home};
use super::links::hardware;
use super::mac::Mac;
use super::plan::{MachinePlan, mac_for};
use super::sysctl;
use crate::host::tap;

impl Home {
    /// Makes sure that the machine's namespace is there, with a tap in it that is `gateway` to its guest. The machine must
    /// have no place in its network.
    ///
    /// # Errors
    ///
    /// Whatever the kernel refuses. What was made by then stays, for [`Home::detach`] or another call.
    pub async fn meet(&self, machine: &MachinePlan, gateway: Ipv4Net) -> Result<(), Error> {
        let (tap, mtu) = (machine.tap.clone(), machine.mtu);
        let furnish = async move |links: super::links::Links| {
            sysctl::without_ipv6("all")?;
            sysctl::without_ipv6("default")?;
            if links.find(&tap).await?.is_none() {
                tap::make(&tap).map_err(|source| Error::Tap {
                    name: tap.clone(),
                    source,
                })?;
            }
            let link = links.get(&tap).await?;
            let mac = mac_for(gateway.addr());
            links
                .set(&link, |link| link.address(hardware(mac)).mtu(mtu).up())
                .await?;
            links
                .ensure_address(&link, gateway.addr(), gateway.prefix_len())
                .await
        };
        match self.namespace.open(&machine.namespace)? {
            Some(inside) => inside.work(furnish).await,
            None => {
                let made = self.namespace.create(&machine.namespace, furnish).await;
                made.map(drop)
            }
        }
    }

    /// The machine's tap is the gateway no longer, and is ready for [`Home::attach`].
    ///
    /// # Errors
    ///
    /// When the namespace or the tap are gone, and whatever the kernel refuses.
    pub async fn part(&self, machine: &MachinePlan) -> Result<(), Error> {
        let (tap, Mac([_, second, rest @ ..])) = (machine.tap.clone(), machine.mac);
        // A bridge takes frames to the addresses of its ports for its own, so it must be nobody's: that of the guest with
        // another first byte, as libvirt has it for its taps.
        let mac = Mac([0xfe, second, rest[0], rest[1], rest[2], rest[3]]);
        let inside = self.inside_of(machine)?;
        inside
            .work(async move |links| {
                let link = links.get(&tap).await?;
                links.remove_addresses(&link).await?;
                links.set(&link, |link| link.address(hardware(mac))).await
            })
            .await
    }

    /// Connects to `address` from inside the machine's namespace. The stream has `TCP_NODELAY` set; it may be used
    /// anywhere.
    ///
    /// # Errors
    ///
    /// As [`Home::connect`].
    pub async fn connect_inside(
        &self,
        machine: &MachinePlan,
        address: SocketAddrV4,
        timeout: Duration,
    ) -> io::Result<TcpStream> {
        let inside = self.inside_of(machine).map_err(io::Error::other)?;
        // The inner result is the socket's; the outer one says whether the namespace could be entered.
        let made = inside.blocking(|| Ok(TcpSocket::new_v4())).await;
        home::connect_by(made.map_err(io::Error::other)??, address, timeout).await
    }

    fn inside_of(&self, machine: &MachinePlan) -> Result<super::namespace::Namespace, Error> {
        let name = &machine.namespace;
        let inside = self.namespace.open(name)?;
        inside.ok_or_else(|| Error::Namespace {
            act: "find",
            name: name.clone(),
            source: io::ErrorKind::NotFound.into(),
        })
    }
}
