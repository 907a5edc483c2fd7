//! The host's own network is none of the program's business when it has a home of its own.

use crate::support::{Image, Lab, output};

/// Links, addresses, routes and firewall of the host, without counters.
fn network() -> String {
    let lines = [
        "ip -o link",
        "ip -o address",
        "ip route show table all",
        "ip -6 route show table all",
        "ip rule",
        "nft -s list ruleset",
        "sysctl net.ipv4.ip_forward",
    ];
    lines.map(output).join("---\n")
}

#[test]
fn the_hosts_network_stays_as_it_was() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let before = network();
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    assert_eq!(network(), before, "with a machine running");
    assert!(lab.inside("ip -o link").contains("sistemo0"));
    assert!(lab.inside("nft list ruleset").contains("veth-"));
    lab.run("machine delete a -y").ok();
    assert_eq!(network(), before, "after it");
    lab.has_nothing_left();
}
