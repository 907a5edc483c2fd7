//! What can go wrong with the network, and what to do about it.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;

use crate::error::{Advice, Kind};
use crate::value::Protocol;

/// A failure of the network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The home does not exist or may not be read.
    #[error("cannot open the network home {}", path.display())]
    OpenHome { path: PathBuf, source: io::Error },
    /// The home is some other file.
    #[error("{} is not a network namespace", path.display())]
    NotANamespace { path: PathBuf },
    /// A thread could not go to work in a namespace.
    #[error("cannot enter the network namespace {name}")]
    Enter { name: String, source: io::Error },
    /// A step on a machine's namespace failed.
    #[error("cannot {act} the network namespace {name}")]
    Namespace {
        act: &'static str,
        name: String,
        source: io::Error,
    },
    /// The kernel refused a netlink request.
    #[error("cannot {act} {name}")]
    Link {
        act: &'static str,
        name: String,
        source: io::Error,
    },
    /// The kernel has no token buckets.
    #[error("this kernel cannot limit bandwidth")]
    NoShaper,
    /// The tap could not be made.
    #[error("cannot create the tap device {name}")]
    Tap { name: String, source: io::Error },
    /// A kernel setting could not be written.
    #[error("cannot write {value:?} to {}", path.display())]
    Sysctl {
        path: PathBuf,
        value: &'static str,
        source: io::Error,
    },
    /// `nft` could not be run.
    #[error("cannot run nft")]
    NftMissing { source: io::Error },
    /// `nft` ran and refused.
    #[error("nft cannot {act}: {said}")]
    Nft { act: &'static str, said: String },
    /// `nft` printed what is not JSON.
    #[error("nft's answer is not understood")]
    NftAnswer { source: serde_json::Error },
    /// The interface that the settings name is not there.
    #[error("there is no interface {name} to reach the outside by")]
    NoUplink { name: String },
    /// The home already reaches these addresses by another way.
    #[error("the network {network} ({subnet}) overlaps the route {route} on {device}")]
    SubnetTaken {
        network: String,
        subnet: Ipv4Net,
        route: Ipv4Net,
        device: String,
    },
    /// There is a bridge of that name, and it is not this network's.
    #[error("the interface {bridge} exists and is not the bridge of {subnet}")]
    BridgeTaken { bridge: String, subnet: Ipv4Net },
    /// A machine that this data directory does not know has the address.
    #[error("the address {ip} belongs to another machine in this network home ({port})")]
    AddressTaken { ip: Ipv4Addr, port: String },
    /// A program of the home listens on the port.
    #[error("port {port}/{protocol} is taken{}", by(owner))]
    PortBusy {
        port: u16,
        protocol: Protocol,
        owner: Option<String>,
    },
    /// The port leads to a machine that this data directory does not know.
    #[error("port {port}/{protocol} leads to another machine in this network home ({ip})")]
    PortTaken {
        port: u64,
        protocol: String,
        ip: String,
    },
    /// The network still has machines.
    #[error("the bridge {bridge} still has {} on it", ports.join(", "))]
    BridgeInUse { bridge: String, ports: Vec<String> },
    /// Removing a machine's network went on to the end, and these parts of it failed.
    #[error("not all of {namespace} could be removed: {}", list(failures))]
    Detach {
        namespace: String,
        failures: Vec<Error>,
    },
}

fn by(owner: &Option<String>) -> String {
    owner
        .as_ref()
        .map(|owner| format!(" by {owner}"))
        .unwrap_or_default()
}

fn list(failures: &[Error]) -> String {
    let each = failures
        .iter()
        .map(|failure| match std::error::Error::source(failure) {
            Some(source) => format!("{failure}: {source}"),
            None => failure.to_string(),
        });
    each.collect::<Vec<_>>().join("; ")
}

impl Error {
    fn cause(&self) -> Option<io::ErrorKind> {
        match self {
            Error::OpenHome { source, .. }
            | Error::Enter { source, .. }
            | Error::Namespace { source, .. }
            | Error::Link { source, .. }
            | Error::Tap { source, .. }
            | Error::Sysctl { source, .. }
            | Error::NftMissing { source } => Some(source.kind()),
            _ => None,
        }
    }
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NoUplink { .. }
            | Error::SubnetTaken { .. }
            | Error::BridgeTaken { .. }
            | Error::AddressTaken { .. }
            | Error::PortBusy { .. }
            | Error::PortTaken { .. }
            | Error::BridgeInUse { .. } => Kind::Refused,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        if self.cause() == Some(io::ErrorKind::PermissionDenied) {
            return Some("networks need root: run it again with sudo".into());
        }
        Some(match self {
            Error::OpenHome { .. } | Error::NotANamespace { .. } => {
                "network_home is \"host\" or the path of a namespace: ip netns add lab, then /run/netns/lab".into()
            }
            Error::NftMissing { .. } => "install nftables (sistemo setup does)".into(),
            Error::Nft { said, .. } if said.contains("Operation not permitted") => {
                "networks need root: run it again with sudo".into()
            }
            Error::NoShaper => "load its module: modprobe sch_tbf; or deploy without --bandwidth".into(),
            Error::NoUplink { .. } => {
                "name one that is there as uplink in the settings, or none (ip link lists them)".into()
            }
            Error::SubnetTaken { .. } => {
                "choose addresses that nothing else uses: bridge_subnet = \"10.201.0.0/16\" in the settings".into()
            }
            Error::PortBusy { port, .. } => {
                format!("choose another port of the host, such as {0}:GUEST, or end that program", port.wrapping_add(10_000).max(1024))
            }
            Error::BridgeTaken { .. } | Error::AddressTaken { .. } | Error::PortTaken { .. } => {
                "another data directory seems to use this network home: give this one a network_home of its own in the settings"
                    .into()
            }
            Error::BridgeInUse { .. } => "stop the machines on it first".into(),
            Error::Tap { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "the kernel's tun module is needed: modprobe tun".into()
            }
            _ => return None,
        })
    }
}
