//! Pages and what they are made of: the same small shell for each, which its script fills (`ui/web/page`).
//!
//! They are for everybody, since nothing in them is anybody's: who is not logged in gets them with the status 401, and the
//! script asks for a login.

#[cfg(feature = "browser")]
mod assets;
#[cfg(not(feature = "browser"))]
mod missing;
#[cfg(feature = "browser")]
mod shell;
#[cfg(test)]
#[cfg(feature = "browser")]
mod tests;

#[cfg(feature = "browser")]
use assets::asset;
#[cfg(not(feature = "browser"))]
use missing::{missing as asset, missing as shell};
#[cfg(feature = "browser")]
use shell::shell;

use axum::Router;
use axum::routing::get;

/// The pages. The script looks at the address for what they are to show.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(shell))
        .route("/terminals/vm/{name}", get(shell))
        .route("/terminals/machine/{name}", get(shell))
        .route("/assets/{file}", get(asset))
}
