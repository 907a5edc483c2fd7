//! What passes both ways, byte by byte, with and without a terminal.

use super::*;

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
