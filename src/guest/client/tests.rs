//! The client against OpenSSH's server: another implementation of everything it speaks. One server for each connection,
//! at the other end of a socket pair (`sshd -i`), so that nothing listens anywhere and nothing outlives its test.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, pin::Pin};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex, empty, sink};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::error::Advice;
use crate::guest::keys::{ensure_key_pair, new_host_key};

/// Longer than anything here takes, so that what hangs fails.
const LONG: Duration = Duration::from_secs(60);

/// A server's host key and the key it lets in.
struct Server {
    directory: tempfile::TempDir,
    keys: Keys,
    host_key: String,
    target: Target,
}

impl Server {
    fn new() -> Server {
        let directory = tempfile::tempdir().unwrap();
        let keys = ensure_key_pair(directory.path()).unwrap();
        let (private, host_key) = new_host_key().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("authorized"), &keys.public_line).unwrap();
        std::fs::write(path("host"), private).unwrap();
        std::os::unix::fs::chown(path("host"), Some(0), Some(0)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path("host"), mode).unwrap();
        // sshd(8): an empty directory that it changes root to.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let target = Target::new("root", &keys, &host_key).unwrap();
        Server {
            directory,
            keys,
            host_key,
            target,
        }
    }

    /// Starts a server; the two ends of its socket, one to read and write and one to cut it with.
    fn start(&self) -> (Running, UnixStream, StdUnixStream) {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let log = std::fs::File::create(path("log")).unwrap();
        let end = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
        let options = [
            format!("HostKey={}", path("host")),
            format!("AuthorizedKeysFile={}", path("authorized")),
            "StrictModes=no".into(),
            "UsePAM=no".into(),
            "PermitRootLogin=yes".into(),
            "AcceptEnv=*".into(),
            "Subsystem=sftp internal-sftp".into(),
            "PrintMotd=no".into(),
        ];
        let child = Command::new("/usr/sbin/sshd")
            .args(["-i", "-e", "-f", "/dev/null"])
            .args(options.iter().flat_map(|option| ["-o", option]))
            .stdin(end())
            .stdout(end())
            .stderr(log)
            .spawn()
            .unwrap();
        ours.set_nonblocking(true).unwrap();
        let cut = ours.try_clone().unwrap();
        (Running(child), UnixStream::from_std(ours).unwrap(), cut)
    }

    async fn connect(&self) -> (Client, Running) {
        let (running, stream, _) = self.start();
        (
            Client::connect(stream, &self.target).await.unwrap(),
            running,
        )
    }
}

/// A server that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(line: &str) -> Exec {
    Exec {
        command: Some(line.into()),
        ..Exec::default()
    }
}

fn no_events() -> mpsc::Receiver<Event> {
    mpsc::channel(1).1
}

