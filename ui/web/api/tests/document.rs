//! The document and the router agree.

use serde_json::{Value, json};

use super::{Room, json, of, request};
use crate::web::api::openapi::DOCUMENT;

/// Every operation of the document: path, method and what is said of it.
fn operations() -> impl Iterator<Item = (String, String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation))
    })
}

#[tokio::test]
async fn every_operation_of_the_document_has_a_route_and_refuses_what_it_is_not_for() {
    let room = Room::new();
    let mut ids = Vec::new();
    for (path, method, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(!ids.contains(&id), "{id} is there twice");
        ids.push(id);
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{id}"
        );
        let real = path.replace("{name}", "nobody").replace("{id}", "nothing");
        // A method that no route has answers with those that it has.
        let answer = room.send(request("TRACE", &real, None)).await;
        assert_eq!(answer.status(), 405, "{method} {path}");
        let allowed = of(answer.headers(), "allow");
        assert!(
            allowed.split(',').any(|allowed| allowed.trim() == method),
            "{method} {path}: {allowed}"
        );
        assert_eq!(json(answer).await["code"], "method_not_allowed");
    }
    assert!(ids.len() > 45, "{ids:?}");
}

#[test]
fn whatever_the_document_refers_to_is_in_it() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.push(reference.clone());
                }
                fields.values().for_each(|field| walk(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut references = Vec::new();
    walk(&DOCUMENT, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
    }
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
}

/// What programs rely on changes only where somebody sees it.
#[test]
fn the_operations_are_these() {
    let lines = operations().map(|(path, method, operation)| {
        format!(
            "{method} {path} {}",
            operation["operationId"].as_str().unwrap()
        )
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"));
}

/// Method, path, kind of body and body of a request; status and code of its problem.
type Case<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, u16, &'a str);

#[tokio::test]
async fn problems_are_problem_documents() {
    let room = Room::new();
    let cases: [Case<'_>; 12] = [
        ("GET", "/api/v1/nothing", None, "", 404, "not_found"),
        (
            "GET",
            "/api/v1/machines/web/nothing",
            None,
            "",
            404,
            "not_found",
        ),
        ("GET", "/api/v1/machines/web", None, "", 404, "not_found"),
        ("GET", "/api/v1/machines/%ff", None, "", 400, "usage"),
        ("GET", "/api/v1/machines?al=true", None, "", 400, "usage"),
        (
            "PATCH",
            "/api/v1/machines",
            None,
            "",
            405,
            "method_not_allowed",
        ),
        (
            "POST",
            "/api/v1/machines",
            Some("text/plain"),
            "{}",
            415,
            "unsupported_media_type",
        ),
        (
            "POST",
            "/api/v1/machines",
            Some("application/json"),
            "{",
            400,
            "usage",
        ),
        (
            "POST",
            "/api/v1/machines",
            Some("application/json"),
            "{\"imag\": \"a\"}",
            400,
            "usage",
        ),
        (
            "POST",
            "/api/v1/machines",
            Some("application/json"),
            "{}",
            400,
            "usage",
        ),
        (
            "POST",
            "/api/v1/machines/web/start",
            None,
            "",
            404,
            "not_found",
        ),
        (
            "POST",
            "/api/v1/machines/web/stop?wait=61",
            None,
            "",
            400,
            "usage",
        ),
    ];
    for (method, path, kind, body, status, code) in cases {
        let mut asked = request(method, path, None);
        if let Some(kind) = kind {
            asked
                .headers_mut()
                .insert("content-type", kind.parse().unwrap());
        }
        *asked.body_mut() = axum::body::Body::from(body);
        let answer = room.send(asked).await;
        assert_eq!(
            of(answer.headers(), "content-type"),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(answer.status(), status, "{method} {path} {body}");
        let problem = json(answer).await;
        assert_eq!(problem["status"], json!(status));
        assert_eq!(problem["code"], json!(code), "{method} {path}");
        let mut keys: Vec<_> = problem
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "code",
                "detail",
                "detail_lines",
                "hint",
                "status",
                "title",
                "type"
            ]
        );
    }
    // Larger than is ever read into memory.
    let large = format!("{{\"image\": \"{}\"}}", "a".repeat(3 << 20));
    let mut asked = request("POST", "/api/v1/machines", Some(json!({})));
    *asked.body_mut() = axum::body::Body::from(large);
    let answer = room.send(asked).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(json(answer).await["code"], "too_large");
}
