//! Ports of the home that lead into guests: who reaches them, who does not, and how they come and go.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;

use super::lab::{Guest, Lab, network};
use super::traffic::{INTERNET, UPLINK, home_and_internet};
use crate::network::Error;
use crate::value::PortMapping;

fn ports(texts: &[&str]) -> Vec<PortMapping> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_published_port_answers_whoever_asks_the_home_and_nobody_who_asks_another() {
    let (lab, internet) = home_and_internet();
    let (net, other) = (network(93), network(94));
    lab.home.up(&net).await.unwrap();
    lab.home.up(&other).await.unwrap();
    let mut web = lab.machine(&net, 2);
    web.published = ports(&["8080:80"]);
    let (neighbour, stranger) = (lab.machine(&net, 3), lab.machine(&other, 2));
    for plan in [&web, &neighbour, &stranger] {
        lab.home.attach(plan).await.unwrap();
    }
    let [a, b, c] = [&web, &neighbour, &stranger].map(Guest::boot);
    a.lab.serve(80);
    internet.serve(8080);
    lab.serve(9999);

    // The home itself, by each of its addresses; a guest could not answer 127.0.0.1.
    assert_eq!(
        lab.ask(Ipv4Addr::LOCALHOST, 8080).unwrap(),
        net.gateway.to_string()
    );
    assert_eq!(lab.ask(UPLINK, 8080).unwrap(), UPLINK.to_string());
    assert_eq!(lab.ask(net.gateway, 8080).unwrap(), net.gateway.to_string());
    // From outside, as who it is.
    assert_eq!(internet.ask(UPLINK, 8080).unwrap(), INTERNET.to_string());
    // From machines: a neighbour, and one of another network.
    assert_eq!(
        b.lab.ask(net.gateway, 8080).unwrap(),
        net.gateway.to_string()
    );
    assert_eq!(b.lab.ask(UPLINK, 8080).unwrap(), net.gateway.to_string());
    assert_eq!(c.lab.ask(UPLINK, 8080).unwrap(), net.gateway.to_string());

    // What is sent elsewhere goes there, whatever its port; other ports of the home are the home's.
    assert_eq!(b.lab.ask(INTERNET, 8080).unwrap(), UPLINK.to_string());
    assert_eq!(lab.ask(INTERNET, 8080).unwrap(), UPLINK.to_string());
    assert_eq!(lab.ask(Ipv4Addr::LOCALHOST, 9999).unwrap(), "127.0.0.1");
    let error = internet.ask(UPLINK, 80).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::ConnectionRefused,
        "only what is published"
    );

    // Taken back it is gone, for new connections.
    lab.home.unpublish(&web, &web.published[0]).await.unwrap();
    lab.home.unpublish(&web, &web.published[0]).await.unwrap();
    let error = lab.ask(Ipv4Addr::LOCALHOST, 8080).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");

    // After another program has thrown all rules away, the next call brings them back.
    lab.sh("nft flush ruleset");
    lab.home.up(&net).await.unwrap();
    lab.home.attach(&web).await.unwrap();
    assert_eq!(internet.ask(UPLINK, 8080).unwrap(), INTERNET.to_string());
    assert_eq!(a.lab.ask(INTERNET, 8080).unwrap(), UPLINK.to_string());

    // With the machine's place its ports go.
    for plan in [&web, &neighbour, &stranger] {
        lab.home.detach(plan).await.unwrap();
    }
    assert!(!lab.sh("nft list ruleset").contains("8080"));
}

#[tokio::test]
async fn a_published_port_carries_datagrams_both_ways() {
    let (lab, internet) = home_and_internet();
    let net = network(95);
    lab.home.up(&net).await.unwrap();
    let mut dns = lab.machine(&net, 2);
    dns.published = ports(&["5353:53/udp"]);
    lab.home.attach(&dns).await.unwrap();
    let guest = Guest::boot(&dns);
    let server = guest
        .lab
        .home
        .run(|| UdpSocket::bind("0.0.0.0:53").unwrap())
        .unwrap();
    std::thread::spawn(move || {
        let mut text = [0; 100];
        while let Ok((length, from)) = server.recv_from(&mut text) {
            let _ = server.send_to(&text[..length], from);
        }
    });
    let ask = |ip: Ipv4Addr| {
        move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            // Connected: an answer from any other address would not be taken.
            socket.connect((ip, 5353)).unwrap();
            socket.send(b"ping").unwrap();
            let mut text = [0; 100];
            let length = socket.recv(&mut text).unwrap();
            assert_eq!(&text[..length], b"ping");
        }
    };
    internet.home.run(ask(UPLINK)).unwrap();
    lab.home.run(ask(UPLINK)).unwrap();
    lab.home.run(ask(Ipv4Addr::LOCALHOST)).unwrap();
    lab.home.detach(&dns).await.unwrap();
}

#[tokio::test]
async fn a_port_that_something_else_has_is_refused_by_its_owners_name() {
    let lab = Lab::new();
    let net = network(96);
    lab.home.up(&net).await.unwrap();
    let wanted = ports(&["8080:80", "5353:53/udp", "9090:90"]);
    let _held = lab
        .home
        .run(|| {
            (
                TcpListener::bind("127.0.0.1:8080").unwrap(),
                UdpSocket::bind("0.0.0.0:5353").unwrap(),
            )
        })
        .unwrap();
    let own = format!("(pid {})", std::process::id());
    for port in &wanted[..2] {
        let Err(Error::PortBusy { owner, .. }) = lab.home.refuse_busy(port, &[]).await else {
            panic!("{port} is free");
        };
        let owner = owner.unwrap();
        assert!(owner.ends_with(&own), "{owner}");
    }
    lab.home.refuse_busy(&wanted[2], &[]).await.unwrap();

    // Another data directory's machine has it.
    let mut first = lab.machine(&net, 2);
    let mut second = lab.machine(&net, 3);
    first.published = ports(&["9090:90"]);
    second.published = ports(&["9090:91"]);
    lab.home.attach(&first).await.unwrap();
    let error = lab.home.attach(&second).await.unwrap_err();
    assert!(
        matches!(&error, Error::PortTaken { port: 9090, ip, .. } if *ip == first.ip.to_string()),
        "{error}"
    );
    lab.home.detach(&second).await.unwrap();
    lab.home.detach(&first).await.unwrap();
}
