//! What is refused, with words that help; and other firewalls.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::lab::{Guest, Lab, network};
use crate::error::{Advice, Kind};
use crate::network::{Error, Home};

fn refused(result: Result<(), Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.hint().is_some());
    error.to_string()
}

#[test]
fn what_is_not_a_namespace_is_no_home() {
    let error = Home::open("/run/netns/no-such-lab").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open the network home /run/netns/no-such-lab"
    );
    assert!(error.hint().unwrap().contains("ip netns add lab"));
    for path in ["/etc/hostname", "/proc/self/ns/mnt", "/tmp"] {
        let error = Home::open(path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{path} is not a network namespace")
        );
    }
}

#[tokio::test]
async fn addresses_that_the_home_reaches_elsewhere() {
    let lab = Lab::new();
    let other = Lab::new();
    lab.link("vpn", &other, "far");
    let net = network(80);
    for (route, add) in [
        ("10.80.3.0/24", "ip address add 10.80.3.1/24 dev vpn"),
        ("10.0.0.0/8", "ip route add 10.0.0.0/8 dev vpn"),
        ("10.80.9.9/32", "ip route add 10.80.9.9 dev vpn"),
    ] {
        lab.sh(add);
        assert_eq!(
            refused(lab.home.up(&net).await),
            format!("the network net80 (10.80.0.0/16) overlaps the route {route} on vpn")
        );
        assert_eq!(
            lab.sh("nft list ruleset; ip -o link show type bridge"),
            "",
            "nothing half-made"
        );
        lab.sh(&add.replace(" add ", " del "));
    }
    // A default route is no overlap, and neither is the network's own.
    lab.sh("ip address add 198.51.100.2/24 dev vpn && ip route add default via 198.51.100.1");
    lab.home.up(&net).await.unwrap();
    lab.home.up(&net).await.unwrap();
}

#[tokio::test]
async fn a_bridge_of_somebody_else() {
    let lab = Lab::new();
    let net = network(81);
    lab.sh("ip link add sistemo81 type ifb");
    let expected = "the interface sistemo81 exists and is not the bridge of 10.81.0.0/16";
    assert_eq!(refused(lab.home.up(&net).await), expected);
    lab.sh("ip link del sistemo81 && ip link add sistemo81 type bridge && ip address add 192.168.3.1/24 dev sistemo81");
    assert_eq!(refused(lab.home.up(&net).await), expected);
}

#[tokio::test]
async fn an_address_of_another_data_directorys_machine() {
    let lab = Lab::new();
    let net = network(82);
    lab.home.up(&net).await.unwrap();
    let (mine, theirs) = (lab.machine(&net, 2), lab.machine(&net, 2));
    lab.home.attach(&theirs).await.unwrap();
    let expected = format!(
        "the address 10.82.0.2 belongs to another machine in this network home ({})",
        theirs.port
    );
    assert_eq!(refused(lab.home.attach(&mine).await), expected);
    // Undoing the one does not harm the other.
    lab.home.detach(&mine).await.unwrap();
    let guest = Guest::boot(&theirs);
    guest.lab.serve(80);
    assert_eq!(lab.ask(theirs.ip, 80).unwrap(), "10.82.0.1");
    lab.home.detach(&theirs).await.unwrap();
}

#[tokio::test]
async fn a_network_in_use_stays() {
    let lab = Lab::new();
    let net = network(83);
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    lab.home.attach(&plan).await.unwrap();
    let expected = format!("the bridge sistemo83 still has {} on it", plan.port);
    assert_eq!(refused(lab.home.down(&net).await), expected);
    lab.home.detach(&plan).await.unwrap();
    lab.home.down(&net).await.unwrap();
}

#[tokio::test]
async fn a_machine_without_its_network() {
    let lab = Lab::new();
    let plan = lab.machine(&network(84), 2);
    let error = lab.home.attach(&plan).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot find sistemo84");
    lab.home.detach(&plan).await.unwrap();
    assert!(lab.home.seen().await.unwrap().machines.is_empty());
}

#[tokio::test]
async fn nobody_at_home() {
    let lab = Lab::new();
    let nobody = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7722);
    let error = lab
        .home
        .connect(nobody, Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    let net = network(85);
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    lab.home.attach(&plan).await.unwrap();
    let error = lab
        .home
        .connect(plan.at(7722), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "10.85.0.2:7722 did not answer within 0.05 s"
    );
    lab.home.detach(&plan).await.unwrap();
}

/// Docker's rules as it sets them up: forwarded packets are dropped unless a chain of Docker's accepts them.
#[tokio::test]
async fn packets_pass_dockers_firewall() {
    let (lab, internet) = (Lab::new(), Lab::new());
    lab.link("out", &internet, "in");
    lab.sh("ip address add 198.51.100.2/24 dev out && ip route add default via 198.51.100.1");
    internet.sh("ip address add 198.51.100.1/24 dev in");
    internet.serve(80);
    lab.sh(
        "nft 'table ip filter { chain DOCKER-USER { return; }; \
         chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }; }'",
    );
    let docker = lab.sh("nft list chain ip filter DOCKER-USER");
    let net = network(86);
    lab.home.up(&net).await.unwrap();
    lab.home.up(&net).await.unwrap();
    assert_eq!(lab.home.obstacles(&net.bridge).await.unwrap(), []);
    let rules = lab.sh("nft list chain ip filter DOCKER-USER");
    assert_eq!(
        rules.matches("comment \"sistemo sistemo86\"").count(),
        2,
        "{rules}"
    );
    let plan = lab.machine(&net, 2);
    lab.home.attach(&plan).await.unwrap();
    let guest = Guest::boot(&plan);
    assert_eq!(
        guest.lab.ask(Ipv4Addr::new(198, 51, 100, 1), 80).unwrap(),
        "198.51.100.2"
    );
    lab.home.detach(&plan).await.unwrap();
    lab.home.down(&net).await.unwrap();
    assert_eq!(
        lab.sh("nft list chain ip filter DOCKER-USER"),
        docker,
        "left as it was"
    );
}

#[tokio::test]
async fn other_firewalls_are_told_of() {
    let lab = Lab::new();
    let net = network(87);
    lab.home.up(&net).await.unwrap();
    let obstacles = async || {
        let found = lab.home.obstacles(&net.bridge).await.unwrap();
        found
            .into_iter()
            .map(|obstacle| (obstacle.chain, obstacle.hint))
            .collect::<Vec<_>>()
    };
    assert_eq!(obstacles().await, [], "our own tables are none");
    lab.sh("nft 'table ip filter { chain ufw-user-forward { }; \
         chain FORWARD { type filter hook forward priority filter; policy drop; }; }'");
    let ufw = "ufw route allow in on sistemo87 && ufw route allow out on sistemo87";
    assert_eq!(
        obstacles().await,
        [("ip filter FORWARD".into(), ufw.into())]
    );
    lab.sh("nft delete table ip filter");
    lab.sh("nft 'table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; policy accept; reject; }; }'");
    let firewalld = "firewall-cmd --permanent --zone=trusted --add-interface=sistemo87 && firewall-cmd --reload";
    assert_eq!(
        obstacles().await,
        [("inet firewalld filter_FORWARD".into(), firewalld.into())]
    );
}
