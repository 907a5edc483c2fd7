//! The whole program on real machines, real networks and real disks. Each test reads like a session at a shell.
//!
//! One binary, so that its tests share what is dear: a kernel and images, kept between runs outside the checkout, and
//! the right to run virtual machines, of which only a few run at once ([`support::Turn`]).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

mod api;
mod applications;
mod bad_input;
mod browser;
mod build;
mod chance;
mod cli;
mod console;
mod contain;
mod copy;
mod crash;
mod crowd;
mod daemon;
mod deploy_fails;
mod disk_full;
mod expose;
mod faults;
mod firecracker;
mod forward;
mod help;
mod host;
mod inside;
mod killed;
mod lifecycle;
mod limits;
mod logs;
mod names;
mod networks;
mod prune;
mod rename;
mod serve;
mod service;
mod snapshots;
mod stats;
mod store;
mod storm;
mod volumes;
mod web_terminal;
