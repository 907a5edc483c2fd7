//! Who gets in, and when.

use super::*;
use crate::ssh::login::{GRACE, PLACES};

#[tokio::test]
async fn only_the_right_key_and_a_known_user_get_in() {
    let (address, _) = server(Stage::Ready).await;
    let [_, good, bad] = KEY_SEEDS;
    assert!(log_in(address, &me(), good).await.1);
    assert!(!log_in(address, &me(), bad).await.1);
    assert!(!log_in(address, "no-such-user-here", good).await.1);
    let mut handle = connect(address).await;
    assert!(!handle.authenticate_none(me()).await.unwrap().success());
    assert!(
        !handle
            .authenticate_password(me(), "secret")
            .await
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn nobody_gets_in_before_the_image_is_there() {
    let (address, sender) = server(Stage::Waiting).await;
    let waiting = tokio::spawn(async move { log_in(address, &me(), KEY_SEEDS[1]).await });
    // The handshake itself is answered: a second client learns the host key meanwhile.
    drop(connect(address).await);
    assert!(!waiting.is_finished());
    sender.send_replace(Stage::Mounted);
    let (handle, admitted) = waiting.await.unwrap();
    assert!(admitted);
    let mut channel = handle.channel_open_session().await.unwrap();
    channel
        .request_subsystem(true, "sistemo-ready")
        .await
        .unwrap();
    let said = listen_to(&mut channel, |said| !said.replies.is_empty()).await;
    assert_eq!(said.status, None);
    sender.send_replace(Stage::Ready);
    let said = all_of(&mut channel).await;
    assert_eq!(said.status, Some(0));
    assert!(said.out().starts_with("{\"init\": \""), "{}", said.out());
}

/// With the clock paused, time passes at once when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_get_on_is_sent_away() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (address, _stages) = server(Stage::Ready).await;
    // One says nothing, one what it speaks and then nothing, so that the exchange of keys never ends.
    for word in ["", "SSH-2.0-slow\r\n"] {
        let begun = tokio::time::Instant::now();
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(word.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let ended = tokio::time::timeout(GRACE * 2, silent.read_to_end(&mut said));
        ended.await.expect("it may stay").unwrap();
        assert!(said.starts_with(b"SSH-2.0-sistemo"), "{said:?}");
        assert!(begun.elapsed() >= GRACE);
    }
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_dropped_and_those_who_logged_in_do_not_count() {
    use tokio::io::AsyncReadExt;

    let (address, _stages) = server(Stage::Ready).await;
    let (_inside, admitted) = log_in(address, &me(), KEY_SEEDS[1]).await;
    assert!(admitted);
    let mut strangers = Vec::new();
    for number in 0..PLACES {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        assert_eq!(stranger.read(&mut [0; 4]).await.unwrap(), 4, "{number}");
        strangers.push(stranger);
    }
    let mut dropped = TcpStream::connect(address).await.unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), dropped.read_to_end(&mut said));
    let _ = ended.await.expect("it may stay");
    assert_eq!(said, b"");
    // One leaves, and there is a place again as soon as the server has seen it.
    strangers.pop();
    let entering = async {
        loop {
            let mut next = TcpStream::connect(address).await.unwrap();
            if next.read(&mut [0; 4]).await.is_ok_and(|count| count == 4) {
                break;
            }
        }
    };
    let entered = tokio::time::timeout(Duration::from_secs(60), entering).await;
    entered.expect("no place is given back");
}
