//! Reading what `nft -j list table` answers: which of the sets' elements are whose.

use std::collections::HashMap;

use serde_json::Value;

use super::super::plan::MachinePlan;
use super::words::element;
use super::{BRIDGE, BRIDGES, INET, OWNERS, PORTS, PUBLISHED, PUBLISHED_AS};

/// The elements that name `port`, in the answer to `nft -j list table bridge sistemo`: what is to be deleted for the
/// machine to be gone, whatever plan they were made by.
pub(in crate::network) fn elements_of(port: &str, listing: &Value) -> Vec<Value> {
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

/// The elements of published ports that lead to `ip`, in the answer to `nft -j list table inet sistemo`; of those ports
/// only that `wanted` names, by protocol and number.
pub(in crate::network) fn published_to(
    ip: &str,
    listing: &Value,
    wanted: impl Fn(&str, u64) -> bool,
) -> Vec<Value> {
    let pairs = |name: &'static str| {
        let found = sets(listing).filter(move |(set, _)| *set == name);
        found.flat_map(|(_, elements)| elements)
    };
    let mine = |key: &Value| {
        let part = |index: usize| key["concat"].get(index);
        let (protocol, port) = (
            part(0).and_then(Value::as_str),
            part(1).and_then(Value::as_u64),
        );
        matches!((protocol, port), (Some(protocol), Some(port)) if wanted(protocol, port))
    };
    let keys: Vec<&Value> = pairs(PUBLISHED)
        .filter(|pair| pair.get(1).is_some_and(|to| to == ip))
        .filter_map(|pair| pair.get(0))
        .filter(|key| mine(key))
        .collect();
    let mut found = Vec::new();
    for map in [PUBLISHED, PUBLISHED_AS] {
        for pair in pairs(map).filter(|pair| pair.get(0).is_some_and(|key| keys.contains(&key))) {
            found.push(element(INET, map, pair.clone()));
        }
    }
    found
}

/// Every published port, protocol and number, and the address that it leads to.
pub(in crate::network) fn published(listing: &Value) -> HashMap<(&str, u64), &str> {
    let pairs = sets(listing).filter(|(name, _)| *name == PUBLISHED);
    let pairs = pairs.flat_map(|(_, elements)| elements);
    pairs
        .filter_map(|pair| {
            let (key, ip) = (pair.get(0)?["concat"].as_array()?, pair.get(1)?.as_str()?);
            Some(((key.first()?.as_str()?, key.get(1)?.as_u64()?), ip))
        })
        .collect()
}

/// A port that the machine is to have and that leads to another address: protocol, number and that address.
pub(in crate::network) fn taken_port(
    machine: &MachinePlan,
    listing: &Value,
) -> Option<(String, u64, String)> {
    let (own, published) = (machine.ip.to_string(), published(listing));
    machine.published.iter().find_map(|port| {
        let key = (port.protocol.as_str(), u64::from(port.host));
        let ip = published.get(&key).filter(|ip| **ip != own)?;
        Some((key.0.to_owned(), key.1, (*ip).to_owned()))
    })
}

/// The ports that the listing has elements for.
pub(in crate::network) fn ports_of(listing: &Value) -> Vec<&str> {
    let ports = sets(listing).filter(|(name, _)| *name == PORTS);
    ports
        .flat_map(|(_, elements)| elements)
        .filter_map(Value::as_str)
        .collect()
}

/// Whether the listing (of table inet) has a network left.
pub(in crate::network) fn has_bridges(listing: &Value) -> bool {
    sets(listing).any(|(name, elements)| name == BRIDGES && !elements.is_empty())
}

/// The port that has the address `ip`.
pub(in crate::network) fn owner_of<'a>(ip: &str, listing: &'a Value) -> Option<&'a str> {
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
