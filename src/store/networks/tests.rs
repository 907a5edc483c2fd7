//! Networks and addresses in a real database, and by several processes at once.

use super::*;
use crate::error::{Advice, Kind};
use crate::value::MachineId;

pub(super) fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("sistemo.db")).unwrap();
    (directory, store)
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

pub(super) fn machine(store: &Store, called: &str) -> MachineId {
    let id = MachineId::new();
    let row = [id.to_string(), called.into(), now()];
    store
        .lock()
        .execute(
            "INSERT INTO machines (id, name, status, spec, created_at) \
             VALUES (?, ?, 'creating', '{}', ?)",
            row,
        )
        .unwrap();
    id
}

#[test]
fn networks_come_and_go() {
    let (_directory, store) = store();
    assert!(matches!(
        store.network(&name("default")),
        Err(Error::NotFound { .. })
    ));
    let default = store
        .ensure_network(&name("default"), net("10.200.0.0/16"))
        .unwrap();
    assert_eq!(default.bridge, "sistemo0");
    assert_eq!(default.gateway(), Ipv4Addr::new(10, 200, 0, 1));
    // A subnet asked for later does not change a network that is there.
    assert_eq!(
        store
            .ensure_network(&name("default"), net("10.9.0.0/16"))
            .unwrap(),
        default
    );
    let lab = store
        .create_network(&name("lab"), net("10.201.0.0/24"))
        .unwrap();
    assert_eq!(lab.bridge, "sistemo1");
    assert_eq!(store.networks().unwrap(), [default.clone(), lab]);
    store.delete_network(&name("default")).unwrap();
    assert!(matches!(
        store.delete_network(&name("default")),
        Err(Error::NotFound { .. })
    ));
    let again = store
        .create_network(&name("again"), net("10.202.0.0/24"))
        .unwrap();
    assert_eq!(again.bridge, "sistemo0", "the lowest free bridge name");
}

#[test]
fn bad_networks_are_refused() {
    let (_directory, store) = store();
    store
        .create_network(&name("a"), net("10.200.0.0/16"))
        .unwrap();
    let refused = |called: &str, subnet: &str| {
        let error = store
            .create_network(&name(called), net(subnet))
            .unwrap_err();
        assert!(error.hint().is_some());
        (error.to_string(), error.kind())
    };
    let exists = refused("a", "10.201.0.0/16");
    assert_eq!(
        exists,
        ("the network \"a\" exists already".into(), Kind::Refused)
    );
    for subnet in ["10.200.5.0/24", "10.0.0.0/8", "10.200.0.0/16"] {
        assert_eq!(refused("b", subnet).1, Kind::Refused, "{subnet}");
    }
    for subnet in [
        "10.201.0.0/30",
        "10.201.0.0/32",
        "0.0.0.0/0",
        "10.201.0.1/16",
        "127.1.0.0/16",
        "169.254.0.0/16",
        "224.0.0.0/24",
        "240.0.0.0/8",
        "0.0.0.0/8",
    ] {
        assert_eq!(refused("b", subnet).1, Kind::Usage, "{subnet}");
    }
    assert_eq!(store.networks().unwrap().len(), 1);
}

#[test]
fn a_network_changes_its_addresses_while_no_machine_has_one() {
    let (_directory, store) = store();
    let (default, lab) = (name("default"), name("lab"));
    store
        .create_network(&default, net("10.200.0.0/16"))
        .unwrap();
    store.create_network(&lab, net("10.201.0.0/16")).unwrap();
    let moved = store.readdress_network(&default, net("10.202.0.0/16"));
    assert_eq!(moved.unwrap(), store.network(&default).unwrap());
    let subnet = || store.network(&default).unwrap().subnet;
    assert_eq!(subnet(), net("10.202.0.0/16"));
    // Addresses that overlap only its own are fine; another network's are not, nor is nonsense.
    store
        .readdress_network(&default, net("10.202.0.0/17"))
        .unwrap();
    for bad in ["10.201.7.0/24", "10.0.0.0/8", "10.203.0.1/16"] {
        store.readdress_network(&default, net(bad)).unwrap_err();
    }
    let id = machine(&store, "web");
    store.allocate_address(&default, &id).unwrap();
    let kept = store.readdress_network(&default, net("10.203.0.0/16"));
    assert_eq!(kept.unwrap().subnet, net("10.202.0.0/17"));
    assert_eq!(subnet(), net("10.202.0.0/17"));
}

#[test]
fn addresses_are_the_lowest_free_until_there_is_none() {
    let (_directory, store) = store();
    let tiny = name("tiny");
    store.create_network(&tiny, net("10.200.0.0/29")).unwrap();
    let ids: Vec<_> = (0..6).map(|n| machine(&store, &format!("m{n}"))).collect();
    let last = |ip: Ipv4Addr| ip.octets()[3];
    // Of eight, .0 is the network, .1 the gateway, .7 the broadcast.
    for (id, expected) in ids.iter().zip(2..=6) {
        assert_eq!(last(store.allocate_address(&tiny, id).unwrap()), expected);
    }
    assert_eq!(
        last(store.allocate_address(&tiny, &ids[3]).unwrap()),
        5,
        "it keeps its own"
    );
    let full = store.allocate_address(&tiny, &ids[5]).unwrap_err();
    assert_eq!(
        full.to_string(),
        "every address of the network \"tiny\" (10.200.0.0/29) is taken"
    );
    store.release_address(&ids[1]).unwrap();
    store.release_address(&ids[1]).unwrap();
    assert_eq!(last(store.allocate_address(&tiny, &ids[5]).unwrap()), 3);
    // A machine's row takes its address with it.
    store
        .lock()
        .execute("DELETE FROM machines WHERE id = ?", [ids[0].to_string()])
        .unwrap();
    assert_eq!(last(store.allocate_address(&tiny, &ids[1]).unwrap()), 2);
    let in_use = store.delete_network(&tiny).unwrap_err();
    assert_eq!(
        in_use.to_string(),
        "the network \"tiny\" is in use by m1, m2, m3, m4, m5"
    );
}

#[test]
fn processes_at_once_never_get_the_same_address() {
    let (directory, store) = store();
    let network = name("default");
    let ids: Vec<_> = (0..40).map(|n| machine(&store, &format!("m{n}"))).collect();
    let threads: Vec<_> = ids
        .chunks(10)
        .map(|ids| {
            // As another process would: a connection of its own.
            let (ids, path) = (ids.to_vec(), directory.path().join("sistemo.db"));
            let network = network.clone();
            std::thread::spawn(move || {
                let store = Store::open(&path).unwrap();
                store
                    .ensure_network(&network, net("10.200.0.0/16"))
                    .unwrap();
                let allocate = |id| store.allocate_address(&network, id).unwrap();
                ids.iter().map(allocate).collect::<Vec<_>>()
            })
        })
        .collect();
    let all: BTreeSet<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    let expected = (2..42).map(|last| Ipv4Addr::new(10, 200, 0, last));
    assert!(all.into_iter().eq(expected));
}
