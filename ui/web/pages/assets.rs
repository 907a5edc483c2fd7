//! Script, stylesheet and icon, as `build.rs` has made them. Their names hold a hash of their contents, so that they may be
//! kept for good.

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::json;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/pages"]
struct Files;

/// Answers with a file; compressed when the browser takes that.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((content, file)) = content(&name).and_then(|of| Some((of, Files::get(&name)?))) else {
        return none(&name);
    };
    let compressed = accepts_brotli(&headers)
        .then(|| Files::get(&format!("{name}.br")))
        .flatten();
    let encoding = compressed.is_some().then_some([(CONTENT_ENCODING, "br")]);
    let file = compressed.unwrap_or(file);
    let etag = etag(&file);
    let lasting = [
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (VARY, "accept-encoding"),
    ];
    if is_known(&headers, &etag) {
        return (StatusCode::NOT_MODIFIED, lasting, [(ETAG, etag)]).into_response();
    }
    let body = (
        lasting,
        [(CONTENT_TYPE, content)],
        [(ETAG, etag)],
        file.data,
    );
    match encoding {
        Some(encoding) => (encoding, body).into_response(),
        None => body.into_response(),
    }
}

/// What a file is, by its name; what is no file for browsers is none.
fn content(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        // Licences of what the script is made of.
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// Whether `Accept-Encoding` (RFC 9110, section 12.5.3) has Brotli in it.
fn accepts_brotli(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_brotli = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("br"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
        is_brotli && weight.unwrap_or(1.0) > 0.0
    })
}

/// A strong entity tag: the hash of just these bytes.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let number = u128::from_be_bytes(std::array::from_fn(|at| hash[at]));
    format!("\"{number:032x}\"")
}

/// Whether `If-None-Match` (RFC 9110, section 13.1.2) has it.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|known| known.trim() == "*" || known.trim().trim_start_matches("W/") == etag)
}

/// A problem document (RFC 9457).
fn none(name: &str) -> Response {
    let status = StatusCode::NOT_FOUND;
    let problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": format!("there is no file {name:?}"),
        "code": "not_found",
        "hint": null,
    });
    let content = [(CONTENT_TYPE, "application/problem+json")];
    (status, content, problem.to_string()).into_response()
}
