//! What holds for every sequence of networks and addresses.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{machine, name, store};
use super::*;
use crate::value::MachineId;

/// A subnet as somebody may type it: mostly small, mostly close to others.
fn subnet() -> impl Strategy<Value = Ipv4Net> {
    (0u32..64, 20u8..=32, any::<bool>()).prop_map(|(number, prefix, exact)| {
        let address = Ipv4Addr::from(0x0ac8_0000 + (number << 8));
        let net = Ipv4Net::new(address, prefix).unwrap();
        if exact { net.trunc() } else { net }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn networks_never_overlap_and_have_room(subnets in proptest::collection::vec(subnet(), 1..24)) {
        let (_directory, store) = store();
        for (number, subnet) in subnets.iter().enumerate() {
            let made = store.create_network(&name(&format!("n{number}")), *subnet);
            let clear = store.networks().unwrap().into_iter().all(|other| {
                other.name.as_str() == format!("n{number}")
                    || !(other.subnet.contains(subnet) || subnet.contains(&other.subnet))
            });
            let sound = subnet.trunc() == *subnet && PREFIXES.contains(&subnet.prefix_len());
            prop_assert_eq!(made.is_ok(), clear && sound, "{}", subnet);
            if let Ok(network) = made {
                let free: Vec<_> = network.free_for_machines().collect();
                prop_assert!(free.iter().all(|ip| subnet.contains(ip)));
                for taken in [network.gateway(), subnet.network(), subnet.broadcast()] {
                    prop_assert!(!free.contains(&taken), "{}", taken);
                }
                prop_assert_eq!(free.len() + 3, 1 << (32 - subnet.prefix_len()));
            }
        }
    }

    /// Each step is a machine's, which gets an address or gives its own back.
    #[test]
    fn an_address_is_the_lowest_that_nobody_has(steps in proptest::collection::vec((0usize..9, any::<bool>()), 1..60)) {
        let (_directory, store) = store();
        let network = name("lab");
        let lab = store.create_network(&network, "10.200.0.0/29".parse().unwrap()).unwrap();
        let ids: Vec<MachineId> = (0..9).map(|n| machine(&store, &format!("m{n}"))).collect();
        let mut held: BTreeMap<usize, Ipv4Addr> = BTreeMap::new();
        for (who, takes) in steps {
            if !takes {
                store.release_address(&ids[who]).unwrap();
                held.remove(&who);
                continue;
            }
            let lowest = || lab.free_for_machines().find(|ip| !held.values().any(|has| has == ip));
            let wanted = held.get(&who).copied().or_else(lowest);
            let got = store.allocate_address(&network, &ids[who]);
            prop_assert_eq!(got.ok(), wanted);
            held.extend(wanted.map(|ip| (who, ip)));
            if let Some(ip) = wanted {
                let owner = store.guest_name(&network, ip).unwrap().unwrap();
                prop_assert_eq!(String::from(owner), format!("m{who}"));
            }
        }
    }
}
