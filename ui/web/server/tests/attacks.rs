//! The table of attacks: what a stranger may try, and that it is refused with nothing done.

use super::Lab;

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
        attack("no token", 400, &[("Authorization", "Bearer ")]),
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
async fn reading_takes_a_cookie_and_its_key_and_no_page_of_others() {
    let lab = Lab::new().await;
    let login = lab.log_in().await;
    let cookie = ("Cookie", login.cookie.as_str());
    let key = ("Sistemo-Session-Key", login.key.as_str());
    for (headers, status) in [
        (vec![cookie, key], 200),
        (vec![cookie, key, ("Sec-Fetch-Site", "same-origin")], 200),
        (vec![cookie, key, ("Sec-Fetch-Site", "none")], 200),
        (vec![cookie, key, ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![cookie, key, ("Sec-Fetch-Site", "same-site")], 403),
        (vec![cookie, key, ("Origin", "http://evil.example")], 403),
        (vec![cookie], 403),
        (vec![key], 401),
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
