//! What a guest can reach, and what it cannot pretend.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::lab::{Guest, Lab, network};
use crate::network::{Mac, MachinePlan, mac_for};

pub const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub const UPLINK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// A home with a way out to a namespace that plays the internet.
pub fn home_and_internet() -> (Lab, Lab) {
    let (lab, internet) = (Lab::new(), Lab::new());
    lab.link("out", &internet, "in");
    lab.sh("ip address add 198.51.100.2/24 dev out && ip route add default via 198.51.100.1");
    internet.sh("ip address add 198.51.100.1/24 dev in");
    (lab, internet)
}

#[tokio::test]
async fn a_guest_reaches_its_network_and_the_internet_and_nothing_else() {
    let (lab, internet) = home_and_internet();
    let (net, other) = (network(90), network(91));
    lab.home.up(&net).await.unwrap();
    lab.home.up(&other).await.unwrap();
    let plans = [
        lab.machine(&net, 2),
        lab.machine(&net, 3),
        lab.machine(&other, 2),
    ];
    for plan in &plans {
        lab.home.attach(plan).await.unwrap();
    }
    let [a, b, c] = [
        Guest::boot(&plans[0]),
        Guest::boot(&plans[1]),
        Guest::boot(&plans[2]),
    ];
    for guest in [&a, &b, &c] {
        guest.lab.serve(80);
    }
    internet.serve(80);
    lab.serve(80);
    lab.serve(53);

    // Its own network, both ways, by its own address.
    assert_eq!(a.lab.ask(plans[1].ip, 80).unwrap(), "10.90.0.2");
    assert_eq!(b.lab.ask(plans[0].ip, 80).unwrap(), "10.90.0.3");
    // The internet, as the home.
    assert_eq!(a.lab.ask(INTERNET, 80).unwrap(), UPLINK.to_string());
    assert_eq!(c.lab.ask(INTERNET, 80).unwrap(), UPLINK.to_string());
    // Of the home, the gateway's DNS and ping; by no other address, and no other gateway.
    assert_eq!(a.lab.ask(net.gateway, 53).unwrap(), "10.90.0.2");
    a.lab.ping(net.gateway);
    for (ip, port) in [
        (net.gateway, 80),
        (UPLINK, 53),
        (UPLINK, 80),
        (other.gateway, 53),
    ] {
        let error = a.lab.ask(ip, port).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::HostUnreachable,
            "{ip}:{port}: {error}"
        );
    }
    // Another network: refused at once, not left to hang.
    let error = a.lab.ask(plans[2].ip, 80).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostUnreachable, "{error}");
    let error = c.lab.ask(plans[0].ip, 80).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostUnreachable, "{error}");

    // The home reaches every guest, also through a socket that is used elsewhere.
    for plan in &plans {
        let mut stream = lab
            .home
            .connect(plan.at(80), Duration::from_secs(5))
            .await
            .unwrap();
        let mut seen = String::new();
        stream.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, plan.gateway.to_string());
    }
    for plan in &plans {
        lab.home.detach(plan).await.unwrap();
    }
}

/// Neighbours of the host who route the subnet by way of it do not get in.
#[tokio::test]
async fn nobody_outside_reaches_a_guest_unasked() {
    let (lab, internet) = home_and_internet();
    let net = network(92);
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    lab.home.attach(&plan).await.unwrap();
    let guest = Guest::boot(&plan);
    let arrived = guest
        .lab
        .home
        .run(|| UdpSocket::bind("0.0.0.0:5000").unwrap())
        .unwrap();
    arrived
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    internet.sh("ip route add 10.92.0.0/16 via 198.51.100.2");
    let ip = plan.ip;
    let send = move |text: &'static str| {
        UdpSocket::bind("0.0.0.0:0")
            .unwrap()
            .send_to(text.as_bytes(), (ip, 5000))
            .unwrap();
    };
    internet.home.run(move || send("from outside")).unwrap();
    lab.home.run(move || send("from the home")).unwrap();
    assert_eq!(next(&arrived), "from the home");
    lab.home.detach(&plan).await.unwrap();
}

