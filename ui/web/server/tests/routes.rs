//! Every route there is, and that none is open but those that are to be.

use std::collections::BTreeSet;

use super::Lab;
use crate::web::access;

/// What is there for everybody. What a page's shell answers is 401 without a session, but it is the shell.
const PUBLIC: [(&str, &str); 5] = [
    ("GET", "/healthz"),
    ("GET", "/api/docs"),
    ("GET", "/assets/docs.css"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/proof"),
];
/// Routes that are in no document: those of pages, WebSockets and the tests' own room.
const UNDOCUMENTED: [(&str, &str); 11] = [
    ("GET", "/"),
    ("GET", "/terminals/vm/web"),
    ("GET", "/terminals/machine/web"),
    ("GET", "/api/v1/machines/web/terminal"),
    ("GET", "/api/v1/console"),
    ("POST", "/test/change"),
    ("GET", "/test/stream"),
    ("GET", "/test/socket"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/nowhere"),
];

/// Methods and paths of an OpenAPI document.
fn documented(document: &serde_json::Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let of_path = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, _)| (method.to_uppercase(), path.clone()))
    });
    of_path
        .filter(|(method, _)| ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()))
        .collect()
}

#[tokio::test]
async fn no_route_is_open_but_the_public_ones() {
    let lab = Lab::new().await;
    let (_, own) = access::routes().split_for_parts();
    let mut routes = documented(&serde_json::to_value(own).unwrap());
    assert!(routes.len() >= 5, "{routes:?}");
    let bearer = lab.bearer();
    let served = lab
        .ask(
            "GET /api/v1/openapi.json",
            &[("Authorization", &bearer)],
            "",
        )
        .await;
    assert_eq!(served.status, 200);
    let served = documented(&served.json());
    assert!(served.len() >= 40, "{served:?}");
    routes.extend(served);
    routes.extend(UNDOCUMENTED.map(|(method, path)| (method.into(), path.into())));
    routes.extend(PUBLIC.map(|(method, path)| (method.into(), path.into())));
    for (method, path) in &routes {
        let public = PUBLIC.contains(&(method.as_str(), path.as_str()));
        let path = path.replace(['{', '}'], "");
        for headers in [vec![], vec![("Cookie", "sistemo=x")]] {
            let answer = lab.ask(&format!("{method} {path}"), &headers, "").await;
            assert_eq!(answer.status != 401, public, "{method} {path}: {answer:?}");
        }
    }
    assert_eq!(lab.done(), 0);
    lab.end().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_to_callers_only() {
    let lab = Lab::new().await;
    let bearer = lab.bearer();
    let caller = [("Authorization", bearer.as_str())];
    let answer = lab.ask("GET /nowhere", &caller, "").await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (404, &"not_found".into())
    );
    let answer = lab.ask("DELETE /test/change", &caller, "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), "POST,PUT");
    assert_eq!(answer.json()["code"], "method_not_allowed");
    lab.end().await;
}

#[tokio::test]
async fn every_answer_says_what_a_page_may_do() {
    let lab = Lab::new().await;
    let bearer = lab.bearer();
    let mut nonces = BTreeSet::new();
    for (line, headers) in [
        ("GET /healthz", vec![]),
        ("GET /nowhere", vec![]),
        ("GET /healthz", vec![("Host", "evil.example")]),
        ("GET /test/panic", vec![("Authorization", bearer.as_str())]),
        (
            "POST /test/change",
            vec![("Authorization", bearer.as_str())],
        ),
    ] {
        let answer = lab.ask(line, &headers, "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{line}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("server"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "");
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "frame-ancestors 'none';",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{line}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next());
        nonces.insert(nonce.unwrap().to_string());
    }
    assert_eq!(nonces.len(), 5, "one for each answer");
    lab.end().await;
}
