//! The engine of Sistemo: small real Linux machines on one host.
//!
//! Every front end (console, commands, daemon) opens an [`engine::Engine`] in its own process and calls the same
//! methods. Nothing in this crate prints, reads a key or knows what a colour is: progress leaves through [`event`],
//! failures through [`error`].
//!
//! Dependencies point one way: `engine → machine → {volume, image, network, vmm, guest} → {store, host, event, error,
//! value}`. ARCHITECTURE.md is the map.

pub mod config;
pub mod engine;
pub mod error;
pub mod event;
mod fault;
pub mod guest;
pub mod host;
pub mod image;
pub mod machine;
pub mod network;
pub mod store;
pub mod value;
pub mod vmm;
pub mod volume;
