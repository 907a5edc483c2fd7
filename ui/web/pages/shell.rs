//! The shell of every page: it names the script and the stylesheet, and holds nothing else.

use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::response::{Html, IntoResponse, Response};

use crate::web::access::{Caller, Nonce};

/// Answers with the shell; with the status 401 to a stranger.
pub(super) async fn shell(
    caller: Option<Extension<Caller>>,
    nonce: Option<Extension<Nonce>>,
) -> Response {
    let nonce = nonce
        .map(|Extension(Nonce(nonce))| nonce)
        .unwrap_or_default();
    // The nonce is of this answer alone.
    let page = ([(CACHE_CONTROL, "no-store")], Html(html(&nonce)));
    match caller {
        Some(_) => page.into_response(),
        // A scheme that browsers do not ask their user for: the script does that.
        None => (
            StatusCode::UNAUTHORIZED,
            [(WWW_AUTHENTICATE, "Bearer")],
            page,
        )
            .into_response(),
    }
}

/// The shell. Its script hands the nonce on to the style elements that xterm.js makes.
fn html(nonce: &str) -> String {
    let (script, style, icon) = (
        env!("SISTEMO_PAGE_JS"),
        env!("SISTEMO_STYLE_CSS"),
        env!("SISTEMO_FAVICON_SVG"),
    );
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>Sistemo</title>
<link rel="icon" type="image/svg+xml" href="/assets/{icon}">
<link rel="stylesheet" href="/assets/{style}">
<script type="module" src="/assets/{script}" nonce="{nonce}"></script>
</head>
<body>
<noscript>Terminals need JavaScript.</noscript>
</body>
</html>
"#
    )
}
