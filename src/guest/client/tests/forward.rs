//! Forwarded ports, the SOCKS proxy, and the user's agent.

use std::net::Ipv4Addr;

use super::*;
use crate::value::{Listen, Reach};

fn to(host: &str, port: u16) -> Reach {
    Reach::Tcp {
        host: host.into(),
        port,
    }
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
    let serving = tokio::spawn(async move {
        forwarding
            .forward_local(listener, &to("localhost", port))
            .await
    });
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
            .forward_local(dead, &to("127.0.0.1", nobody_port))
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
        .forward_remote("127.0.0.1", 0, to("127.0.0.1", port))
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
        .forward_remote("127.0.0.1", taken_port, to("127.0.0.1", port))
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

#[tokio::test]
async fn sockets_on_either_side() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let (inner, outer) = (
        server.directory.path().join("inner"),
        server.directory.path().join("outer"),
    );
    let echo = UnixListener::bind(&inner).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        }
    });
    let mut listeners = Listener::bind(&Listen::Unix(outer.clone())).await.unwrap();
    let listener = listeners.pop().unwrap();
    tokio::spawn(async move { client.forward_local(listener, &Reach::Unix(inner)).await });
    let mut stream = UnixStream::connect(&outer).await.unwrap();
    stream.write_all(b"there and back").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "there and back");
}

#[tokio::test]
async fn a_port_without_an_address_is_this_hosts_alone_and_one_that_is_taken_is_refused() {
    let free = Listen::Tcp {
        bind: None,
        port: 0,
    };
    let listeners = Listener::bind(&free).await.unwrap();
    let port = listeners[0].port().unwrap();
    for listener in &listeners {
        let Listener::Tcp(listener) = listener else {
            panic!()
        };
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback() && address.port() == port);
    }
    let taken = Listen::Tcp { bind: None, port };
    let error = Listener::bind(&taken).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
