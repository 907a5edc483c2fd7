//! What a network says of itself: the addresses of its machines, and their names.

use std::net::{IpAddr, Ipv4Addr};

use hickory_server::proto::op::LowerQuery;
use hickory_server::proto::rr::rdata::{A, PTR};
use hickory_server::proto::rr::{self, RData, Record, RecordType};

use crate::store::Store;
use crate::store::networks::{DEFAULT, Network};
use crate::value::Name;

/// Seconds for which an answer may be kept: none, since a machine may be deleted, and its address be another's, at once.
const TTL: u32 = 0;

/// The answer to a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Record(Box<Record>),
    /// There is such a name, but nothing of the kind that was asked for: a machine has no IPv6 address.
    Nothing,
    NoSuchName,
    /// It is not for this network to say.
    Elsewhere,
    /// The store could not be asked.
    Failed,
}

/// What `network` says to `query`.
pub(super) fn answer(store: &Store, network: &Network, query: &LowerQuery) -> Answer {
    let name = query.original().name().clone();
    let lower = rr::Name::from(query.name());
    let found = match asked(network, &lower, query.query_type()) {
        Asked::Address(machine) => store
            .guest_address(&network.name, &machine)
            .map(|ip| ip.map(|ip| (RecordType::A, RData::A(A(ip))))),
        Asked::Name(ip) => store
            .guest_name(&network.name, ip)
            .map(|machine| Some((RecordType::PTR, RData::PTR(PTR(full(&machine?, network)?))))),
        Asked::NoSuchName => return Answer::NoSuchName,
        Asked::Elsewhere => return Answer::Elsewhere,
    };
    match found {
        Ok(Some((kind, data)))
            if matches!(query.query_type(), RecordType::ANY) || kind == query.query_type() =>
        {
            Answer::Record(Box::new(Record::from_rdata(name, TTL, data)))
        }
        Ok(Some(_)) => Answer::Nothing,
        // Below a network whose name is a domain of the world's, such as dev, there is more than its machines.
        Ok(None) if name.num_labels() == 2 && network.name.as_str() != DEFAULT => Answer::Elsewhere,
        Ok(None) => Answer::NoSuchName,
        Err(error) => {
            tracing::warn!(%error, "a name could not be looked up");
            Answer::Failed
        }
    }
}

/// What a name is about.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// A machine of this network, if there is one.
    Address(Name),
    /// Who has an address of this network.
    Name(Ipv4Addr),
    NoSuchName,
    Elsewhere,
}

fn asked(network: &Network, name: &rr::Name, kind: RecordType) -> Asked {
    let labels: Vec<&str> = name
        .iter()
        .map(|label| std::str::from_utf8(label).unwrap_or_default())
        .collect();
    match labels[..] {
        // No host has a name of one word, so nobody else is asked for one's address, as with dnsmasq's domain-needed.
        [word] => match word.parse() {
            Ok(machine) => Asked::Address(machine),
            Err(_) if matches!(kind, RecordType::A | RecordType::AAAA) => Asked::NoSuchName,
            Err(_) => Asked::Elsewhere,
        },
        [word, domain] if domain == network.name.as_str() => {
            word.parse().map_or(Asked::Elsewhere, Asked::Address)
        }
        [.., "in-addr", "arpa"] => match name.parse_arpa_name().map(|net| net.addr()) {
            Ok(IpAddr::V4(ip)) if labels.len() == 6 && network.subnet.contains(&ip) => {
                Asked::Name(ip)
            }
            _ => Asked::Elsewhere,
        },
        _ => Asked::Elsewhere,
    }
}

/// `web.default.`
fn full(machine: &Name, network: &Network) -> Option<rr::Name> {
    rr::Name::from_labels([machine.as_str(), network.name.as_str()]).ok()
}
