//! Commands: their streams, environment, signals and ends.

use super::*;

#[tokio::test]
async fn the_streams_come_apart_and_the_status_comes_last() {
    let (_handle, mut channel) = session().await;
    channel
        .exec(true, "cat; echo to err >&2; exit 3")
        .await
        .unwrap();
    channel.data(&b"through\n"[..]).await.unwrap();
    channel.eof().await.unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!(
        (said.out(), &said.err[..], said.status),
        ("through\n", &b"to err\n"[..], Some(3))
    );
    assert!(said.closed && said.replies == [true]);
}

#[tokio::test]
async fn a_server_on_trial_powers_nothing_off() {
    let (_handle, mut channel) = session().await;
    channel
        .request_subsystem(true, "sistemo-poweroff")
        .await
        .unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!(said.status, Some(1));
}

#[tokio::test]
async fn connections_end_when_the_machine_becomes_another() {
    let (_sender, stages) = Stages::new(Stage::Ready);
    let server = Server::new(&config(), stages, true).unwrap();
    let shared = Arc::clone(&server.shared);
    let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { server.accept(&listener).await });
    let (handle, admitted) = log_in(address, &me(), KEY_SEEDS[1]).await;
    assert!(admitted);
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "cat").await.unwrap();
    listen_to(&mut channel, |said| !said.replies.is_empty()).await;

    let mut other = config();
    other.authorized_keys = vec![key(KEY_SEEDS[2]).public_key().to_openssh().unwrap()];
    shared.renew(Facts::new(&other).unwrap());
    let said = all_of(&mut channel).await;
    assert_eq!(said.status, None, "it was cut off");
    let (_, admitted) = log_in(address, &me(), KEY_SEEDS[1]).await;
    assert!(!admitted);
    let (_, admitted) = log_in(address, &me(), KEY_SEEDS[2]).await;
    assert!(admitted);
}

#[tokio::test]
async fn the_environment_is_the_user_s_the_image_s_and_what_was_asked_for() {
    let (_handle, mut channel) = session().await;
    for (name, value) in [("ASKED", "a b"), ("not a name", "x")] {
        channel.set_env(true, name, value).await.unwrap();
    }
    channel
        .exec(
            true,
            "echo \"$ASKED|$FROM_IMAGE|$USER|${SSH_CONNECTION%% *}\"",
        )
        .await
        .unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!(said.out(), format!("a b|yes|{}|127.0.0.1\n", me()));
    assert_eq!(said.replies, [true, false, true]);
}

#[tokio::test]
async fn a_signal_reaches_the_process_and_its_death_is_told() {
    let (_handle, mut channel) = session().await;
    channel
        .exec(true, "echo up; exec sleep 1000")
        .await
        .unwrap();
    let said = listen_to(&mut channel, |said| !said.out.is_empty()).await;
    assert_eq!(said.out(), "up\n");
    channel.signal(Sig::TERM).await.unwrap();
    let said = all_of(&mut channel).await;
    assert!(matches!(said.signal, Some(Sig::TERM)), "{said:?}");
    assert_eq!(said.status, None);
}

#[tokio::test]
async fn the_server_s_own_limit_of_descriptors_is_not_its_programs() {
    use nix::sys::resource::{Resource, getrlimit};

    let (_handle, mut channel) = session().await;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert_eq!(soft, hard);
    channel.exec(true, "ulimit -Sn; ulimit -Hn").await.unwrap();
    let said = all_of(&mut channel).await;
    let words: Vec<u64> = said
        .out()
        .lines()
        .map(|line| line.parse().unwrap_or(u64::MAX))
        .collect();
    assert_eq!(words, [hard.min(1024), hard]);
}
