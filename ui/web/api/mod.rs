//! The API: what the command line does, for programs.

use axum::Router;

use crate::web::Web;

/// What takes long and goes on while nobody looks.
#[derive(Debug, Default)]
pub(crate) struct Operations {}

pub(crate) fn routes() -> Router<Web> {
    Router::new()
}
