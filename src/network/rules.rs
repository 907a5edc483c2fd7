//! The firewall as data: the two tables of a home, and each network's and machine's elements of their sets, in the JSON
//! of libnftables-json(5). Pure; [`super::nft`] hands it to the kernel.
//!
//! Rules speak of sets only, so they are the same in every home, and a network or machine comes and goes by its
//! elements. Each transaction that adds elements writes the rules anew first (`flush` and `add` of a chain is atomic
//! with the rest), so that a program of a newer version brings its own.

use serde_json::{Value, json};

use super::plan::{MachinePlan, NetworkPlan};

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
    let commands = [
        element(BRIDGE, OWNERS, json!([ip, port])),
        element(BRIDGE, GUESTS, guest),
        element(BRIDGE, PORTS, json!(port)),
    ];
    transaction(
        commands
            .into_iter()
            .map(|element| json!({ "add": element }))
            .collect(),
    )
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

/// The elements that name `port`, in the answer to `nft -j list table bridge sistemo`: what is to be deleted for the
/// machine to be gone, whatever plan they were made by.
pub(super) fn elements_of(port: &str, listing: &Value) -> Vec<Value> {
    let mine = |element: &&Value| match element {
        Value::String(name) => name == port,
        Value::Array(pair) => pair.get(1).is_some_and(|name| name == port),
        _ => element["concat"].get(0).is_some_and(|name| name == port),
    };
    let mut found = Vec::new();
    for (name, elements) in sets(listing) {
        for value in elements.iter().filter(mine) {
            found.push(element(BRIDGE, name, value.clone()));
        }
    }
    found
}

/// The ports that the listing has elements for.
pub(super) fn ports_of(listing: &Value) -> Vec<&str> {
    let ports = sets(listing).filter(|(name, _)| *name == PORTS);
    ports
        .flat_map(|(_, elements)| elements)
        .filter_map(Value::as_str)
        .collect()
}

/// Whether the listing (of table inet) has a network left.
pub(super) fn has_bridges(listing: &Value) -> bool {
    sets(listing).any(|(name, elements)| name == BRIDGES && !elements.is_empty())
}

/// The port that has the address `ip`.
pub(super) fn owner_of<'a>(ip: &str, listing: &'a Value) -> Option<&'a str> {
    let owners = sets(listing).filter(|(name, _)| *name == OWNERS);
    let mut pairs = owners.flat_map(|(_, elements)| elements);
    pairs
        .find(|pair| pair.get(0).is_some_and(|key| key == ip))?
        .get(1)?
        .as_str()
}

/// Name and elements of each set and map in a listing.
fn sets(listing: &Value) -> impl Iterator<Item = (&str, &Vec<Value>)> {
    let objects = listing["nftables"].as_array().into_iter().flatten();
    objects.filter_map(|object| {
        let set = object.get("set").or(object.get("map"))?;
        Some((set["name"].as_str()?, set.get("elem")?.as_array()?))
    })
}

// The sets of table inet: the bridges, as input and output of a forwarded packet that stays on one of them (it passes
// there with br_netfilter on), with their own addresses, and the networks behind them.
const BRIDGES: &str = "bridges";
const WITHIN: &str = "within";
const GATEWAYS: &str = "gateways";
const SUBNETS: &str = "subnets";
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

