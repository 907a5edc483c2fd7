//! Published ports: what of the home's own addresses leads into a machine. They come with the machine's place
//! ([`Home::attach`]) and go with it; here is what is done to one port of a machine that runs.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use procfs::net::{TcpNetEntries, TcpState, UdpNetEntries};
use procfs::process::{FDTarget, all_processes};
use procfs::{FromReadSI, current_system_info};
use tokio::net::TcpSocket;

use super::error::Error;
use super::home::Home;
use super::plan::MachinePlan;
use super::{names, nft, rules};
use crate::value::{PortMapping, Protocol};

impl Home {
    /// Takes a published port of a machine back. Connections through it go on. Fine when it is not there.
    pub async fn unpublish(&self, machine: &MachinePlan, port: &PortMapping) -> Result<(), Error> {
        let port = *port;
        let which = move |protocol: &str, host| {
            protocol == port.protocol.as_str() && host == u64::from(port.host)
        };
        self.withdraw(machine.ip.to_string(), which).await
    }

    /// Takes all published ports of a machine back.
    pub async fn unpublish_all(&self, machine: &MachinePlan) -> Result<(), Error> {
        self.withdraw(machine.ip.to_string(), |_, _| true).await
    }

    /// Takes those published ports of the guest at `ip` back of which `which` says so, by protocol and port.
    async fn withdraw(
        &self,
        ip: String,
        which: impl Fn(&str, u64) -> bool + Send + 'static,
    ) -> Result<(), Error> {
        self.namespace
            .blocking(move || {
                let Some(listing) = nft::list_table("inet", rules::TABLE)? else {
                    return Ok(());
                };
                let elements = rules::published_to(&ip, &listing, which);
                if elements.is_empty() {
                    return Ok(());
                }
                nft::apply("take a published port back", &rules::delete(elements))
            })
            .await
    }

    /// Refuses a port on which a program of the home listens: it would never hear of a connection again. Those that answer
    /// for names at `gateways` are asked by guests alone, whose questions are never turned away.
    ///
    /// # Errors
    ///
    /// [`Error::PortBusy`] with the program's name, if it can be found out.
    pub async fn refuse_busy(
        &self,
        port: &PortMapping,
        gateways: &[Ipv4Addr],
    ) -> Result<(), Error> {
        let (port, gateways) = (*port, gateways.to_vec());
        self.namespace
            .blocking(move || {
                if is_free(&port) || are_ours(&sockets(&port), &gateways) {
                    return Ok(());
                }
                Err(Error::PortBusy {
                    port: port.host,
                    protocol: port.protocol,
                    owner: owner(&port),
                })
            })
            .await
    }
}

/// Whether a program could listen on the port of this thread's namespace. What cannot be asked is taken for free.
fn is_free(port: &PortMapping) -> bool {
    let address = (Ipv4Addr::UNSPECIFIED, port.host);
    let bound = match port.protocol {
        // Past connections do not count, listeners do (socket(7), SO_REUSEADDR).
        Protocol::Tcp => TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address.into())
        }),
        Protocol::Udp => UdpSocket::bind(address).map(drop),
    };
    !bound.is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

/// Whether all who listen are the name servers of networks, which only their guests can ask.
fn are_ours(sockets: &[(SocketAddr, u64)], gateways: &[Ipv4Addr]) -> bool {
    let is_ours = |address: &SocketAddr| match address {
        SocketAddr::V4(address) => address.port() == names::PORT && gateways.contains(address.ip()),
        SocketAddr::V6(_) => false,
    };
    !sockets.is_empty() && sockets.iter().all(|(address, _)| is_ours(address))
}

/// The program that listens on a TCP port of this process's namespace, by name and process: `nginx (pid 812)`. Nothing
/// when that cannot be seen.
pub fn listener(port: u16) -> Option<String> {
    owner(&PortMapping {
        host: port,
        machine: port,
        protocol: Protocol::Tcp,
    })
}

/// The program that listens on the port of this thread's namespace: `nginx (pid 812)`.
pub(super) fn owner(port: &PortMapping) -> Option<String> {
    let inodes: Vec<u64> = sockets(port).into_iter().map(|(_, inode)| inode).collect();
    for process in all_processes().ok()?.flatten() {
        let Ok(files) = process.fd() else { continue };
        let listens = files
            .flatten()
            .any(|file| matches!(file.target, FDTarget::Socket(inode) if inodes.contains(&inode)));
        if listens {
            let name = process.stat().map(|stat| stat.comm).ok()?;
            return Some(format!("{name} (pid {})", process.pid));
        }
    }
    None
}

/// The sockets that are bound to the port, each with its inode: those of this thread's namespace, whatever the process's
/// is.
fn sockets(port: &PortMapping) -> Vec<(SocketAddr, u64)> {
    let table = |name: &str| Path::new("/proc/thread-self/net").join(name);
    let mut found = Vec::new();
    match port.protocol {
        Protocol::Tcp => {
            for name in ["tcp", "tcp6"] {
                let entries = TcpNetEntries::from_file(table(name), current_system_info())
                    .map(|entries| entries.0);
                let listening = entries.into_iter().flatten().filter(|entry| {
                    entry.state == TcpState::Listen && entry.local_address.port() == port.host
                });
                found.extend(listening.map(|entry| (entry.local_address, entry.inode)));
            }
        }
        Protocol::Udp => {
            for name in ["udp", "udp6"] {
                let entries = UdpNetEntries::from_file(table(name), current_system_info())
                    .map(|entries| entries.0);
                let bound = entries.into_iter().flatten();
                let bound = bound.filter(|entry| entry.local_address.port() == port.host);
                found.extend(bound.map(|entry| (entry.local_address, entry.inode)));
            }
        }
    }
    found
}
