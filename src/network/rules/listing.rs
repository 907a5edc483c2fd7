//! Reading what `nft -j list table` answers: which of the sets' elements are whose.

use serde_json::Value;

use super::words::element;
use super::{BRIDGE, BRIDGES, OWNERS, PORTS};

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
