//! The firewall as data: the two tables of a home, and each network's and machine's elements of their sets, in the JSON
//! of libnftables-json(5). Pure; [`super::nft`] hands it to the kernel. [`tables`] has the rules, [`words`] the
//! language, [`listing`] reads what the kernel has.
//!
//! Rules speak of sets only, so they are the same in every home, and a network or machine comes and goes by its
//! elements. Each transaction that adds elements writes the rules anew first (`flush` and `add` of a chain is atomic
//! with the rest), so that a program of a newer version brings its own.

mod listing;
mod tables;
mod words;

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use self::tables::tables;
use self::words::{element, table};
use super::plan::{MachinePlan, NetworkPlan};
use crate::value::PortMapping;

pub(super) use self::listing::{
    elements_of, has_bridges, owner_of, ports_of, published, published_to, taken_port,
};

/// The name of both tables.
pub(super) const TABLE: &str = "sistemo";

/// Where a guest's packets may go once they are a guest's own; see the rules in [`tables`].
const INET: &str = "inet";
/// Whose address a guest's frames may bear.
const BRIDGE: &str = "bridge";

/// One transaction.
pub(super) fn transaction(commands: Vec<Value>) -> Value {
    json!({ "nftables": commands })
}

/// Everything that a home needs for `network`: the tables, and the network's elements.
pub(super) fn network_up(network: &NetworkPlan) -> Value {
    let mut commands = tables(network.uplink.as_deref());
    commands.extend(network_elements(network).map(|element| json!({ "add": element })));
    transaction(commands)
}

/// Takes the network's elements back. The sets must be there; the elements need not.
pub(super) fn network_down(network: &NetworkPlan) -> Value {
    transaction(network_elements(network).flat_map(add_and_delete).collect())
}

/// Removes both tables. They must be there.
pub(super) fn no_tables() -> Value {
    let delete = |family: &str| json!({ "delete": { "table": table(family) } });
    transaction(vec![delete(INET), delete(BRIDGE)])
}

/// The machine's elements. `owners` comes first: it maps an address to one port, so that adding fails when another
/// machine has the address already, whatever data directory that one is of.
pub(super) fn machine_up(machine: &MachinePlan) -> Value {
    let (port, ip) = (&machine.port, machine.ip.to_string());
    let guest = json!({ "concat": [port, machine.mac.to_string(), ip] });
    let mut commands = vec![
        element(BRIDGE, OWNERS, json!([ip, port])),
        element(BRIDGE, GUESTS, guest),
        element(BRIDGE, PORTS, json!(port)),
    ];
    for mapping in &machine.published {
        commands.extend(leads_to(machine.ip, mapping));
    }
    transaction(
        commands
            .into_iter()
            .map(|element| json!({ "add": element }))
            .collect(),
    )
}

/// The elements by which a port of the home leads to a guest: its address and its port, each in a map of its own, since
/// nft's JSON knows no map to both at once.
fn leads_to(ip: Ipv4Addr, mapping: &PortMapping) -> [Value; 2] {
    let key = json!({ "concat": [mapping.protocol.as_str(), mapping.host] });
    [
        element(INET, PUBLISHED, json!([key, ip.to_string()])),
        element(INET, PUBLISHED_AS, json!([key, mapping.machine])),
    ]
}

/// Removes the elements that [`elements_of`] found.
pub(super) fn delete(elements: Vec<Value>) -> Value {
    transaction(
        elements
            .into_iter()
            .map(|element| json!({ "delete": element }))
            .collect(),
    )
}

// The sets of table inet: the bridges, as input and output of a forwarded packet that stays on one of them (it passes
// there with br_netfilter on), with their own addresses, and the networks behind them.
const BRIDGES: &str = "bridges";
const WITHIN: &str = "within";
const GATEWAYS: &str = "gateways";
const SUBNETS: &str = "subnets";
// Its maps: from protocol and port of the home to the guest's address, and to the guest's port.
const PUBLISHED: &str = "published";
const PUBLISHED_AS: &str = "published_as";
// The sets of table bridge: the machines' ports, who may speak there, and which port each address belongs to.
const PORTS: &str = "ports";
const GUESTS: &str = "guests";
const OWNERS: &str = "owners";

fn network_elements(network: &NetworkPlan) -> impl Iterator<Item = Value> {
    let bridge = &network.bridge;
    let (address, length) = (
        network.subnet.network().to_string(),
        network.subnet.prefix_len(),
    );
    [
        element(INET, BRIDGES, json!(bridge)),
        element(INET, WITHIN, json!({ "concat": [bridge, bridge] })),
        element(
            INET,
            GATEWAYS,
            json!({ "concat": [bridge, network.gateway.to_string()] }),
        ),
        element(
            INET,
            SUBNETS,
            json!({ "prefix": { "addr": address, "len": length } }),
        ),
    ]
    .into_iter()
}

/// Deleting what is not there is an error to nft, adding what is there is none.
fn add_and_delete(element: Value) -> [Value; 2] {
    [json!({ "add": element }), json!({ "delete": element })]
}
