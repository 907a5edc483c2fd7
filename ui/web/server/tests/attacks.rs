//! The table of attacks: what a stranger may try, and that it is refused with nothing done.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{Lab, Limits, parse, read_all};

/// A request to change something, which would be good but for these headers.
struct Attack {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    status: u16,
}

fn attack(what: &'static str, status: u16, headers: &[(&'static str, &str)]) -> Attack {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.to_string()));
    Attack {
        what,
        headers: headers.collect(),
        status,
    }
}

#[tokio::test]
async fn a_request_of_a_stranger_is_refused_and_nothing_is_done() {
    let lab = Lab::new().await;
    let (login, port, own) = (lab.log_in().await, lab.port, lab.origin());
    let (cookie, key, bearer) = (login.cookie.as_str(), login.key.as_str(), lab.bearer());
    let session = [("Cookie", cookie), ("Sistemo-Session-Key", key)];
    let of = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let all = session.iter().chain(more);
        all.map(|(name, value)| (*name, value.to_string()))
            .collect()
    };
    let from = |what: &'static str, status: u16, more: &[(&'static str, &str)]| Attack {
        what,
        headers: of(more),
        status,
    };
    let host = |name: &str| format!("{name}:{port}");
    let other_port = port.wrapping_add(1).max(1);
    let mut attacks = vec![
        from(
            "a foreign Host",
            421,
            &[("Host", &host("evil.example")), ("Origin", &own)],
        ),
        from(
            "a Host that begins well",
            421,
            &[("Host", &host("localhost.evil.example"))],
        ),
        from(
            "a Host without its port",
            421,
            &[("Host", "localhost"), ("Origin", &own)],
        ),
        from(
            "another port",
            421,
            &[("Host", &format!("localhost:{other_port}"))],
        ),
        from(
            "a user before the Host",
            421,
            &[("Host", &host("localhost@127.0.0.1"))],
        ),
        from("an empty Host", 421, &[("Host", "")]),
        from(
            "two Hosts",
            400,
            &[("Host", &host("localhost")), ("Host", "evil.example")],
        ),
        from("no Origin", 403, &[]),
        from("Origin null", 403, &[("Origin", "null")]),
        from(
            "an Origin that begins well",
            403,
            &[("Origin", &format!("http://localhost.evil.example:{port}"))],
        ),
        from(
            "an Origin without the port",
            403,
            &[("Origin", "http://localhost")],
        ),
        from(
            "an Origin at another port",
            403,
            &[("Origin", &format!("http://localhost:{other_port}"))],
        ),
        from(
            "an Origin with TLS",
            403,
            &[("Origin", &format!("https://localhost:{port}"))],
        ),
        from(
            "an Origin of another of our names",
            403,
            &[("Origin", &format!("http://127.0.0.1:{port}"))],
        ),
        from(
            "two Origins",
            403,
            &[("Origin", &own), ("Origin", "http://evil.example")],
        ),
        from(
            "two in one",
            403,
            &[("Origin", &format!("{own} http://evil.example"))],
        ),
        from("a longer Origin", 403, &[("Origin", &format!("{own}/"))]),
        from(
            "another site",
            403,
            &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
        ),
        from(
            "another port's page",
            403,
            &[("Origin", &own), ("Sec-Fetch-Site", "same-site")],
        ),
        attack("nobody", 401, &[("Origin", &own)]),
        attack(
            "a key alone",
            401,
            &[("Origin", &own), ("Sistemo-Session-Key", key)],
        ),
        attack(
            "a cookie without its key",
            403,
            &[("Origin", &own), ("Cookie", cookie)],
        ),
        attack(
            "a wrong key",
            403,
            &[
                ("Origin", &own),
                ("Cookie", cookie),
                ("Sistemo-Session-Key", &lab.token),
            ],
        ),
        attack(
            "a wrong cookie",
            401,
            &[
                ("Origin", &own),
                ("Cookie", &format!("sistemo-{port}={key}")),
                ("Sistemo-Session-Key", key),
            ],
        ),
        attack(
            "the cookie as a token",
            401,
            &[("Authorization", &format!("Bearer {key}"))],
        ),
        attack(
            "another scheme",
            400,
            &[("Authorization", "Basic cm9vdDpyb290")],
        ),
        attack("no token", 401, &[("Authorization", "Bearer ")]),
        attack(
            "two tokens",
            400,
            &[("Authorization", &bearer), ("Authorization", "Bearer x")],
        ),
        attack(
            "a token on a page of another origin",
            403,
            &[
                ("Authorization", &bearer),
                ("Origin", "http://evil.example"),
            ],
        ),
    ];
    // The session ends with its page's name, not with the one that the cookie is sent to.
    attacks.push(from(
        "a page under another of our names",
        403,
        &[("Host", &host("127.0.0.1")), ("Origin", &own)],
    ));
    for Attack {
        what,
        headers,
        status,
    } in &attacks
    {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = lab.ask("POST /test/change", &headers, "").await;
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{what}"
        );
        assert_eq!(answer.json()["status"], *status, "{what}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{what}");
        assert_eq!(lab.done(), 0, "{what}");
    }

    // The same, well done.
    let good = of(&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")]);
    let good: Vec<_> = good
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let bearer = [("Authorization", bearer.as_str())];
    for headers in [good.as_slice(), &bearer] {
        let answer = lab.ask("POST /test/change", headers, "").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "done"),
            "{answer:?}"
        );
    }
    assert_eq!(lab.done(), 2);
    lab.end().await;
}

