//! How a command ends: by a signal, without a word, with its connection, by being dropped.

use super::*;

/// A server for what OpenSSH's does not do: passing signals to a command of root's, and closing a channel without a
/// word. Its command `wait` ends by the signal that it gets, any other at once.
struct Own;

impl russh::server::Handler for Own {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: russh::server::VerifiedPublicKey<'_>,
    ) -> Result<russh::server::Auth, russh::Error> {
        Ok(russh::server::Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<russh::server::Msg>,
        reply: russh::server::ChannelOpenHandle,
        _session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: russh::ChannelId,
        data: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        match data {
            b"wait" => session.data(channel, "waiting"),
            _ => session.close(channel),
        }
    }

    async fn signal(
        &mut self,
        channel: russh::ChannelId,
        signal: russh::Sig,
        session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        session.exit_signal_request(channel, signal, true, "so asked", "")?;
        session.close(channel)
    }
}

impl Own {
    async fn serve() -> Client {
        let directory = tempfile::tempdir().unwrap();
        let keys = ensure_key_pair(directory.path()).unwrap();
        let (private, host_key) = new_host_key().unwrap();
        let config = russh::server::Config {
            keys: vec![PrivateKey::from_openssh(private).unwrap()],
            ..russh::server::Config::default()
        };
        let (ours, theirs) = duplex(1 << 16);
        tokio::spawn(async move {
            let running = russh::server::run_stream(Arc::new(config), theirs, Own);
            running.await.unwrap().await.unwrap();
        });
        let target = Target::new("root", &keys, &host_key).unwrap();
        Client::connect(ours, &target).await.unwrap()
    }
}

#[tokio::test]
async fn signals_reach_the_command() {
    let client = Own::serve().await;
    for name in ["TERM", "INT", "USR1", "WINCH"] {
        let (events, received) = mpsc::channel(1);
        let (stdout, mut output) = duplex(64);
        let io = Io {
            stdin: empty(),
            stdout,
            stderr: sink(),
        };
        let running = client.exec(command("wait"), io, received);
        let signalling = async {
            assert_eq!(output.read_u8().await.unwrap(), b'w');
            events.send(Event::Signal(name.into())).await.unwrap();
        };
        let (exit, ()) = timeout(LONG, async { tokio::join!(running, signalling) })
            .await
            .unwrap();
        let expected = Exit::Signal {
            name: name.into(),
            core_dumped: true,
            message: "so asked".into(),
        };
        assert_eq!(exit.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_channel_closed_without_a_word_is_no_success() {
    let client = Own::serve().await;
    let io = Io {
        stdin: empty(),
        stdout: sink(),
        stderr: sink(),
    };
    let error = timeout(LONG, client.exec(command("vanish"), io, no_events()))
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, Error::NoExit), "{error:?}");
}

#[tokio::test]
async fn a_lost_connection_is_no_exit() {
    let server = Server::new();
    let (_running, stream, cut) = server.start();
    let client = Client::connect(stream, &server.target).await.unwrap();
    let (stdout, mut output) = duplex(64);
    let io = Io {
        stdin: duplex(1).0,
        stdout,
        stderr: sink(),
    };
    let running = client.exec(command("echo ready; sleep 60"), io, no_events());
    let cutting = async {
        assert_eq!(output.read_u8().await.unwrap(), b'r');
        cut.shutdown(std::net::Shutdown::Both).unwrap();
    };
    let (exit, ()) = timeout(LONG, async { tokio::join!(running, cutting) })
        .await
        .unwrap();
    let error = exit.unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
    timeout(LONG, client.ended()).await.unwrap();
    assert!(client.is_closed());
    let again = client.exec(
        command("true"),
        Io {
            stdin: empty(),
            stdout: sink(),
            stderr: sink(),
        },
        no_events(),
    );
    assert!(matches!(again.await, Err(Error::Lost(_))));
    assert!(matches!(
        client.ask("sistemo-ready").await,
        Err(Error::Lost(_))
    ));
}

#[tokio::test]
async fn output_that_nobody_wants_is_an_error_of_its_own() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let (stdout, output) = duplex(16);
    drop(output);
    let io = Io {
        stdin: empty(),
        stdout,
        stderr: sink(),
    };
    let error = timeout(LONG, client.exec(command("yes"), io, no_events()))
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(&error, Error::Output(why) if why.kind() == io::ErrorKind::BrokenPipe),
        "{error:?}"
    );
    // The channel was closed and the connection is as good as before.
    assert_eq!(text(&client, "echo still here").await, "still here\n");
}

/// Dropping the future hangs up: the command's input ends.
#[tokio::test]
async fn a_dropped_command_is_hung_up_on() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let pipe = server.directory.path().join("over");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let line = format!("echo ready; cat; echo over > {}", pipe.display());
    let (stdout, mut output) = duplex(64);
    {
        let (_open, stdin) = duplex(1);
        let running = client.exec(
            command(&line),
            Io {
                stdin,
                stdout,
                stderr: sink(),
            },
            no_events(),
        );
        tokio::select! {
            exit = running => panic!("it ended by itself: {exit:?}"),
            byte = output.read_u8() => assert_eq!(byte.unwrap(), b'r'),
        }
    }
    let over = timeout(LONG, tokio::fs::read_to_string(&pipe))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(over, "over\n");
    assert_eq!(text(&client, "echo still here").await, "still here\n");
}
