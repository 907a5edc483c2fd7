//! Pages and what they are made of.

use axum::Router;

use crate::web::Web;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
}
