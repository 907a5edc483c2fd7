//! What is answered where there would be pages, in a program that was built without them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn missing() -> Response {
    let text = "This sistemo was built without its pages; its API is under /api/v1.\n\
                To have them, install npm and build it with the feature \"browser\", which is on by default: cargo build\n";
    (StatusCode::NOT_IMPLEMENTED, text).into_response()
}
