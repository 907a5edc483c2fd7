//! The machine's start, in order. Each step is a file of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::ForkResult;
use sistemo::guest::words::{self, Command, Config};

use crate::gate::Keeper;
use crate::uevent::Uevents;
use crate::{
    console, disks, grow, handover, identity, machine_id, modules, mounts, network, power, ssh,
    supervise, volumes,
};

/// Where the root file system is mounted until it becomes the root.
pub const SYSROOT: &str = "/sysroot";

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is not a machine's configuration")]
    Parse {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

/// Why a machine cannot start.
#[derive(Debug, thiserror::Error)]
enum BootError {
    #[error(transparent)]
    Mount(#[from] mounts::MountError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot bring up the network")]
    Network(#[from] network::NetworkError),
    #[error("cannot start the SSH server")]
    Fork(#[source] nix::Error),
    #[error("the SSH server does not follow the start")]
    Gate(#[from] crate::gate::GateError),
    #[error(transparent)]
    Disk(#[from] disks::DiskError),
    #[error("cannot hear of devices")]
    Uevents(#[source] io::Error),
    #[error("cannot hand over")]
    HandOver(#[from] handover::HandOverError),
}

/// Starts the machine. Returns only in a process that is no longer PID 1.
pub fn run() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => power::give_up(&console::report(&error)),
    }
}

/// Reads a machine's configuration.
pub fn read_config(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| ConfigError::Parse {
        path: path.to_owned(),
        source,
    })
}

fn start() -> Result<ExitCode, BootError> {
    mounts::early()?;
    console::attach();
    let config = read_config(Path::new(words::CONFIG_PATH))?;
    let uevents = Uevents::open().map_err(BootError::Uevents)?;

    // The server as soon as its network is there; the modules for the disks load beside it.
    let mut waiting = modules::Order::read();
    if let Some(wanted) = &config.network {
        while !network::is_present(wanted) && waiting.load_next() {}
        network::up(wanted, &uevents)?;
    }
    let Some(mut keeper) = fork_server(&config)? else {
        return Ok(ExitCode::SUCCESS);
    };
    while waiting.load_next() {}

    let root = disks::find(&config.root, &uevents)?;
    mounts::root(&root, config.root.read_only, Path::new(SYSROOT))?;
    if !config.root.read_only {
        // A file system that stays small is a machine all the same.
        note(grow::to_disk(&root, Path::new(SYSROOT)));
    }
    mounts::hand_down(Path::new(SYSROOT))?;
    keeper.enter_root()?;
    let initramfs = mounts::switch_root(Path::new(SYSROOT))?;
    mounts::empty(initramfs);

    let own = config
        .command
        .as_ref()
        .filter(|command| command.instead_of_init);
    let hands_over = own.is_none() && handover::has_init();
    mounts::late(hands_over);
    volumes::mount_all(&config.volumes, &uevents);
    if let Some(disk) = &config.modules {
        match disks::find(disk, &uevents) {
            Ok(disk) => note(mounts::offer_modules(&disk)),
            Err(error) => note(Err(error)),
        }
    }
    for failure in identity::write(&config, hands_over) {
        note(Err(failure));
    }
    if hands_over && !config.root.read_only {
        note(machine_id::own(Path::new("/"), &config));
    }
    keeper.mounted()?;

    // The keeper's end closes with exec, which tells the server that the image's init runs.
    if hands_over && let Err(error) = handover::exec_init() {
        if !config.command.as_ref().is_some_and(names_program) {
            // Closed now, it would tell the same. It ends with the machine.
            std::mem::forget(keeper);
            return Err(error.into());
        }
        // Something of that name that is no init; the image says by its command what it is for.
        note(Err(error));
    }
    // The server lets it be known that the machine is there once what it is for runs.
    let started = || drop(keeper);
    supervise::run(
        config
            .command
            .as_ref()
            .filter(|command| names_program(command)),
        started,
    );
    Ok(ExitCode::FAILURE)
}

fn names_program(command: &Command) -> bool {
    !command.argv.is_empty()
}

/// A step that the machine can do without: its failure is said, not fatal.
fn note<E: std::error::Error>(result: Result<(), E>) {
    if let Err(error) = result {
        console::say(&format!("sistemo-guest: {}", console::report(&error)));
    }
}

/// Starts the server in a process of its own; `None` in that process, once it has ended.
fn fork_server(config: &Config) -> Result<Option<Keeper>, BootError> {
    let (keeper, gate) = Keeper::new()?;
    // SAFETY: PID 1 has one thread, so the child may go on like any process.
    match unsafe { nix::unistd::fork() }.map_err(BootError::Fork)? {
        ForkResult::Parent { .. } => Ok(Some(keeper)),
        ForkResult::Child => {
            drop(keeper);
            serve(config, gate);
            Ok(None)
        }
    }
}

fn serve(config: &Config, gate: OwnedFd) {
    // A session of its own: nothing that happens on the console's terminal reaches it.
    let _ = nix::unistd::setsid();
    let _ = nix::sys::prctl::set_name(c"sistemo-guest");
    note(ssh::serve_machine(config, gate, || {
        console::say(words::READY_LINE);
    }));
}
