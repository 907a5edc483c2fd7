//! Terminals over real sockets: a server, pages that a test plays, and guests or real programs behind them.

mod flow;
mod life;
mod program;
mod protocol;
mod server;

use server::{Heard, Lab, Page};
