//! Pages as a client gets them, and as a real browser shows them.

mod build;
#[path = "../../../../tests/support/browser.rs"]
mod driver;
mod peer;
mod shown;
mod site;
mod states;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Router};
use tower::ServiceExt;

use crate::web::access::{Caller, Nonce};

/// The answer to a GET, with its headers and text.
async fn get(
    router: Router,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response: Response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 30).await.unwrap().to_vec();
    (parts.status, parts.headers, body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_stranger_has_the_same_shell_with_another_status() {
    let strange = super::routes::<()>().layer(Extension(Nonce("bm9uY2U=".into())));
    let known = strange.clone().layer(Extension(Caller::Token));
    for path in ["/", "/terminals/vm/web", "/terminals/machine/web"] {
        let (status, headers, page) = get(known.clone(), path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(header(&headers, "cache-control"), "no-store");
        assert_eq!(header(&headers, "content-type"), "text/html; charset=utf-8");
        let text = String::from_utf8(page.clone()).unwrap();
        assert!(text.contains(r#"nonce="bm9uY2U=""#), "{text}");
        let (status, headers, same) = get(strange.clone(), path, &[]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(header(&headers, "www-authenticate"), "Bearer");
        assert!(page == same);
    }
}

#[tokio::test]
async fn nothing_of_the_address_gets_into_a_page() {
    let hostile = "/terminals/vm/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let (_, _, page) = get(super::routes(), hostile, &[]).await;
    let (_, _, usual) = get(super::routes(), "/", &[]).await;
    assert!(page == usual);
}

#[tokio::test]
async fn files_are_kept_for_good_and_compressed_for_those_who_take_it() {
    for (name, content) in [
        (env!("SISTEMO_PAGE_JS"), "text/javascript; charset=utf-8"),
        (env!("SISTEMO_STYLE_CSS"), "text/css; charset=utf-8"),
        (env!("SISTEMO_FAVICON_SVG"), "image/svg+xml"),
    ] {
        let path = format!("/assets/{name}");
        let (status, headers, plain) = get(super::routes(), &path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(header(&headers, "content-type"), content);
        assert_eq!(
            header(&headers, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(header(&headers, "vary"), "accept-encoding");
        assert_eq!(header(&headers, "content-encoding"), "");
        let etag = header(&headers, "etag").to_owned();

        let brotli = [("accept-encoding", "gzip, br;q=0.8")];
        let (status, headers, small) = get(super::routes(), &path, &brotli).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(header(&headers, "content-encoding"), "br");
        assert_eq!(header(&headers, "content-type"), content);
        assert!(small.len() < plain.len() && header(&headers, "etag") != etag);

        let known = [("if-none-match", etag.as_str())];
        let (status, headers, nothing) = get(super::routes(), &path, &known).await;
        assert_eq!((status, nothing.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(header(&headers, "etag"), etag);

        let refused = [("accept-encoding", "br;q=0")];
        let (_, headers, _) = get(super::routes(), &path, &refused).await;
        assert_eq!(header(&headers, "content-encoding"), "");
    }
}

#[tokio::test]
async fn there_is_nothing_but_the_pages_own_files() {
    let compressed = format!("/assets/{}.br", env!("SISTEMO_PAGE_JS"));
    for path in [
        "/assets/none.js",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e",
        "/assets/.",
        "/assets/%00.js",
        compressed.as_str(),
    ] {
        let (status, headers, body) = get(super::routes(), path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&headers, "content-type"), "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "not_found");
    }
    for path in ["/assets", "/assets/", "/terminals/vm", "/terminals/vm/a/b"] {
        let (status, _, body) = get(super::routes(), path, &[]).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_FOUND, 0), "{path}");
    }
}

#[tokio::test]
async fn the_script_keeps_within_its_budget() {
    let path = format!("/assets/{}", env!("SISTEMO_PAGE_JS"));
    let (_, _, script) = get(super::routes(), &path, &[]).await;
    assert!(script.len() <= 900 << 10, "{} bytes", script.len());
}
