//! Networks by name.

use serde_json::json;

use crate::support::{Image, Lab};

#[test]
fn machines_reach_those_on_their_network_and_no_others() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    assert_eq!(
        lab.run("network create lab --subnet 172.20.0.0/24").ok(),
        "lab created (172.20.0.0/24)\n"
    );
    for (name, network) in [("a", "lab"), ("b", "lab"), ("c", "default")] {
        lab.run(&format!(
            "machine deploy {tiny} --name {name} --network {network}"
        ))
        .ok();
    }
    assert_eq!(lab.field("a", "ip"), "172.20.0.2");
    assert_eq!(lab.field("b", "ip"), "172.20.0.3");
    assert_eq!(lab.field("c", "network"), "default");
    let shown = lab.run("network show lab -o json").json();
    assert_eq!(shown["machines"], json!(["a", "b"]));
    assert_eq!(shown["gateway"], "172.20.0.1");

    let ping = |from: &str, to: &str| {
        let to = lab.field(to, "ip");
        lab.run(&format!("machine exec {from} ping -c 1 -W 5 {to}"))
    };
    ping("a", "b").ok();
    ping("b", "a").ok();
    ping("a", "c").fails(1);
    ping("c", "a").fails(1);

    let said = lab.run("network delete lab").fails(4);
    assert!(said.contains("is in use by a, b"), "{said}");
    lab.run("machine delete a b c -y").ok();
    assert_eq!(lab.run("network delete lab").ok(), "lab deleted\n");
    assert!(!lab.inside("ip -o link").contains("sistemo1"));
    lab.has_nothing_left();
}

#[test]
fn a_network_that_cannot_be_is_refused_and_nothing_changes() {
    let lab = Lab::bare();
    lab.inside("ip link add taken type bridge");
    lab.inside("ip address add 10.201.0.9/24 dev taken");
    lab.inside("ip link set taken up");
    // The first that nobody has: 10.201 is the host's.
    assert_eq!(
        lab.run("network create one").ok(),
        "one created (10.202.0.0/24)\n"
    );
    let said = lab.refuses(
        &[
            ("network create one", 4, "exists already"),
            (
                "network create two --subnet 10.201.0.0/16",
                4,
                "10.201.0.0/24 on taken",
            ),
            (
                "network create two --subnet 10.202.0.0/25",
                4,
                "overlaps 10.202.0.0/24 of the network",
            ),
            (
                "network create two --subnet 10.200.5.0/24",
                4,
                "of the network \"default\"",
            ),
            (
                "network create two --subnet 10.203.0.1/24",
                2,
                "cannot be a network's addresses",
            ),
            (
                "network create two --subnet 10.203.0.0/31",
                2,
                "cannot be a network's addresses",
            ),
            (
                "network create two --subnet everything",
                2,
                "invalid value 'everything'",
            ),
            ("network create Two", 2, "invalid value 'Two'"),
            ("network show nosuch", 3, "there is no network"),
            ("network delete nosuch", 3, "there is no network"),
            (
                "network delete default",
                4,
                "the default network cannot be deleted",
            ),
            (
                "machine deploy debian --network nosuch",
                3,
                "there is no network",
            ),
        ],
        "network list -o json",
    );
    insta::assert_snapshot!("refused_networks", said);
    lab.run("network delete one").ok();
    lab.inside("ip link del taken");
    lab.has_nothing_left();
}
