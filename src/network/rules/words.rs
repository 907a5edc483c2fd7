//! The words of libnftables-json(5) that the rules are written in.

use serde_json::{Value, json};

use super::TABLE;

pub(super) fn table(family: &str) -> Value {
    json!({ "family": family, "name": TABLE })
}

pub(super) fn set(family: &str, name: &str, kind: Value) -> Value {
    json!({ "add": { "set": { "family": family, "table": TABLE, "name": name, "type": kind } } })
}

pub(super) fn intervals(family: &str, name: &str, kind: &str) -> Value {
    json!({ "add": { "set": {
        "family": family, "table": TABLE, "name": name, "type": kind, "flags": ["interval"]
    } } })
}

pub(super) fn map(family: &str, name: &str, from: Value, to: &str) -> Value {
    json!({ "add": { "map": {
        "family": family, "table": TABLE, "name": name, "type": from, "map": to
    } } })
}

pub(super) fn element(family: &str, set: &str, element: Value) -> Value {
    json!({ "element": { "family": family, "table": TABLE, "name": set, "elem": [element] } })
}

/// A base chain that accepts what no rule catches (it would otherwise decide on all the host's other traffic), emptied
/// of any rules, and its rules.
pub(super) fn chain<const N: usize>(
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

pub(super) fn is(left: Value, right: Value) -> Value {
    compare(left, "==", right)
}

pub(super) fn is_not(left: Value, right: Value) -> Value {
    compare(left, "!=", right)
}

/// Of flags: any of them.
pub(super) fn has(left: Value, right: Value) -> Value {
    compare(left, "in", right)
}

pub(super) fn in_set(name: &str) -> Value {
    json!(format!("@{name}"))
}

pub(super) fn meta(key: &str) -> Value {
    json!({ "meta": { "key": key } })
}

pub(super) fn ct(key: &str) -> Value {
    json!({ "ct": { "key": key } })
}

pub(super) fn field(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

pub(super) fn concat<const N: usize>(parts: [Value; N]) -> Value {
    json!({ "concat": parts.as_slice() })
}

/// Port, MAC and IP of whoever sent a frame.
pub(super) fn speaker(mac: &str, mac_field: &str, ip: &str, ip_field: &str) -> Value {
    concat([meta("iifname"), field(mac, mac_field), field(ip, ip_field)])
}

pub(super) fn prefix(address: &str, length: u8) -> Value {
    json!({ "prefix": { "addr": address, "len": length } })
}

pub(super) fn masquerade() -> Value {
    json!({ "masquerade": null })
}

pub(super) fn accept() -> Value {
    json!({ "accept": null })
}

/// A refusal that the guest hears of at once, instead of a connection that hangs.
pub(super) fn reject() -> Value {
    json!({ "reject": { "type": "icmpx", "expr": "admin-prohibited" } })
}
