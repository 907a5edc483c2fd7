//! PID 1 in a machine's initramfs, and its SSH server for as long as the machine lives.
//!
//! ```text
//!   PID 1:   modules, network ─┬─▶ disks, root ─▶ volumes, identity ─▶ exec the image's init
//!                              │        │                │                 or run its application and reap
//!   server:               fork └─▶ listens ─▶ enters ─▶ lets users in ─▶ (for the machine's whole life)
//! ```
//!
//! The server is forked before there is a root file system, so that a machine answers as early as its network does. It
//! is a process of its own, so PID 1 can become any init. Nothing is left in the image for either: the program lives
//! on in memory after the initramfs has been emptied.
//!
//! `sistemo-guest serve --config FILE --listen ADDR:PORT` runs the server alone, on a running system, for trying it.

mod accounts;
mod boot;
mod clock;
mod command;
mod console;
mod disks;
mod environment;
mod gate;
mod grow;
mod handover;
mod identity;
mod machine_id;
mod modules;
mod mounts;
mod namespace;
mod netlink;
mod network;
mod power;
mod renew;
mod resolve;
mod seed;
mod sftp;
mod ssh;
mod supervise;
mod surroundings;
mod text;
mod uevent;
mod volumes;

use std::path::Path;
use std::process::ExitCode;

use sistemo::guest::words;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        _ if std::process::id() == 1 => boot::run(),
        ["sftp", uid, gid, groups] => ended(sftp::run(uid, gid, groups)),
        ["serve", "--config", config, "--listen", address] => {
            ended(serve(Path::new(config), address))
        }
        _ => {
            console::say("usage: sistemo-guest serve --config FILE --listen ADDR:PORT");
            ExitCode::from(2)
        }
    }
}

fn ended<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::say(&format!("sistemo-guest: {}", console::report(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Why the server cannot be tried.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("{0:?} is no address to listen on, such as 127.0.0.1:7722")]
    Address(String),
    #[error(transparent)]
    Config(#[from] boot::ConfigError),
    #[error("cannot serve")]
    Serve(#[from] ssh::ServeError),
}

fn serve(config: &Path, address: &str) -> Result<(), TryError> {
    let address = address
        .parse()
        .map_err(|_| TryError::Address(address.to_owned()))?;
    let config = boot::read_config(config)?;
    let listening = |address| console::say(&format!("{} on {address}", words::READY_LINE));
    Ok(ssh::serve_here(&config, address, listening)?)
}
