//! Whose orders are heard. None is obeyed here: they would change this computer.

use russh::keys::HashAlg;
use sistemo::guest::words::{
    Answer, LONGEST_ORDER, Network, ORDERS_NAMESPACE, Order, Renewal, SignedOrder, is_challenge,
    under_signature,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::*;
use crate::ssh::orders;

/// A server whose gateway is that one; where it takes orders.
async fn commanded_by(gateway: [u8; 4]) -> SocketAddr {
    let (_sender, stages) = Stages::new(Stage::Ready);
    let mut config = config();
    config.network = Some(Network {
        mac: "02:00:00:00:00:01".into(),
        address: [127, 0, 0, 1].into(),
        prefix: 8,
        gateway: gateway.into(),
        dns: Vec::new(),
        search: Vec::new(),
        mtu: 1500,
    });
    let server = Server::new(&config, stages, true).unwrap();
    let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { orders::take(&listener, &server.shared).await });
    address
}

/// Signs an order for this challenge of the server's.
fn signed(seed: u8, namespace: &str, challenge: &str, order: &str) -> String {
    signed_for([127, 0, 0, 1], seed, namespace, challenge, order)
}

fn signed_for(guest: [u8; 4], seed: u8, namespace: &str, challenge: &str, order: &str) -> String {
    let bytes = under_signature(guest.into(), challenge, order);
    let signature = key(seed).sign(namespace, HashAlg::Sha512, &bytes).unwrap();
    let signed = SignedOrder {
        order: order.into(),
        signature: signature.to_pem(Default::default()).unwrap(),
    };
    serde_json::to_string(&signed).unwrap()
}

/// What the server says to what is made of its challenge.
async fn told(address: SocketAddr, make: impl FnOnce(&str) -> String) -> String {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut challenge = String::new();
    stream.read_line(&mut challenge).await.unwrap();
    assert!(is_challenge(&challenge), "{challenge}");
    let said = format!("{}\n", make(challenge.trim_end()));
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    match serde_json::from_str(&answer).unwrap() {
        Answer::Refused { why } => why,
        Answer::Done { .. } => panic!("it was obeyed"),
    }
}

#[tokio::test]
async fn only_what_is_signed_for_this_guest_and_this_time_is_heard() {
    let address = commanded_by([127, 0, 0, 1]).await;
    let [host, good, bad] = KEY_SEEDS;
    // What it would be refused for if it were heard: nobody could log in any more.
    let order = serde_json::to_string(&Order::Renew(Box::new(Renewal {
        config: Config {
            authorized_keys: Vec::new(),
            ..config()
        },
        time_ns: 0,
        seed: "00".into(),
    })))
    .unwrap();
    let heard = told(address, |it| signed(good, ORDERS_NAMESPACE, it, &order)).await;
    assert!(heard.contains("none of the authorized keys"), "{heard}");
    let nothing = told(address, |it| signed(good, ORDERS_NAMESPACE, it, "{}")).await;
    assert!(nothing.contains("that cannot be ordered"), "{nothing}");

    let unsigned = "not signed by a key that may log in";
    for seed in [host, bad] {
        let why = told(address, |it| signed(seed, ORDERS_NAMESPACE, it, &order)).await;
        assert!(why.contains(unsigned), "{why}");
    }
    let why = told(address, |it| signed(good, "file", it, &order)).await;
    assert!(why.contains(unsigned), "signed for something else: {why}");
    let other = [127, 0, 0, 3];
    let why = told(address, |it| {
        signed_for(other, good, ORDERS_NAMESPACE, it, &order)
    })
    .await;
    assert!(why.contains(unsigned), "signed for another guest: {why}");
    let mut used = String::new();
    told(address, |it| {
        used = signed(good, ORDERS_NAMESPACE, it, &order);
        used.clone()
    })
    .await;
    let why = told(address, |_| used.clone()).await;
    assert!(why.contains(unsigned), "heard once already: {why}");
    let why = told(address, |it| {
        signed(good, ORDERS_NAMESPACE, it, &order).replace("\"order\":\"", "\"order\":\" ")
    })
    .await;
    assert!(why.contains(unsigned), "changed on its way: {why}");
    for nonsense in [
        "",
        "{}",
        "SSH-2.0-OpenSSH",
        "{\"order\":\"\",\"signature\":\"\"}",
    ] {
        let why = told(address, |_| nonsense.into()).await;
        assert!(why.contains("that is no"), "{why}");
    }
}

#[tokio::test]
async fn only_the_gateway_is_heard() {
    let address = commanded_by([127, 0, 0, 2]).await;
    let mut stranger = TcpStream::connect(address).await.unwrap();
    // Hung up on, or reset, but not spoken to.
    let mut said = Vec::new();
    let _ = stranger.read_to_end(&mut said).await;
    assert_eq!(said, b"");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_says_nothing_is_hung_up_on() {
    let address = commanded_by([127, 0, 0, 1]).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), silent.read_to_end(&mut said));
    ended.await.expect("it may stay").unwrap();
    assert!(said.ends_with(b"\n"), "{said:?}");
}

#[tokio::test]
async fn what_is_too_long_is_no_order() {
    let address = commanded_by([127, 0, 0, 1]).await;
    // With the end of line that `told` adds, one more than is read.
    let why = told(address, |_| "x".repeat(LONGEST_ORDER)).await;
    assert!(why.contains("that is no order"), "{why}");
}
