//! `sistemo-guest`: PID 1 of every guest until it hands over to the image's init, and its SSH server for life.
//!
//! ```text
//! kernel ─► PID 1: mounts, modules, network, disks, identity ─┬─► the image's init, or its command
//!                                                             └─► SSH server, a process of its own
//! ```
//!
//! Each step is a module; this file is their order. The program imports nothing of the engine but the words that host
//! and guest share. It is static and carries no name service: users, groups and hosts are read from the image's files.

mod accounts;
mod command;
mod disks;
mod environment;
mod handover;
mod identity;
mod modules;
mod mounts;
mod network;
mod power;
mod ssh;

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;

use sistemo::guest::words::{self, Config};

/// What went wrong, in words: the console is all there is to show it on.
type Outcome<T = ()> = Result<T, String>;

/// Puts what was being done in front of what went wrong.
trait Doing<T> {
    fn doing(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        _ if std::process::id() == 1 => {
            let Err(why) = boot();
            say(&format!("{}{why}", words::FATAL_PREFIX));
            power::halt()
        }
        ["serve", "--config", config, "--listen", address] => {
            read_config(config).and_then(|config| ssh::serve_here(&config, address))
        }
        _ => Err("usage: sistemo-guest serve --config FILE --listen ADDRESS:PORT".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("sistemo-guest: {why}");
            ExitCode::FAILURE
        }
    }
}

/// From the kernel's first process to the image's. Comes back only with a reason not to go on.
fn boot() -> Outcome<std::convert::Infallible> {
    mounts::early()?;
    let config = read_config(words::CONFIG_PATH)?;
    modules::load_all()?;
    if let Some(network) = &config.network {
        network::up(network)?;
    }
    disks::mount_root(&config.root)?;
    disks::mount_volumes(&config.volumes);
    disks::offer_modules(config.modules.as_ref());
    identity::write(&config);
    mounts::enter_root()?;
    ssh::start(&config)?;
    handover::run(&config)
}

fn read_config(path: &str) -> Outcome<Config> {
    let bytes = std::fs::read(path).doing(format_args!("reading {path}"))?;
    serde_json::from_slice(&bytes).doing(format_args!("reading {path}"))
}

/// Writes a line to the console, which is the machine's boot log.
fn say(line: &str) {
    if let Ok(mut console) = OpenOptions::new().write(true).open("/dev/console") {
        let _ = console.write_all(format!("{line}\r\n").as_bytes());
    }
}