/// Runs a command with some input; its output, its errors and its end.
async fn run(client: &Client, exec: Exec, input: &[u8]) -> (Vec<u8>, Vec<u8>, Exit) {
    let (mut stdout, mut stderr) = (Heard::default(), Heard::default());
    let counts = [stdout.count.clone(), stderr.count.clone()];
    let heard = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    let io = Io {
        stdin: input,
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    let mut running = Box::pin(client.exec(exec, io, no_events()));
    // A machine under load may be slow. Only silence is a failure: no byte from the guest for long.
    let exit = loop {
        let before = heard();
        match timeout(LONG, &mut running).await {
            Ok(exit) => break exit.unwrap(),
            Err(_) => assert_ne!(heard(), before, "the command hangs"),
        }
    };
    drop(running);
    (stdout.bytes, stderr.bytes, exit)
}

/// What a command says, and how much that is by now.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    count: Arc<AtomicUsize>,
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes.extend_from_slice(data);
        self.count.fetch_add(data.len(), Ordering::Relaxed);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn text(client: &Client, line: &str) -> String {
    let (stdout, stderr, exit) = run(client, command(line), b"").await;
    assert_eq!(
        (exit, String::from_utf8(stderr).unwrap()),
        (Exit::Status(0), String::new())
    );
    String::from_utf8(stdout).unwrap()
}

/// Bytes without a pattern.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn streams_and_status_are_exact() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let (stdout, stderr, exit) = run(&client, command("echo out; echo err >&2; exit 7"), b"").await;
    assert_eq!(
        (stdout.as_slice(), stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    assert_eq!(exit, Exit::Status(7));
    for status in [0, 1, 255] {
        let (.., exit) = run(&client, command(&format!("exit {status}")), b"").await;
        assert_eq!(exit, Exit::Status(status));
    }
    let (.., exit) = run(&client, command("kill -KILL $$"), b"").await;
    assert!(
        matches!(&exit, Exit::Signal { name, core_dumped: false, .. } if name == "KILL"),
        "{exit:?}"
    );
    assert!(!exit.success());
    let mut exec = command("printf '%s|' \"$A\" \"$B\"");
    exec.env = vec![("A".into(), "1 2".into()), ("B".into(), "ö\n'\"".into())];
    let (stdout, ..) = run(&client, exec, b"").await;
    assert_eq!(String::from_utf8(stdout).unwrap(), "1 2|ö\n'\"|");
}

/// Says where two long texts part.
fn same(got: &[u8], wanted: &[u8]) {
    let parting = got.iter().zip(wanted).position(|(a, b)| a != b);
    assert_eq!((got.len(), parting), (wanted.len(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_passes_both_ways_under_either_cipher() {
    let server = Server::new();
    let input = noise(24 << 20);
    for emulated in [false, true] {
        let (_running, stream, _) = server.start();
        let target = server.target.clone().emulated(emulated);
        let client = Client::connect(stream, &target).await.unwrap();
        let (stdout, stderr, exit) = run(&client, command("cat; cat >&2"), &input).await;
        assert_eq!(exit, Exit::Status(0));
        same(&stdout, &input);
        assert!(stderr.is_empty());
        let (stdout, stderr, exit) = run(&client, command("cat >&2"), &input).await;
        assert_eq!(exit, Exit::Status(0));
        same(&stderr, &input);
        assert!(stdout.is_empty());
    }
}

#[tokio::test]
async fn the_end_of_the_input_is_passed_on_and_the_command_goes_on() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let (stdout, _, exit) = run(&client, command("sort; echo end; exit 4"), b"b\na").await;
    assert_eq!(
        (stdout.as_slice(), exit),
        (&b"a\nb\nend\n"[..], Exit::Status(4))
    );
    // A command does not wait for an input that never ends.
    let (_kept, stdin) = duplex(16);
    let io = Io {
        stdin,
        stdout: sink(),
        stderr: sink(),
    };
    let exit = timeout(LONG, client.exec(command("exit 5"), io, no_events())).await;
    assert_eq!(exit.unwrap().unwrap(), Exit::Status(5));
    // Nor for one that it does not read and that does not fit into any buffer.
    let input = noise(32 << 20);
    let (.., exit) = run(&client, command("exec <&-; exit 6"), &input).await;
    assert_eq!(exit, Exit::Status(6));
}

#[tokio::test]
async fn a_shell_and_its_terminal() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let (stdout, _, exit) = run(&client, Exec::default(), b"echo $((6 * 7)); exit 3\n").await;
    assert_eq!((stdout.as_slice(), exit), (&b"42\n"[..], Exit::Status(3)));

    let pty = Pty {
        term: "vt100".into(),
        cols: 91,
        rows: 37,
    };
    let line = "trap 'stty size; exit 8' WINCH; stty size; echo $TERM; echo err >&2; while :; do sleep 0.05; done";
    let exec = Exec {
        pty: Some(pty),
        ..command(line)
    };
    let (events, received) = mpsc::channel(1);
    let (stdout, mut screen) = duplex(4096);
    // Kept open: at the end of the input sshd closes the descriptor by which it would resize the terminal.
    let (_kept, stdin) = duplex(1);
    let io = Io {
        stdin,
        stdout,
        stderr: sink(),
    };
    let running = client.exec(exec, io, received);
    let watching = async {
        let mut seen = String::new();
        while !seen.ends_with("err\r\n") {
            seen.push(screen.read_u8().await.unwrap().into());
        }
        events
            .send(Event::Resize {
                cols: 120,
                rows: 50,
            })
            .await
            .unwrap();
        screen.read_to_string(&mut seen).await.unwrap();
        seen
    };
    let (exit, seen) = timeout(LONG, async { tokio::join!(running, watching) })
        .await
        .unwrap();
    assert_eq!(exit.unwrap(), Exit::Status(8));
    assert_eq!(seen, "37 91\r\nvt100\r\nerr\r\n50 120\r\n");
}

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

/// Counts what is read through it.
struct Counted(UnixStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(cx, buffer);
        self.1
            .fetch_add(buffer.filled().len() - before, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Nobody reads the output; meanwhile input and events keep coming. Nothing piles up, nothing locks up, and when
/// somebody reads, it all arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_the_guest_and_not_the_memory() {
    const OUTPUT: usize = 64 << 20;
    let server = Server::new();
    let (_running, stream, _) = server.start();
    let count = Arc::new(AtomicUsize::new(0));
    let client = Client::connect(Counted(stream, count.clone()), &server.target)
        .await
        .unwrap();
    let (events, received) = mpsc::channel(1);
    let (stdout, mut output) = duplex(4096);
    let input = noise(32 << 20);
    let line = format!("head -c {OUTPUT} /dev/zero");
    let running = client.exec(
        command(&line),
        Io {
            stdin: &input[..],
            stdout,
            stderr: sink(),
        },
        received,
    );
    let flooding = async {
        for cols in 1..2000 {
            if events.send(Event::Resize { cols, rows: 1 }).await.is_err() {
                return;
            }
        }
    };
    let reading = async {
        // Long enough for all of it to arrive, if it were let to.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let arrived = count.load(Ordering::Relaxed);
        assert!(arrived < OUTPUT / 4, "{arrived} bytes were taken in");
        tokio::io::copy(&mut output, &mut sink()).await.unwrap()
    };
    let all = async { tokio::join!(running, flooding, reading) };
    let (exit, (), length) = timeout(LONG, all).await.unwrap();
    assert_eq!((exit.unwrap(), length), (Exit::Status(0), OUTPUT as u64));
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

#[tokio::test]
async fn a_guest_with_another_host_key_is_refused() {
    let server = Server::new();
    let (_, other) = new_host_key().unwrap();
    let target = Target::new("root", &server.keys, &other).unwrap();
    let (_running, stream, _) = server.start();
    let error = Client::connect(stream, &target).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the guest shows another host key than the one it was given"
    );
    assert!(error.hint().is_some());
    let error = Target::new("root", &server.keys, "ssh-ed25519 nonsense").unwrap_err();
    assert_eq!(error.to_string(), "the guest's host key is not an SSH key");
}

#[tokio::test]
async fn a_user_or_key_that_is_not_known_is_refused() {
    let server = Server::new();
    let (_running, stream, _) = server.start();
    let nobody = Target::new("no-such-user", &server.keys, &server.host_key).unwrap();
    let error = Client::connect(stream, &nobody).await.unwrap_err();
    assert_eq!(error.to_string(), "the guest does not let no-such-user in");
    let stranger = ensure_key_pair(tempfile::tempdir().unwrap().path()).unwrap();
    let (_running, stream, _) = server.start();
    let stranger = Target::new("root", &stranger, &server.host_key).unwrap();
    let error = Client::connect(stream, &stranger).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn what_speaks_no_ssh_is_an_error() {
    let server = Server::new();
    for said in [
        "",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-x\r\nnot a packet at all, whatever it says",
    ] {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(said.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let error = timeout(LONG, Client::connect(ours, &server.target))
            .await
            .unwrap()
            .unwrap_err();
        assert!(matches!(error, Error::Ssh(_)), "{said:?}: {error:?}");
    }
}

/// With the clock paused, time passes at once when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_guest_that_says_nothing_is_not_waited_for_for_ever() {
    let server = Server::new();
    let (ours, _theirs) = duplex(4096);
    let error = Client::connect(ours, &server.target).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the guest's SSH server did not answer within 30 s"
    );
}

#[tokio::test]
async fn files_by_sftp() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let stream = client.subsystem("sftp").await.unwrap();
    let sftp = russh_sftp::client::SftpSession::new(stream).await.unwrap();
    let path = server.directory.path().join("file").display().to_string();
    let content = noise(1 << 20);
    let mut file = sftp.create(&path).await.unwrap();
    file.write_all(&content).await.unwrap();
    file.shutdown().await.unwrap();
    assert!(std::fs::read(&path).unwrap() == content);
    assert!(sftp.read(&path).await.unwrap() == content);
    drop(sftp);
    assert_eq!(text(&client, "echo still here").await, "still here\n");
}

#[tokio::test]
async fn a_subsystem_that_is_not_there() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let error = client.ask("no-such-thing").await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error:?}");
    let error = client.subsystem("no-such-thing").await.err().unwrap();
    assert!(matches!(error, Error::Request(_)), "{error:?}");
}

/// A TCP server on loopback that greets and then echoes.
async fn echo_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                write.write_all(b"hello ").await.unwrap();
                tokio::io::copy(&mut read, &mut write).await.unwrap();
            });
        }
    });
    port
}

