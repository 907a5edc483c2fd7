//! Terminals: shells in machines and the console, over WebSockets.

use axum::Router;

use crate::web::Web;

/// Terminals that are open.
#[derive(Debug, Default)]
pub(crate) struct Terminals {}

pub(crate) fn routes() -> Router<Web> {
    Router::new()
}