fn next(socket: &UdpSocket) -> String {
    let mut text = [0; 100];
    let length = socket.recv(&mut text).unwrap();
    String::from_utf8_lossy(&text[..length]).into()
}

/// An Ethernet II frame (IEEE 802.3 §3.2.6).
fn frame(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0, &from.0, &kind.to_be_bytes()[..], payload].concat()
}

/// A UDP datagram to port 5000 in an IPv4 packet (RFC 791, RFC 768; a UDP checksum of zero is none).
fn datagram(from: Ipv4Addr, to: Ipv4Addr, text: &str) -> Vec<u8> {
    let length = (28 + text.len()) as u16;
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let words = header
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let once = (sum & 0xffff) + (sum >> 16);
    let checksum = !(((once & 0xffff) + (once >> 16)) as u16);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header.extend(4000u16.to_be_bytes());
    header.extend(5000u16.to_be_bytes());
    header.extend((length - 20).to_be_bytes());
    header.extend([0, 0]);
    header.extend(text.bytes());
    header
}

/// An ARP packet (RFC 826): `from` says that it has `ip`, and asks for or answers about `of`.
fn arp(operation: u16, from: Mac, ip: Ipv4Addr, of: Ipv4Addr) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, operation as u8];
    [&head[..], &from.0, &ip.octets(), &[0; 6], &of.octets()].concat()
}

/// A victim, the attacker and an innocent third on one network, and what the victim hears on UDP port 5000. Frames of
/// one sender arrive in order, so that when the honest one that follows has arrived, what came before it and did not
/// arrive was dropped.
struct Scene {
    lab: Lab,
    plans: [MachinePlan; 3],
    victim: Guest,
    attacker: Guest,
    heard: UdpSocket,
}

impl Scene {
    async fn new(number: u8) -> Scene {
        let lab = Lab::new();
        let net = network(number);
        lab.home.up(&net).await.unwrap();
        let plans = [
            lab.machine(&net, 2),
            lab.machine(&net, 3),
            lab.machine(&net, 4),
        ];
        for plan in &plans {
            lab.home.attach(plan).await.unwrap();
        }
        let (victim, attacker) = (Guest::boot(&plans[0]), Guest::boot(&plans[1]));
        // A port that has just got its carrier passes nothing for a moment.
        attacker.lab.ping(plans[0].ip);
        let heard = victim
            .lab
            .home
            .run(|| UdpSocket::bind("0.0.0.0:5000").unwrap())
            .unwrap();
        heard
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        Scene {
            lab,
            plans,
            victim,
            attacker,
            heard,
        }
    }

    fn send(&self, frame: &[u8]) {
        (&self.attacker.tap).write_all(frame).unwrap();
    }