/// Talks to that server until it has ended its side too.
async fn talk(mut stream: TcpStream) -> String {
    stream.write_all(b"and bye").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn ports_of_the_guest_are_reached_from_the_host() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let client = Arc::new(client);
    let port = echo_server().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let forwarding = client.clone();
    let serving =
        tokio::spawn(async move { forwarding.forward_local(listener, "localhost", port).await });
    for _ in 0..3 {
        let all = (0..5).map(|_| async { talk(TcpStream::connect(at).await.unwrap()).await });
        for heard in timeout(LONG, futures_util::future::join_all(all))
            .await
            .unwrap()
        {
            assert_eq!(heard, "hello and bye");
        }
    }
    // Commands run beside it.
    assert_eq!(text(&client, "echo beside").await, "beside\n");
    // A port that nobody listens on ends that client's connection and no other.
    let dead = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dead_at = dead.local_addr().unwrap();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let nobody_port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let forwarding = client.clone();
    let other = tokio::spawn(async move {
        forwarding
            .forward_local(dead, "127.0.0.1", nobody_port)
            .await
    });
    let mut refused = TcpStream::connect(dead_at).await.unwrap();
    assert_eq!(
        timeout(LONG, refused.read(&mut [0]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    assert_eq!(
        talk(TcpStream::connect(at).await.unwrap()).await,
        "hello and bye"
    );
    drop(_running);
    for task in [serving, other] {
        let error = timeout(LONG, task).await.unwrap().unwrap().unwrap_err();
        assert!(matches!(error, Error::Lost(_)), "{error:?}");
    }
}

#[tokio::test]
async fn ports_of_the_host_are_reached_from_the_guest() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let port = echo_server().await;
    let given = client
        .forward_remote("127.0.0.1", 0, ("127.0.0.1", port))
        .await
        .unwrap();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, given))
        .await
        .unwrap();
    assert_eq!(timeout(LONG, talk(stream)).await.unwrap(), "hello and bye");
    // One that is taken in the guest.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let error = client
        .forward_remote("127.0.0.1", taken_port, ("127.0.0.1", port))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error:?}");
    drop(taken);
}

