//! What holds of networks and addresses in whatever order they come and go.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{machine, name, store};
use super::*;
use crate::value::MachineId;

#[derive(Clone, Debug)]
enum Act {
    Allocate(usize),
    Release(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0usize..20).prop_map(Act::Allocate),
        1 => (0usize..20).prop_map(Act::Release),
    ];
    prop::collection::vec(act, 1..60)
}

/// First and last address, by arithmetic alone.
fn range(subnet: Ipv4Net) -> (u32, u32) {
    let first = u32::from(subnet.addr());
    let rest = u32::MAX
        .checked_shr(subnet.prefix_len().into())
        .unwrap_or(0);
    (first, first | rest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_address_has_one_holder_and_none_is_lost(
        (prefix, start) in (27u8..=29, 0x0a00_0000u32..=0x0aff_ffff),
        acts in acts(),
    ) {
        let (_directory, store) = store();
        let subnet = Ipv4Net::new(start.into(), prefix).unwrap().trunc();
        let lab = name("lab");
        let network = store.create_network(&lab, subnet).unwrap();
        let (first, last) = range(subnet);
        // All but the network's own, the gateway's and the broadcast's.
        let capacity = (last - first + 1 - 3) as usize;
        let machines: Vec<MachineId> = (0..20)
            .map(|number| machine(&store, &format!("m{number}")))
            .collect();
        let mut held: BTreeMap<usize, Ipv4Addr> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Allocate(who) => match store.allocate_address(&lab, &machines[who]) {
                    Ok(ip) => {
                        let number = u32::from(ip);
                        prop_assert!(first < number && number < last && ip != network.gateway());
                        let before = held.insert(who, ip);
                        prop_assert!(before.is_none_or(|before| before == ip), "it keeps what it has");
                        let distinct: BTreeSet<_> = held.values().collect();
                        prop_assert_eq!(distinct.len(), held.len(), "two have {}", ip);
                    }
                    Err(Error::Full { .. }) => {
                        prop_assert_eq!(held.len(), capacity, "an address is lost");
                        prop_assert!(!held.contains_key(&who));
                    }
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                },
                Act::Release(who) => {
                    store.release_address(&machines[who]).unwrap();
                    held.remove(&who);
                }
            }
        }
        // What was given back is given again, all of it.
        for machine in &machines {
            store.release_address(machine).unwrap();
        }
        let all: BTreeSet<_> = machines.iter().take(capacity)
            .map(|machine| store.allocate_address(&lab, machine).unwrap())
            .collect();
        prop_assert_eq!(all.len(), capacity.min(machines.len()));
    }

    #[test]
    fn networks_never_share_an_address_and_what_is_free_is_given(
        // Few places, so that many of them meet.
        wishes in prop::collection::vec((0u32..8, 0u32..4, 6u8..=32), 1..12),
    ) {
        let (_directory, store) = store();
        let mut there: Vec<(u32, u32)> = Vec::new();
        for (number, (second, fourth, prefix)) in wishes.into_iter().enumerate() {
            let address = Ipv4Addr::from((10 << 24) + (second << 18) + (fourth << 3));
            let subnet = Ipv4Net::new(address, prefix).unwrap();
            let (first, last) = range(subnet);
            let aligned = subnet.trunc() == subnet;
            let taken = there.iter().any(|(a, b)| first <= *b && *a <= last);
            match store.create_network(&name(&format!("n{number}")), subnet) {
                Ok(_) => {
                    prop_assert!(aligned && !taken && (8..=29).contains(&prefix), "{}", subnet);
                    there.push((first, last));
                }
                Err(Error::BadSubnet { .. }) => prop_assert!(!aligned || !(8..=29).contains(&prefix)),
                Err(Error::Overlaps { .. }) => prop_assert!(taken, "{}", subnet),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
        let bridges: BTreeSet<_> = store.networks().unwrap().into_iter().map(|n| n.bridge).collect();
        prop_assert_eq!(bridges.len(), there.len(), "each has a bridge of its own");
    }
}
