//! Headers of every answer: what a browser is to allow a page of ours, and what pages of others.

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::web::Problem;

/// What a style element of this answer's page must have as its `nonce`.
#[derive(Clone, Debug)]
pub(crate) struct Nonce(pub(crate) String);

/// What every answer has. None lets another origin read anything: there are no CORS headers.
const ALWAYS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    // For those that do not know `frame-ancestors`.
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "clipboard-read=(self), clipboard-write=(self), fullscreen=(self), camera=(), display-capture=(), geolocation=(), \
         microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()",
    ),
];

/// Gives a request its nonce, and its answer these headers. What an answer says of its cache stays.
pub(crate) async fn headers(mut request: Request, next: Next) -> Response {
    let mut random = [0; 16];
    if let Err(error) = getrandom::fill(&mut random) {
        let said = super::Error::Random(error.to_string()).to_string();
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", said).into_response();
    }
    let nonce = BASE64_STANDARD.encode(random);
    request.extensions_mut().insert(Nonce(nonce.clone()));
    let mut response = next.run(request).await;
    add(response.headers_mut(), &nonce);
    response
}

fn add(headers: &mut HeaderMap, nonce: &str) {
    for (name, value) in ALWAYS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    // `connect-src 'self'` is for WebSockets of the same host and port, too (CSP level 3, section 6.7.2.8).
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; \
         img-src 'self' data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    // Base64 is always good in a header.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert("content-security-policy", policy);
    }
}
