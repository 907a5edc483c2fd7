//! The document that describes the API (OpenAPI 3.1), made of what the handlers say of themselves.
//!
//! What is the same of many operations is added here in one place: parameters of paths, waiting and keys of operations,
//! problems, and who may ask.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::problem::Problem;
use crate::web::{Web, access};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sistemo",
        description = "Small real Linux machines on this computer. Everything that the command line does, with the same \
            words: names and identifiers are interchangeable, sizes are numbers of bytes or text such as 2G, times are RFC \
            3339 in UTC. What takes long is an operation: it is answered with 202 and can be waited for, followed and taken \
            back. Failures are problem documents (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "machines", description = "Machines, and what is done in them"),
        (name = "snapshots", description = "Machines as they were, to go back to or on from"),
        (name = "volumes", description = "Disks"),
        (name = "networks", description = "Networks of machines"),
        (name = "images", description = "What machines are made of"),
        (name = "operations", description = "What takes long"),
        (name = "events", description = "What changes"),
        (name = "host", description = "The daemon and its computer"),
        (name = "session", description = "Coming in"),
        (name = "terminals", description = "WebSockets at /api/v1/machines/{name}/terminal and /api/v1/console, with the \
            subprotocol sistemo.terminal.v1; a page adds sistemo.key.KEY, a program its bearer token. ?cols= and ?rows= are \
            the size; ?session= and ?offset= come back to a session within a minute. Messages are binary: a byte that says \
            what, then its content, integers big-endian. 0 text (both ways), 1 size (u16 columns, u16 rows), 2 drawn up to \
            (u64 offset in the stream; no more than 256 KiB are sent beyond it), 3 hello and 4 state (JSON, from the \
            server), 5 another shell, 6 ping and 7 pong (u64), 8 close."),
    ),
    components(schemas(Problem)),
)]
struct Document;

/// The beginning, to which the resources are added.
pub(super) fn begin() -> OpenApiRouter<Web> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// The whole document.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let document = super::resources().merge(access::routes()).into_openapi();
    // Plain structs with string keys always have a JSON form.
    finished(serde_json::to_value(document).unwrap_or_default())
});

static TEXT: LazyLock<Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());

/// `GET /api/v1/openapi.json`.
pub(super) async fn show() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, TEXT.clone()).into_response()
}

fn finished(mut document: Value) -> Value {
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token, for programs"},
        "session": {"type": "apiKey", "in": "cookie", "name": "sistemo-7777",
            "description": "The cookie of a login; its name ends with the port. It alone may only read"},
        "key": {"type": "apiKey", "in": "header", "name": "Sistemo-Session-Key",
            "description": "The key of a login, which a page needs beside the cookie to change anything"},
    });
    let problem =
        json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    document["components"]["responses"] = json!({
        "Problem": {"description": "It was not done", "content": problem},
    });
    for schema in members(&mut document["components"]["schemas"]) {
        require_all(schema.1);
    }
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            finish(path, method, operation);
        }
    }
    document
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

/// What is answered has all its fields, those without a value with `null`. Requests, which refuse unknown fields, may
/// leave some out.
fn require_all(schema: &mut Value) {
    let is_request = schema.get("additionalProperties") == Some(&json!(false));
    if let Some(fields) = schema.get("properties").and_then(Value::as_object)
        && !is_request
    {
        let names: Vec<_> = fields.keys().cloned().collect();
        schema["required"] = json!(names);
    }
}

fn finish(path: &str, method: &str, operation: &mut Value) {
    let begins = operation["responses"].get("202").is_some();
    let mut parameters: Vec<Value> = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(parameter) = path_parameter(path) {
        parameters.insert(0, parameter);
    }
    let has_wait = parameters
        .iter()
        .any(|parameter| parameter["name"] == "wait");
    if begins && !has_wait {
        parameters.push(json!({
            "name": "wait", "in": "query", "description": "Seconds to wait for its end",
            "schema": {"type": "integer", "minimum": 0, "maximum": 60}, "example": 10,
        }));
    }
    if begins && !path.contains("/operations") {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "Asked again with the same key, the same operation is answered with",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }));
    }
    operation["parameters"] = json!(parameters);
    let problem = json!({"$ref": "#/components/responses/Problem"});
    let responses = &mut operation["responses"];
    let mut statuses = vec!["400", "401", "403", "429", "500", "503", "default"];
    if path.contains('{') {
        statuses.push("404");
    }
    if method != "get" {
        statuses.extend(["409", "413", "415", "422", "507"]);
    }
    for status in statuses {
        // One that a handler says itself may have no shape.
        if responses.get(status).is_none_or(is_bare_problem) {
            responses[status] = problem.clone();
        }
    }
    let mut session = Map::new();
    session.insert("session".into(), json!([]));
    if method != "get" {
        session.insert("key".into(), json!([]));
    }
    if operation.get("security").is_none() {
        operation["security"] = json!([{"bearer": []}, session]);
    }
}

fn is_bare_problem(response: &Value) -> bool {
    let problem = response.pointer("/content/application~1problem+json");
    problem.is_some_and(|problem| problem.get("schema").is_none())
}

/// What names a thing in a path.
fn path_parameter(path: &str) -> Option<Value> {
    let (name, what, example) = match path {
        _ if path.contains("{id}") => (
            "id",
            "The operation's identifier",
            "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
        ),
        _ if !path.contains("{name}") => return None,
        _ if path.contains("/images/") => ("name", "A name or a digest", "debian"),
        _ if path.contains("/networks/") => ("name", "A name", "default"),
        _ if path.contains("/config/") => ("name", "A setting", "default_memory"),
        _ if path.contains("/snapshots/{") => (
            "name",
            "The snapshot's identifier",
            "9f0d8d4e-6f34-4c9b-9d4c-3c1f6f1f2a11",
        ),
        _ if path.contains("/volumes/{") => ("name", "A name or an identifier", "web-root"),
        _ => ("name", "A name or an identifier", "web"),
    };
    Some(json!({
        "name": name, "in": "path", "required": true, "description": what,
        "schema": {"type": "string", "minLength": 1}, "example": example,
    }))
}
