//! What a network and a machine's place in it shall look like: names, addresses, links. Pure data; making it so is
//! [`super::Home`]'s.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use ipnet::Ipv4Net;

use super::mac::Mac;
use super::namespace;
use crate::store::networks::Network;
use crate::value::{MachineId, PortMapping};

/// Inside every machine's namespace: the hub, the tap that the hypervisor opens, and the veth end that leads out.
const HUB: &str = "br0";
const TAP: &str = "tap0";
const PEER: &str = "uplink";

/// A network as it shall be in the home: one bridge and its share of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// The network's name, for messages.
    pub name: String,
    /// The bridge, at most 15 characters (Linux `IFNAMSIZ`).
    pub bridge: String,
    pub subnet: Ipv4Net,
    /// The bridge's own address: the first of the subnet.
    pub gateway: Ipv4Addr,
    /// The bridge's hardware address. Set, because a bridge without one takes the lowest of its ports', which changes
    /// as machines come and go, and guests would go on talking to the old one.
    pub mac: Mac,
    /// In bytes, of the bridge and of every link behind it.
    pub mtu: u32,
    /// The interface to masquerade on; any that is not a Sistemo bridge when absent.
    pub uplink: Option<String>,
}

/// A machine's place in its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachinePlan {
    /// The machine's namespace, as `ip netns` lists it: `sistemo-` and the first eight digits of its id.
    pub namespace: String,
    /// The veth end in the home: `veth-` and the same digits.
    pub port: String,
    /// The veth end in the machine's namespace.
    pub peer: String,
    /// The bridge in the machine's namespace that joins `peer` and `tap`.
    pub hub: String,
    /// The tap in the machine's namespace, which the hypervisor opens (one queue, persistent, any `vnet_hdr`).
    pub tap: String,
    /// The network's bridge, in the home.
    pub bridge: String,
    pub ip: Ipv4Addr,
    /// Length of the network's prefix.
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    /// The guest's hardware address; no other passes.
    pub mac: Mac,
    /// In bytes.
    pub mtu: u32,
    /// Ports of the home's own addresses that lead to the guest.
    pub published: Vec<PortMapping>,
    /// What the guest may send, and be sent, in megabits per second; without one as much as there is.
    pub bandwidth: Option<u32>,
}

impl MachinePlan {
    /// The file to enter the machine's namespace by.
    pub fn namespace_path(&self) -> PathBuf {
        namespace::path(&self.namespace)
    }

    /// Where a service of the guest is reached from the home.
    pub fn at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, port)
    }
}

/// What `network` shall be, with links of `mtu` bytes ([`super::Home::uplink_mtu`]), masquerading on `uplink` or, without
/// one, on whatever interface leads away.
pub fn plan_network(network: &Network, mtu: u32, uplink: Option<&str>) -> NetworkPlan {
    let gateway = network.gateway();
    NetworkPlan {
        name: network.name.to_string(),
        bridge: network.bridge.clone(),
        subnet: network.subnet,
        gateway,
        mac: mac_for(gateway),
        mtu,
        uplink: uplink.map(Into::into),
    }
}

/// What the place of machine `id` shall be in `network`, with an address and ports of the home that the store gave it.
pub fn plan_machine(
    id: &MachineId,
    network: &NetworkPlan,
    ip: Ipv4Addr,
    mac: Mac,
    published: Vec<PortMapping>,
) -> MachinePlan {
    let short = id.short();
    MachinePlan {
        namespace: namespace::name(&short),
        port: port_name(&short),
        peer: PEER.into(),
        hub: HUB.into(),
        tap: TAP.into(),
        bridge: network.bridge.clone(),
        ip,
        prefix: network.subnet.prefix_len(),
        gateway: network.gateway,
        mac,
        mtu: network.mtu,
        published,
        bandwidth: None,
    }
}

/// The hardware address that goes with `ip`: `06:00` and the four bytes of the address. The second lowest bit of the
/// first byte says "locally administered" (IEEE 802 §8.2), so it is no vendor's; a machine keeps its address, hence
/// its MAC, and two on one network never share one.
pub fn mac_for(ip: Ipv4Addr) -> Mac {
    let [a, b, c, d] = ip.octets();
    Mac([0x06, 0x00, a, b, c, d])
}

/// The name of a machine's namespace, as `ip netns` lists it.
pub fn namespace_name(id: &MachineId) -> String {
    namespace::name(&id.short())
}

const PORT: &str = "veth-";

fn port_name(short: &str) -> String {
    format!("{PORT}{short}")
}

/// The machine's eight digits, if `name` is that of a machine's port.
pub(super) fn short_of_port(name: &str) -> Option<&str> {
    name.strip_prefix(PORT).filter(|rest| is_short(rest))
}

/// Whether `text` is the first eight hexadecimal digits of an id.
pub(super) fn is_short(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
