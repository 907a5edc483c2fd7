//! Script, stylesheet and icon, as `build.rs` has made them. Their names hold a hash of their contents, so that they may be
//! kept for good.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::web::Problem;
use crate::web::negotiation::{is_known, takes};

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/pages"]
struct Files;

/// Answers with a file; compressed when the browser takes that.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((content, file)) = content(&name).and_then(|of| Some((of, Files::get(&name)?))) else {
        let detail = format!("there is no file {name:?}");
        return Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response();
    };
    let compressed = takes(&headers, "br")
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

/// A strong entity tag: the hash of just these bytes.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let number = u128::from_be_bytes(std::array::from_fn(|at| hash[at]));
    format!("\"{number:032x}\"")
}