#[tokio::test]
async fn reading_takes_a_cookie_but_not_from_pages_of_others() {
    let lab = Lab::new().await;
    let login = lab.log_in().await;
    let cookie = ("Cookie", login.cookie.as_str());
    for (headers, status) in [
        (vec![cookie], 200),
        (vec![cookie, ("Sec-Fetch-Site", "none")], 200),
        (vec![cookie, ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![cookie, ("Sec-Fetch-Site", "same-site")], 403),
        (vec![cookie, ("Origin", "http://evil.example")], 403),
        (vec![], 401),
    ] {
        let answer = lab.ask("GET /api/v1/session", &headers, "").await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }
    // Nothing has to be asked for another site's page to be told that there is nothing.
    let answer = lab
        .ask(
            "OPTIONS /test/change",
            &[("Origin", "http://evil.example")],
            "",
        )
        .await;
    assert_eq!(answer.status, 403);
    lab.end().await;
}

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
async fn forms_of_other_pages_log_nobody_in() {
    let lab = Lab::new().await;
    let (token, own) = (lab.token.clone(), lab.origin());
    let json = format!("{{\"token\":\"{token}\"}}");
    let part = format!(
        "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--b--\r\n"
    );
    for (kind, body) in [
        (
            "application/x-www-form-urlencoded",
            format!("token={token}"),
        ),
        ("multipart/form-data; boundary=b", part),
        ("text/plain", json.clone()),
        ("", json.clone()),
    ] {
        for origin in ["http://evil.example", own.as_str()] {
            let headers = [("Content-Type", kind), ("Origin", origin)];
            let answer = lab.ask("POST /api/v1/session", &headers, &body).await;
            let status = if origin == own { 415 } else { 403 };
            assert_eq!(answer.status, status, "{kind}: {answer:?}");
            assert_eq!(answer.header("set-cookie"), "");
        }
    }
    let of_json = [("Content-Type", "application/json")];
    for body in [
        "",
        "{",
        "{}",
        "[]",
        "null",
        "{\"token\":1}",
        "{\"token\":\"a\",\"ticket\":\"b\"}",
        "{\"token\":\"a\",\"user\":\"root\"}",
    ] {
        let answer = lab.ask("POST /api/v1/session", &of_json, body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
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
    let drip = async {
        let mut dripped = 0;
        while stream.write_all(b"x").await.is_ok() {
            dripped += 1;
            tokio::task::yield_now().await;
            if dripped > 20_000_000 {
                return false;
            }
        }
        true
    };
    assert!(drip.await, "it is still there");

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
