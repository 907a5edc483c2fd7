//! Attacks below the words of a request: what breaks the rules of HTTP, is too large, or takes too long.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Lab, Limits, PATIENCE, parse, read_all};

#[tokio::test]
async fn what_breaks_the_rules_of_http_gets_nowhere() {
    let lab = Lab::new().await;
    let (port, bearer) = (lab.port, lab.bearer());
    let head = format!("Host: localhost:{port}\r\nAuthorization: {bearer}\r\n");
    let change = "POST /test/change HTTP/1.1\r\n";
    let end = "Connection: close\r\n\r\n";
    let header = |n: usize| format!("X-{n}: x\r\n");
    let many: String = (0..200).map(header).collect();
    for (what, request, statuses) in [
        (
            "no Host",
            format!("{change}Authorization: {bearer}\r\n{end}"),
            vec![400],
        ),
        (
            "no Host, of old",
            format!("POST /test/change HTTP/1.0\r\nAuthorization: {bearer}\r\n\r\n"),
            vec![400],
        ),
        (
            "a target elsewhere",
            format!("POST http://evil.example/test/change HTTP/1.1\r\n{head}{end}"),
            vec![421],
        ),
        (
            "a target at another name of ours",
            format!("POST http://127.0.0.1:{port}/test/change HTTP/1.1\r\n{head}{end}"),
            vec![421],
        ),
        (
            "a proxy's request",
            format!("CONNECT evil.example:443 HTTP/1.1\r\n{head}{end}"),
            vec![400],
        ),
        (
            "two lengths",
            format!("{change}{head}Content-Length: 1\r\nContent-Length: 2\r\n{end}ab"),
            vec![400],
        ),
        (
            "a length that is none",
            format!("{change}{head}Content-Length: +1\r\n{end}a"),
            vec![400],
        ),
        (
            "an encoding that is none",
            format!("{change}{head}Transfer-Encoding: chunked, identity\r\n{end}"),
            vec![400],
        ),
        (
            "a folded header",
            format!("{change}{head}X-Folded: a\r\n b\r\n{end}"),
            vec![400],
        ),
        (
            "a blank before the colon",
            format!("{change}{head}Content-Length : 1\r\n{end}"),
            vec![400],
        ),
        (
            "a header without a name",
            format!("{change}{head}: x\r\n{end}"),
            vec![400],
        ),
        (
            "a zero byte",
            format!("{change}{head}X-Zero: a\0b\r\n{end}"),
            vec![400],
        ),
        (
            "another version",
            format!("POST /test/change HTTP/9.9\r\n{head}{end}"),
            vec![400],
        ),
        (
            "no HTTP at all",
            "\u{16}\u{3}\u{1} hello\r\n\r\n".into(),
            vec![0, 400],
        ),
        (
            "many headers",
            format!("{change}{head}{many}{end}"),
            vec![431],
        ),
        (
            "a large header",
            format!("{change}{head}X-Large: {}\r\n{end}", "x".repeat(20 << 10)),
            vec![431],
        ),
        (
            "a header without end",
            format!("{change}{head}X-Large: {}", "x".repeat(200 << 10)),
            vec![431],
        ),
        (
            "a long target",
            format!(
                "POST /test/change?{} HTTP/1.1\r\n{head}{end}",
                "x".repeat(100 << 10)
            ),
            vec![414, 431],
        ),
    ] {
        let answer = lab.send(&request).await;
        assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(lab.done(), 0, "{what}");
    }

    // What follows a request whose length is said twice is not taken for another (RFC 9112, section 6.3).
    let hidden = format!("POST /test/change HTTP/1.1\r\n{head}\r\n");
    let smuggled = format!(
        "GET /healthz HTTP/1.1\r\n{head}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let said = lab.raw(&smuggled).await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert_eq!(lab.done(), 0);
    // A line may end without its CR (RFC 9112, section 2.2); what is written so meets the same refusals.
    let bare = format!("POST /test/change HTTP/1.1\nHost: localhost:{port}\nConnection: close\n\n");
    assert_eq!(lab.send(&bare).await.status, 401);
    let bare = "POST /test/change HTTP/1.1\nHost: evil.example\nConnection: close\n\n";
    assert_eq!(lab.send(bare).await.status, 421);
    assert_eq!(lab.done(), 0);
    lab.end().await;
}

#[tokio::test]
async fn no_path_leads_around_the_door() {
    let lab = Lab::new().await;
    for path in [
        "/assets/../test/change",
        "/assets/%2e%2e/test/change",
        "/assets/..%2ftest%2fchange",
        "/healthz/../test/change",
        "/healthz/",
        "//test/change",
        "/./test/change",
        "/TEST/CHANGE",
        "/test/change/",
        "/test//change",
        "/%74est/change",
        "/test/change;/healthz",
        "/test/change?/healthz",
        "/test/change%00",
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/assets/..%5c..%5cetc%5cpasswd",
        "*",
    ] {
        for method in ["GET", "POST", "HEAD", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = lab.ask(&format!("{method} {path}"), &[], "").await;
            let refused = [400, 401, 404].contains(&answer.status);
            assert!(refused, "{method} {path}: {answer:?}");
            assert!(!answer.body.contains("root:"), "{answer:?}");
        }
    }
    assert_eq!(lab.done(), 0);
    lab.end().await;
}

#[tokio::test]
async fn bodies_have_a_size_and_a_time() {
    let limits = Limits {
        pause: Duration::from_millis(200),
        ..Limits::default()
    };
    let lab = Lab::with(limits, |_| ()).await;
    let large = format!("{{\"token\":\"{}\"}}", "x".repeat(1 << 20));
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nConnection: close\r\n",
        lab.port
    );
    let whole = format!("{head}Content-Length: {}\r\n\r\n{large}", large.len());
    assert_eq!(lab.send(&whole).await.status, 413);
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    assert_eq!(lab.send(&chunked).await.status, 413);
    let half = format!("{head}Content-Length: 100\r\n\r\n{{");
    assert_eq!(lab.send(&half).await.status, 400);

    // What takes a body in piece by piece has no such limit.
    let bearer = lab.bearer();
    let answer = lab
        .ask("POST /test/upload", &[("Authorization", &bearer)], &large)
        .await;
    assert_eq!((answer.status, answer.body), (200, large.len().to_string()));
    lab.end().await;
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let limits = Limits {
        head: Duration::from_millis(200),
        ..Limits::default()
    };
    let lab = Lab::with(limits, |_| ()).await;
    for begun in [
        "",
        "GET / HT",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    ] {
        let said = lab.raw(begun).await;
        assert!(!said.contains(" 200 "), "{said}");
    }
    // One that goes on and on is no better off than one that stops.
    let mut stream = lab.connect().await;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut answer = [0; 64];
    let drip = async {
        loop {
            tokio::select! {
                end = stream.read(&mut answer) => return end,
                _ = pace.tick() => {}
            }
            stream.write_all(b"x").await?;
        }
    };
    let end = tokio::time::timeout(PATIENCE, drip).await.expect("an end");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");

    // An idle connection is closed, too, once it was answered.
    let mut stream = lab.connect().await;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        lab.port
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = parse(&read_all(&mut stream).await);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["product"], "sistemo");
    lab.end().await;
}
