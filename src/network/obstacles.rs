//! Other firewalls in the home that would stop guests' packets.
//!
//! Every base chain of a hook has its say, and one `drop` is final (nft(8), "Chains"), so nothing in Sistemo's own table
//! can help against one. Docker offers a chain for exactly this; of the others the doctor tells.

use serde_json::{Value, json};

use super::error::Error;
use super::home::Home;
use super::nft;

/// Docker's chain for other programs' and the administrator's rules, and the table of iptables-nft it is in
/// (<https://docs.docker.com/engine/network/firewall-iptables/>).
const DOCKER_TABLE: &str = "filter";
const DOCKER_CHAIN: &str = "DOCKER-USER";

/// A firewall that stops guests' packets unless it is told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Table and chain, as nft names them: `ip filter FORWARD`.
    pub chain: String,
    /// What to type.
    pub hint: String,
}

impl Home {
    /// Firewalls that stop packets of `bridge`. Not seen: rules of the old `iptables-legacy`, which nft does not show.
    pub async fn obstacles(&self, bridge: &str) -> Result<Vec<Obstacle>, Error> {
        let bridge = bridge.to_owned();
        self.namespace
            .blocking(move || Ok(find(&nft::list(&["chains"])?, &bridge)))
            .await
    }
}

fn find(chains: &Value, bridge: &str) -> Vec<Obstacle> {
    let chains: Vec<_> = objects(chains, "chain").collect();
    let named = |table: &str, what: &dyn Fn(&str) -> bool| {
        chains
            .iter()
            .any(|chain| chain["table"] == table && chain["name"].as_str().is_some_and(what))
    };
    let docker = named(DOCKER_TABLE, &|name| name == DOCKER_CHAIN);
    let ufw = named(DOCKER_TABLE, &|name| name.starts_with("ufw-"));
    let mut found = Vec::new();
    for chain in &chains {
        let text = |key: &str| chain[key].as_str().unwrap_or_default();
        let (family, table, name) = (text("family"), text("table"), text("name"));
        let firewalld = table == "firewalld";
        let stops = text("policy") == "drop" || firewalld;
        let sees_ipv4 = matches!(family, "ip" | "inet");
        let passed = docker && family == "ip" && table == DOCKER_TABLE;
        if text("hook") != "forward" || !sees_ipv4 || !stops || passed {
            continue;
        }
        let hint = if firewalld {
            format!(
                "firewall-cmd --permanent --zone=trusted --add-interface={bridge} && firewall-cmd --reload"
            )
        } else if ufw && table == DOCKER_TABLE {
            format!("ufw route allow in on {bridge} && ufw route allow out on {bridge}")
        } else {
            format!(
                "nft insert rule {family} {table} {name} iifname {bridge} accept; nft insert rule {family} {table} {name} oifname {bridge} accept"
            )
        };
        found.push(Obstacle {
            chain: format!("{family} {table} {name}"),
            hint,
        });
    }
    found
}

/// Puts an accept for the bridge into Docker's chain, if there is one. What may pass is still up to Sistemo's own table.
pub(super) fn pass_docker(bridge: &str) -> Result<(), Error> {
    if docker_rules(bridge)?.is_none_or(|handles| !handles.is_empty()) {
        return Ok(());
    }
    let rule = |direction: &str| {
        json!({ "insert": { "rule": {
            "family": "ip", "table": DOCKER_TABLE, "chain": DOCKER_CHAIN, "comment": comment(bridge),
            "expr": [
                { "match": { "op": "==", "left": { "meta": { "key": direction } }, "right": bridge } },
                { "counter": { "packets": 0, "bytes": 0 } },
                { "accept": null },
            ],
        } } })
    };
    nft::apply(
        "pass Docker's firewall",
        &json!({ "nftables": [rule("iifname"), rule("oifname")] }),
    )
}

/// Takes it out again.
pub(super) fn forget_docker(bridge: &str) -> Result<(), Error> {
    let handles = docker_rules(bridge)?.unwrap_or_default();
    if handles.is_empty() {
        return Ok(());
    }
    let delete = |handle: u64| {
        json!({ "delete": { "rule": {
            "family": "ip", "table": DOCKER_TABLE, "chain": DOCKER_CHAIN, "handle": handle,
        } } })
    };
    let commands: Vec<_> = handles.into_iter().map(delete).collect();
    nft::apply("leave Docker's firewall", &json!({ "nftables": commands }))
}

/// The handles of the bridge's rules in Docker's chain; `None` without such a chain.
fn docker_rules(bridge: &str) -> Result<Option<Vec<u64>>, Error> {
    let listing = match nft::list(&["chain", "ip", DOCKER_TABLE, DOCKER_CHAIN]) {
        Err(Error::Nft { said, .. }) if said.contains("No such file or directory") => {
            return Ok(None);
        }
        other => other?,
    };
    let ours = objects(&listing, "rule").filter(|rule| rule["comment"] == comment(bridge));
    Ok(Some(
        ours.filter_map(|rule| rule["handle"].as_u64()).collect(),
    ))
}

fn comment(bridge: &str) -> String {
    format!("sistemo {bridge}")
}

fn objects<'a>(listing: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    listing["nftables"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(move |object| object.get(kind))
}