    /// What the victim hears of `frames` and an honest frame after them.
    fn only_honest(&self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.send(frame);
        }
        let [victim, attacker, _] = &self.plans;
        let honest = datagram(attacker.ip, victim.ip, "honest");
        self.send(&frame(victim.mac, attacker.mac, 0x0800, &honest));
        assert_eq!(next(&self.heard), "honest");
    }

    async fn end(self) {
        for plan in &self.plans {
            self.lab.home.detach(plan).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_guest_cannot_use_anothers_address_or_mac() {
    let scene = Scene::new(93).await;
    let [victim, attacker, third] = &scene.plans;
    let foreign = Ipv4Addr::new(8, 8, 8, 8);
    let tag = |inner: &[u8]| [&[0, 5, 8, 0][..], inner].concat();
    let lie = |from: Ipv4Addr| datagram(from, victim.ip, "a lie");
    scene.only_honest(&[
        frame(victim.mac, attacker.mac, 0x0800, &lie(third.ip)),
        frame(victim.mac, attacker.mac, 0x0800, &lie(foreign)),
        frame(victim.mac, attacker.mac, 0x0800, &lie(attacker.gateway)),
        frame(victim.mac, attacker.mac, 0x0800, &lie(victim.ip)),
        frame(victim.mac, third.mac, 0x0800, &lie(attacker.ip)),
        frame(victim.mac, third.mac, 0x0800, &lie(third.ip)),
        frame(
            victim.mac,
            Mac([2, 0, 0, 0, 0, 9]),
            0x0800,
            &lie(attacker.ip),
        ),
        // Broadcast, and behind a VLAN tag.
        frame(Mac([0xff; 6]), attacker.mac, 0x0800, &lie(third.ip)),
        frame(victim.mac, attacker.mac, 0x8100, &tag(&lie(third.ip))),
    ]);
    scene.end().await;
}

#[tokio::test]
async fn a_guest_cannot_take_anothers_place_in_arp() {
    let scene = Scene::new(94).await;
    let [victim, attacker, third] = &scene.plans;
    let everyone = Mac([0xff; 6]);
    let neighbours = || scene.victim.lab.sh("ip neighbour");
    // The victim knows the gateway and the attacker as they are.
    scene.victim.lab.ping(victim.gateway);
    scene.victim.lab.ping(attacker.ip);
    let claims = [third.ip, victim.gateway];
    let mut lies = Vec::new();
    for claim in claims {
        for operation in [1, 2] {
            let packet = arp(operation, attacker.mac, claim, victim.ip);
            lies.push(frame(victim.mac, attacker.mac, 0x0806, &packet));
            lies.push(frame(everyone, attacker.mac, 0x0806, &packet));
        }
        // The outer sender is honest, the inner one is not, and the other way round.
        let packet = arp(2, third.mac, attacker.ip, victim.ip);
        lies.push(frame(victim.mac, attacker.mac, 0x0806, &packet));
        let packet = arp(2, attacker.mac, attacker.ip, victim.ip);
        lies.push(frame(victim.mac, third.mac, 0x0806, &packet));
    }
    scene.only_honest(&lies);
    let known = neighbours();
    assert!(
        known.contains(&format!(
            "10.94.0.1 dev eth0 lladdr {}",
            mac_for(victim.gateway)
        )),
        "{known}"
    );
    assert!(
        known.contains(&format!("10.94.0.3 dev eth0 lladdr {}", attacker.mac)),
        "{known}"
    );
    assert!(!known.contains("10.94.0.4 dev eth0 lladdr"), "{known}");
    scene.end().await;
}

#[tokio::test]
async fn nothing_but_ipv4_passes() {
    let scene = Scene::new(95).await;
    let [victim, attacker, _] = &scene.plans;
    // A packet socket on the victim's card sees every frame that reaches it (packet(7)).
    let all = scene.victim.lab.home.run(|| {
        use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
        let kind = SockType::Raw;
        socket(
            AddressFamily::Packet,
            kind,
            SockFlag::empty(),
            SockProtocol::EthAll,
        )
        .unwrap()
    });
    let all = all.unwrap();
    let everyone = Mac([0xff; 6]);
    let routers = Mac([0x33, 0x33, 0, 0, 0, 1]);
    // Router advertisements, a spanning tree's greeting, a made-up protocol, DHCP from an address of nobody's.
    scene.only_honest(&[
        frame(routers, attacker.mac, 0x86dd, &[0x60; 60]),
        frame(victim.mac, attacker.mac, 0x86dd, &[0x60; 60]),
        frame(
            Mac([1, 0x80, 0xc2, 0, 0, 0]),
            attacker.mac,
            0x0026,
            &[0x42; 60],
        ),
        frame(everyone, attacker.mac, 0x88b5, &[0; 60]),
        frame(
            everyone,
            attacker.mac,
            0x0800,
            &datagram(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, "dhcp"),
        ),
    ]);
    let mut seen = [0; 2048];
    let mut arrived = 0;
    while let Ok(length) = nix::sys::socket::recv(
        std::os::fd::AsRawFd::as_raw_fd(&all),
        &mut seen,
        nix::sys::socket::MsgFlags::MSG_DONTWAIT,
    ) {
        let from = &seen[6..12];
        if length > 14 && from == attacker.mac.0 {
            assert_eq!(&seen[12..14], [8, 0], "only IPv4");
            // The attacker's own stack may say something of its own accord, as who it is (RFC 791: source at byte 12).
            assert_eq!(seen[26..30], attacker.ip.octets());
            arrived += u32::from(seen[..length].ends_with(b"honest"));
        }
    }
    assert_eq!(arrived, 1);
    scene.end().await;
}
