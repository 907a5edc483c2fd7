//! Both tables with their sets, chains and rules: who may go where, and who may say to be whom.

use serde_json::{Value, json};

use super::words::*;
use super::{
    BRIDGE, BRIDGES, GATEWAYS, GUESTS, INET, OWNERS, PORTS, PUBLISHED, PUBLISHED_AS, SUBNETS,
    WITHIN,
};

/// Both tables with their sets, chains and rules.
pub(super) fn tables(uplink: Option<&str>) -> Vec<Value> {
    let mut commands = vec![
        json!({ "add": { "table": table(INET) } }),
        json!({ "add": { "table": table(BRIDGE) } }),
        set(INET, BRIDGES, json!("ifname")),
        set(INET, WITHIN, json!(["ifname", "ifname"])),
        set(INET, GATEWAYS, json!(["ifname", "ipv4_addr"])),
        intervals(INET, SUBNETS, "ipv4_addr"),
        map(
            INET,
            PUBLISHED,
            json!(["inet_proto", "inet_service"]),
            "ipv4_addr",
        ),
        map(
            INET,
            PUBLISHED_AS,
            json!(["inet_proto", "inet_service"]),
            "inet_service",
        ),
        set(BRIDGE, PORTS, json!("ifname")),
        set(BRIDGE, GUESTS, json!(["ifname", "ether_addr", "ipv4_addr"])),
        map(BRIDGE, OWNERS, json!("ipv4_addr"), "ifname"),
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
            asks_its_gateway(),
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
        [
            vec![
                is(field("ip", "saddr"), in_set(SUBNETS)),
                away,
                masquerade(),
            ],
            // A guest cannot answer 127.0.0.1, and would answer its neighbour without passing here. By addresses, not
            // by interfaces: what br_netfilter turns to a neighbour within the bridge has no input here.
            vec![
                is(field("ip", "saddr"), prefix("127.0.0.0", 8)),
                is(meta("oifname"), in_set(BRIDGES)),
                masquerade(),
            ],
            vec![
                has(ct("status"), json!("dnat")),
                is(field("ip", "saddr"), in_set(SUBNETS)),
                is(meta("oifname"), in_set(BRIDGES)),
                masquerade(),
            ],
        ],
    ));
    // Published ports: of the home's own addresses only, whoever asks, the home itself included.
    // What a guest asks its gateway about names stays here, whoever has port 53.
    let publish = || vec![is(to_kind(), json!("local")), to_guest()];
    let before = [asks_its_gateway(), publish()];
    commands.extend(chain(
        INET,
        "publish_prerouting",
        "nat",
        "prerouting",
        -100,
        before,
    ));
    commands.extend(chain(
        INET,
        "publish_output",
        "nat",
        "output",
        -100,
        [publish()],
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

/// Lets pass what a guest asks its own gateway about names.
fn asks_its_gateway() -> Vec<Value> {
    vec![
        is(
            concat([meta("iifname"), field("ip", "daddr")]),
            in_set(GATEWAYS),
        ),
        is(meta("l4proto"), json!({ "set": ["tcp", "udp"] })),
        is(field("th", "dport"), json!(53)),
        accept(),
    ]
}

/// What kind of address a packet goes to, as the routing tables have it.
fn to_kind() -> Value {
    json!({ "fib": { "result": "type", "flags": ["daddr"] } })
}

/// Turns a packet to a published port to its guest; one to any other port passes as it is.
fn to_guest() -> Value {
    let looked_up = |name: &str| {
        let key = concat([meta("l4proto"), field("th", "dport")]);
        json!({ "map": { "key": key, "data": format!("@{name}") } })
    };
    json!({ "dnat": {
        "family": "ip", "addr": looked_up(PUBLISHED), "port": looked_up(PUBLISHED_AS)
    } })
}
