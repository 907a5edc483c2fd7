//! Who gets in, and when.

use super::*;

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
async fn a_client_that_says_nothing_is_sent_away() {
    use tokio::io::AsyncReadExt;

    let (address, _stages) = server(Stage::Ready).await;
    let begun = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut said = String::new();
    silent.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("SSH-2.0-sistemo"), "{said}");
    assert!(begun.elapsed() >= LOGIN_GRACE);
}