#[tokio::test]
async fn a_socks_proxy_into_the_guest() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let port = echo_server().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { client.forward_dynamic(listener).await });
    let ask = async |request: &[u8]| {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(&[5, 2, 1, 0]).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, [5, 0]);
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[0], 5);
        (answer[1], stream)
    };
    let [high, low] = port.to_be_bytes();
    let by_address = [5, 1, 0, 1, 127, 0, 0, 1, high, low];
    let by_name = [&[5, 1, 0, 3, 9], &b"localhost"[..], &[high, low]].concat();
    for request in [&by_address[..], &by_name] {
        let (code, stream) = timeout(LONG, ask(request)).await.unwrap();
        assert_eq!(code, 0);
        assert_eq!(timeout(LONG, talk(stream)).await.unwrap(), "hello and bye");
    }
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let [high, low] = nobody.local_addr().unwrap().port().to_be_bytes();
    drop(nobody);
    assert_eq!(
        ask(&[5, 1, 0, 1, 127, 0, 0, 1, high, low]).await.0,
        4,
        "unreachable"
    );
    assert_eq!(
        ask(&[5, 2, 0, 1, 127, 0, 0, 1, high, low]).await.0,
        7,
        "BIND is not served"
    );
    assert_eq!(
        ask(&[5, 1, 0, 9, 127, 0, 0, 1, high, low]).await.0,
        8,
        "no such kind of address"
    );
    // A client that wants a password, and one that speaks something else.
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(&[5, 1, 2]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [5, 0xff]);
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"G").await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

/// A real agent, started for the test.
fn agent(socket: &Path) -> Running {
    let agent = Command::new("ssh-agent")
        .arg("-D")
        .arg("-a")
        .arg(socket)
        .stdout(Stdio::null())
        .spawn();
    Running(agent.unwrap())
}

#[tokio::test]
async fn the_users_agent_is_there_when_it_is_let_in_and_only_then() {
    let server = Server::new();
    let socket = server.directory.path().join("agent");
    let _agent = agent(&socket);
    let add = || {
        Command::new("ssh-add")
            .env("SSH_AUTH_SOCK", &socket)
            .arg(&server.keys.path)
            .output()
    };
    let added = async {
        while !add().unwrap().status.success() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, added).await.unwrap();
    let (_running, stream, _) = server.start();
    let target = server.target.clone().agent(Some(socket.clone()));
    let client = Client::connect(stream, &target).await.unwrap();
    let listed = text(&client, "ssh-add -L").await;
    assert_eq!(listed.trim(), server.keys.public_line);

    let (client, _running) = server.connect().await;
    let (.., exit) = run(&client, command("test -z \"$SSH_AUTH_SOCK\""), b"").await;
    assert_eq!(exit, Exit::Status(0));
}
