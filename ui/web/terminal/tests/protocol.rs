//! What pages may not do.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Heard, Lab, Page};
use crate::web::terminal::MOST;
use crate::web::terminal::frame::FromPage;

#[tokio::test]
async fn what_is_malformed_ends_the_connection() {
    let lab = Lab::new().await;
    for (message, code) in [
        (Message::Binary(vec![].into()), 1008),
        (Message::Binary(vec![0x0a].into()), 1008),
        (Message::Binary(vec![0xff; 100].into()), 1008),
        // A resize that is too short, an acknowledgement that is too long, the server's own kinds.
        (Message::Binary(vec![1, 0, 80].into()), 1008),
        (Message::Binary(vec![2; 10].into()), 1008),
        (Message::Binary(b"\x03{}".to_vec().into()), 1008),
        (Message::Binary(b"\x09{}".to_vec().into()), 1008),
        // More than was ever sent.
        (Message::Binary(FromPage::Ack(1 << 40).encode()), 1008),
        (Message::Text("ls\r".into()), 1003),
        (Message::Text("{\"type\":\"resize\"}".into()), 1003),
        (Message::Binary(vec![0; (64 << 10) + 1].into()), 1009),
        (Message::Binary(vec![0; 100 << 10].into()), 1009),
    ] {
        let mut page = Page::open(&lab, "machines/web/terminal").await;
        let what = format!("{:.60}", format!("{message:?}"));
        page.socket.send(message).await.unwrap();
        match page.is_closed().await {
            Heard::Closed(told, reason) => {
                assert_eq!(told, code, "{what}");
                assert!(!reason.is_empty(), "{what}");
            }
            gone => panic!("{gone:?} after {what}"),
        }
    }
}

#[tokio::test]
async fn fragments_do_not_add_up_to_more_than_is_allowed() {
    let mut lab = Lab::new().await;
    // What is allowed arrives as one message.
    let (mut page, mut guest) = lab.live().await;
    for (piece, code, last) in [
        (&b"\x00one "[..], Data::Binary, false),
        (b"two ", Data::Continue, false),
        (b"three", Data::Continue, true),
    ] {
        let frame = Frame::message(piece.to_vec(), OpCode::Data(code), last);
        page.socket.send(Message::Frame(frame)).await.unwrap();
    }
    guest.hears("one two three").await;
    // What is not ends the connection; whether the page hears why depends on what it is still sending.
    let mut code = Data::Binary;
    loop {
        let frame = Frame::message(vec![0; 10 << 10], OpCode::Data(code), false);
        code = Data::Continue;
        if page.socket.send(Message::Frame(frame)).await.is_err() {
            break;
        }
    }
    match page.is_closed().await {
        Heard::Closed(code, _) => assert_eq!(code, 1009),
        Heard::Gone => {}
        other => panic!("{other:?}"),
    }
    // The session is as it was.
    let mut page = Page::again(&lab, "machines/web/terminal", &page.session(), 0).await;
    assert_eq!(page.hello["resumed"], true);
    page.types("x").await;
    guest.hears("x").await;
}

#[tokio::test]
async fn what_looks_like_a_message_and_is_pasted_is_text() {
    let mut lab = Lab::new().await;
    let (mut page, mut guest) = lab.live().await;
    for text in [
        "\u{1}\0P\0\u{14}",
        "\u{8}",
        "\u{5}",
        "\u{2}\0\0\0\0\0\0\0\0",
        "\0\u{8}\u{8}",
    ] {
        page.types(text).await;
        guest.hears(text).await;
    }
    // And the other way.
    guest.says("\u{3}{}\u{4}{\"state\":\"gone\"}").await;
    page.shows("\u{3}{}\u{4}{\"state\":\"gone\"}").await;
    assert!(guest.events.try_recv().is_err());
}

#[tokio::test]
async fn a_ping_is_answered_with_its_number() {
    let mut lab = Lab::new().await;
    let (mut page, _guest) = lab.live().await;
    for number in [0, 7, u64::MAX] {
        page.send(FromPage::Ping(number)).await;
        assert_eq!(page.hears().await, Heard::Pong(number));
    }
}

/// The problem that a connection is refused with.
fn refusal<T: std::fmt::Debug>(refused: Result<T, Error>) -> (u16, Value) {
    let Err(Error::Http(answer)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body = answer.body().as_ref().unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_slice(body).unwrap(),
    )
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_problem() {
    let lab = Lab::new().await;
    let (status, problem) = refusal(lab.connect("machines/db/terminal").await);
    assert_eq!((status, &problem["code"]), (404, &"not_found".into()));
    assert_eq!(problem["detail"], "there is no machine \"db\"");
    for query in ["cols=x", "rows=-1", "offset=1e9", "cols=99999999"] {
        let (status, problem) = refusal(lab.connect(&format!("console?{query}")).await);
        assert_eq!(
            (status, &problem["code"]),
            (400, &"usage".into()),
            "{query}"
        );
    }
    for protocols in ["sistemo.terminal.v2", "sistemo.key.abc"] {
        let (status, problem) = refusal(lab.connect_speaking("console", protocols).await);
        assert_eq!((status, &problem["code"]), (400, &"subprotocol".into()));
    }
}

#[tokio::test]
async fn there_is_an_end_to_terminals() {
    let lab = Lab::new().await;
    for _ in 0..MOST {
        let ground = lab.terminals.machine("web").await.unwrap();
        lab.terminals.open(ground, (80, 24)).unwrap();
    }
    let (status, problem) = refusal(lab.connect("machines/web/terminal").await);
    assert_eq!((status, &problem["code"]), (503, &"too_many".into()));
    let session = lab.terminals.sessions().keys().next().cloned().unwrap();
    // One may come back to those that there are, and when one is closed there is room.
    let mut page = Page::again(&lab, "machines/web/terminal", &session, 0).await;
    assert_eq!(page.hello["resumed"], true);
    page.send(FromPage::Close).await;
    page.is_closed().await;
    while lab.terminals.sessions().len() == MOST {
        tokio::task::yield_now().await;
    }
    let (mut socket, _) = lab.connect("machines/web/terminal").await.unwrap();
    socket.next().await.unwrap().unwrap();
}
