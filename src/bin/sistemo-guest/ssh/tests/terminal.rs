//! Terminals: their size, and their end with the connection.

use russh::{Disconnect, Pty};

use super::*;

#[tokio::test]
async fn a_terminal_has_the_size_that_was_asked_for_and_changes_it() {
    let (_handle, mut channel) = session().await;
    channel
        .request_pty(true, "xterm", 91, 17, 0, 0, &[(Pty::ECHO, 0)])
        .await
        .unwrap();
    channel
        .exec(
            true,
            "tty >/dev/null && echo $TERM; stty size; read line; stty size",
        )
        .await
        .unwrap();
    let said = listen_to(&mut channel, |said| said.out.ends_with(b"17 91\r\n")).await;
    assert_eq!(said.out(), "xterm\r\n17 91\r\n");
    channel.window_change(80, 24, 0, 0).await.unwrap();
    channel.data(&b"\n"[..]).await.unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!((said.out(), said.status), ("24 80\r\n", Some(0)));
}

/// Runs a line of shell on a terminal until it says `set`, cuts the connection, and gives what the line then writes to the
/// path that `{gone}` stands for.
async fn last_words(line: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    nix::unistd::mkfifo(&gone, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (handle, mut channel) = session().await;
    channel
        .request_pty(true, "dumb", 80, 24, 0, 0, &[])
        .await
        .unwrap();
    let command = line.replace("{gone}", gone.to_str().unwrap());
    channel.exec(true, command).await.unwrap();
    listen_to(&mut channel, |said| said.out.ends_with(b"set\r\n")).await;
    handle
        .disconnect(Disconnect::ByApplication, "", "")
        .await
        .unwrap();
    drop(handle);
    let word = tokio::task::spawn_blocking(move || std::fs::read_to_string(gone).unwrap());
    tokio::time::timeout(Duration::from_secs(60), word)
        .await
        .expect("no hang-up")
        .unwrap()
}

#[tokio::test]
async fn a_closed_connection_hangs_up_its_terminal() {
    let line = "trap 'echo hup > {gone}; exit' HUP; echo set; while :; do sleep 1; done";
    assert_eq!(last_words(line).await, "hup\n");
}

#[tokio::test]
async fn a_terminal_ends_even_for_who_ignores_the_hang_up() {
    let line = "trap '' HUP; echo set; read line; echo $? > {gone}";
    assert_eq!(last_words(line).await, "1\n");
}
