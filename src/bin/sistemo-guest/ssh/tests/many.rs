//! Numbers: many sessions at once, and the most that one connection may have.

use tokio::task::JoinSet;

use super::*;
use crate::ssh::client::MOST_CHANNELS;

/// As a script or an orchestrator might, and more than sshd would allow by itself.
const SESSIONS: usize = 200;

/// Starts `cat` on a channel. Bash believes that it was started by sshd and reads `~/.bashrc`, which on a developer's
/// computer may take long two hundred times: there is none in `/`.
async fn start(handle: &Handle<Pinned>) -> Channel<client::Msg> {
    let channel = handle.channel_open_session().await.unwrap();
    channel.set_env(false, "HOME", "/").await.unwrap();
    channel.exec(true, "cat").await.unwrap();
    channel
}

/// Sends each `cat` its own number while all of them run, and has it back with the end.
async fn each_answers(channels: Vec<Channel<client::Msg>>) {
    let mut talks = JoinSet::new();
    for (number, mut channel) in channels.into_iter().enumerate() {
        talks.spawn(async move {
            let word = format!("{number}\n");
            channel.data(word.as_bytes()).await.unwrap();
            let back = listen_to(&mut channel, |said| said.out == word.as_bytes()).await;
            assert_eq!(back.out(), word);
            channel
        });
    }
    for mut channel in talks.join_all().await {
        channel.eof().await.unwrap();
        assert_eq!(all_of(&mut channel).await.status, Some(0));
    }
}

#[tokio::test]
async fn two_hundred_sessions_share_a_connection() {
    let (handle, first) = session().await;
    drop(first);
    let mut channels = Vec::new();
    for _ in 0..SESSIONS {
        channels.push(start(&handle).await);
    }
    each_answers(channels).await;
}

#[tokio::test]
async fn two_hundred_sessions_have_a_connection_each() {
    let (address, _stages) = server(Stage::Ready).await;
    let (mut handles, mut channels) = (Vec::new(), Vec::new());
    // Half as many log in at a time as may.
    for _ in 0..SESSIONS / 50 {
        let mut logins = JoinSet::new();
        for _ in 0..50 {
            logins.spawn(async move {
                let (handle, admitted) = log_in(address, &me(), KEY_SEEDS[1]).await;
                assert!(admitted);
                let channel = start(&handle).await;
                (handle, channel)
            });
        }
        for (handle, channel) in logins.join_all().await {
            handles.push(handle);
            channels.push(channel);
        }
    }
    each_answers(channels).await;
}

#[tokio::test]
async fn a_connection_has_its_most_channels_and_more_once_some_are_done() {
    use russh::ChannelOpenFailure::ResourceShortage;

    let (handle, first) = session().await;
    let mut channels = vec![first];
    while channels.len() < MOST_CHANNELS {
        channels.push(handle.channel_open_session().await.unwrap());
    }
    let refused = handle.channel_open_session().await;
    assert!(
        matches!(
            refused,
            Err(russh::Error::ChannelOpenFailure(ResourceShortage))
        ),
        "{refused:?}"
    );
    let refused = handle
        .channel_open_direct_tcpip("localhost", 1, "127.0.0.1", 1)
        .await;
    assert!(
        matches!(
            refused,
            Err(russh::Error::ChannelOpenFailure(ResourceShortage))
        ),
        "{refused:?}"
    );
    // The others are as good as before, and one whose command has ended makes room.
    let mut last = channels.pop().unwrap();
    last.set_env(false, "HOME", "/").await.unwrap();
    last.exec(true, "echo here").await.unwrap();
    assert_eq!(all_of(&mut last).await.out(), "here\n");
    assert!(handle.channel_open_session().await.is_ok());
}
