//! What the daemon serves: terminals over WebSockets, and the API.

mod browser;
mod client;
mod listing;
mod relay;
mod served;
mod shells;

pub(crate) use browser::output;
pub(crate) use listing::thousand;
pub(crate) use shells::{echo, many};