/// Both tables with their sets, chains and rules.
fn tables(uplink: Option<&str>) -> Vec<Value> {
    let mut commands = vec![
        json!({ "add": { "table": table(INET) } }),
        json!({ "add": { "table": table(BRIDGE) } }),
        set(INET, BRIDGES, json!("ifname")),
        set(INET, WITHIN, json!(["ifname", "ifname"])),
        set(INET, GATEWAYS, json!(["ifname", "ipv4_addr"])),
        intervals(INET, SUBNETS, "ipv4_addr"),
        set(BRIDGE, PORTS, json!("ifname")),
        set(BRIDGE, GUESTS, json!(["ifname", "ether_addr", "ipv4_addr"])),
        map(BRIDGE, OWNERS, "ipv4_addr", "ifname"),
    ];
    // What a guest may reach of the home itself: ping and DNS at its own gateway.
    commands.extend(chain(
        INET,
        "input",
        "filter",
        "input",
        0,
        [
            vec![is_not(meta("iifname"), in_set(BRIDGES)), accept()],
            vec![
                has(ct("state"), json!(["established", "related"])),
                accept(),
            ],
            vec![
                is(
                    concat([meta("iifname"), field("ip", "daddr")]),
                    in_set(GATEWAYS),
                ),
                is(field("icmp", "type"), json!("echo-request")),
                accept(),
            ],
            vec![
                is(
                    concat([meta("iifname"), field("ip", "daddr")]),
                    in_set(GATEWAYS),
                ),
                is(meta("l4proto"), json!({ "set": ["tcp", "udp"] })),
                is(field("th", "dport"), json!(53)),
                accept(),
            ],
            vec![reject()],
        ],
    ));
    // Out of a network: anywhere but into another. Into a network: answers, and published ports.
    commands.extend(chain(
        INET,
        "forward",
        "filter",
        "forward",
        0,
        [
            vec![
                has(ct("state"), json!(["established", "related"])),
                accept(),
            ],
            vec![has(ct("status"), json!("dnat")), accept()],
            vec![
                is(concat([meta("iifname"), meta("oifname")]), in_set(WITHIN)),
                accept(),
            ],
            vec![
                is(meta("iifname"), in_set(BRIDGES)),
                is(meta("oifname"), in_set(BRIDGES)),
                reject(),
            ],
            vec![
                is(meta("oifname"), in_set(BRIDGES)),
                json!({ "drop": null }),
            ],
        ],
    ));
    let away = match uplink {
        Some(uplink) => is(meta("oifname"), json!(uplink)),
        None => is_not(meta("oifname"), in_set(BRIDGES)),
    };
    commands.extend(chain(
        INET,
        "postrouting",
        "nat",
        "postrouting",
        100,
        [vec![
            is(field("ip", "saddr"), in_set(SUBNETS)),
            away,
            json!({ "masquerade": null }),
        ]],
    ));
    // A guest's frame must come from its MAC and bear its address; an ARP packet, in all that it says of its sender.
    commands.extend(chain(
        BRIDGE,
        "prerouting",
        "filter",
        "prerouting",
        -200,
        [
            vec![is_not(meta("iifname"), in_set(PORTS)), accept()],
            vec![
                is(field("ether", "type"), json!("ip")),
                is(speaker("ether", "saddr", "ip", "saddr"), in_set(GUESTS)),
                accept(),
            ],
            vec![
                is(field("ether", "type"), json!("arp")),
                is(speaker("ether", "saddr", "arp", "saddr ip"), in_set(GUESTS)),
                is(
                    speaker("arp", "saddr ether", "arp", "saddr ip"),
                    in_set(GUESTS),
                ),
                accept(),
            ],
            vec![json!({ "drop": null })],
        ],
    ));
    commands
}

fn table(family: &str) -> Value {
    json!({ "family": family, "name": TABLE })
}

fn set(family: &str, name: &str, kind: Value) -> Value {
    json!({ "add": { "set": { "family": family, "table": TABLE, "name": name, "type": kind } } })
}

fn intervals(family: &str, name: &str, kind: &str) -> Value {
    json!({ "add": { "set": {
        "family": family, "table": TABLE, "name": name, "type": kind, "flags": ["interval"]
    } } })
}

fn map(family: &str, name: &str, from: &str, to: &str) -> Value {
    json!({ "add": { "map": {
        "family": family, "table": TABLE, "name": name, "type": from, "map": to
    } } })
}

fn element(family: &str, set: &str, element: Value) -> Value {
    json!({ "element": { "family": family, "table": TABLE, "name": set, "elem": [element] } })
}

/// A base chain that accepts what no rule catches (it would otherwise decide on all the host's other traffic), emptied
/// of any rules, and its rules.
fn chain<const N: usize>(
    family: &str,
    name: &str,
    kind: &str,
    hook: &str,
    priority: i32,
    rules: [Vec<Value>; N],
) -> Vec<Value> {
    let mut commands = vec![
        json!({ "add": { "chain": {
            "family": family, "table": TABLE, "name": name,
            "type": kind, "hook": hook, "prio": priority, "policy": "accept"
        } } }),
        json!({ "flush": { "chain": { "family": family, "table": TABLE, "name": name } } }),
    ];
    commands.extend(rules.map(|rule| {
        json!({ "add": { "rule": {
            "family": family, "table": TABLE, "chain": name, "expr": rule
        } } })
    }));
    commands
}

fn compare(left: Value, operator: &str, right: Value) -> Value {
    json!({ "match": { "op": operator, "left": left, "right": right } })
}

fn is(left: Value, right: Value) -> Value {
    compare(left, "==", right)
}

fn is_not(left: Value, right: Value) -> Value {
    compare(left, "!=", right)
}

/// Of flags: any of them.
fn has(left: Value, right: Value) -> Value {
    compare(left, "in", right)
}

fn in_set(name: &str) -> Value {
    json!(format!("@{name}"))
}

fn meta(key: &str) -> Value {
    json!({ "meta": { "key": key } })
}

fn ct(key: &str) -> Value {
    json!({ "ct": { "key": key } })
}

fn field(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

fn concat<const N: usize>(parts: [Value; N]) -> Value {
    json!({ "concat": parts.as_slice() })
}

/// Port, MAC and IP of whoever sent a frame.
fn speaker(mac: &str, mac_field: &str, ip: &str, ip_field: &str) -> Value {
    concat([meta("iifname"), field(mac, mac_field), field(ip, ip_field)])
}

fn accept() -> Value {
    json!({ "accept": null })
}

/// A refusal that the guest hears of at once, instead of a connection that hangs.
fn reject() -> Value {
    json!({ "reject": { "type": "icmpx", "expr": "admin-prohibited" } })
}
