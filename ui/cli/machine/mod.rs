//! `sistemo machine`: deploy, enter, stop and delete machines.

mod application;
mod cp;
pub(crate) mod delete;
pub(crate) mod deploy;
mod enter;
mod escapes;
pub(crate) mod exec;
pub(crate) mod expose;
pub(crate) mod fork;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod power;
pub(crate) mod rename;
pub(crate) mod snapshot;
pub(crate) mod ssh;
mod stats;
pub(crate) mod terminal;
pub(crate) mod volume;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;
use super::report::Failure;

#[derive(Subcommand)]
pub(crate) enum Machine {
    /// Make a machine from an image and start it
    Deploy(Box<deploy::Deploy>),
    /// List machines
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show one machine
    #[command(visible_aliases = ["show", "info"])]
    Status(list::Status),
    /// Start stopped machines
    Start(power::Start),
    /// Stop machines; disks stay
    Stop(power::Stop),
    /// Stop and start machines; addresses and disks stay
    Restart(power::Restart),
    /// Hold machines still, with all that they have in memory
    Pause(power::Pause),
    /// Let paused machines go on
    Resume(power::Resume),
    /// Delete machines and their root disks
    #[command(visible_aliases = ["rm", "remove", "destroy"])]
    Delete(delete::Delete),
    /// Open a shell in a machine
    Ssh(ssh::Ssh),
    /// Run a command in a machine
    Exec(exec::Exec),
    /// Copy files and folders into a machine, out of one, or from one to another
    Cp(cp::Cp),
    /// Have a port of this computer lead into a machine
    Expose(expose::Expose),
    /// Take a port of this computer back from a machine
    Unexpose(expose::Unexpose),
    /// Open a machine's terminal in the browser, and print its address
    Terminal(terminal::Terminal),
    /// Show what machines take: processors, memory, disks and network
    Stats(stats::Stats),
    /// Give a machine another name
    Rename(rename::Rename),
    /// Attach and detach data volumes
    #[command(subcommand)]
    Volume(volume::Volume),
    /// Make snapshots of machines, and go back to them
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    /// Make another machine that goes on from where this one is, beside it
    Fork(fork::Fork),
    /// Show the boot log, also of a stopped or failed machine
    Logs(logs::Logs),
}

pub(crate) async fn run(context: &Context, command: Machine) -> Result<ExitCode, Failure> {
    match command {
        Machine::Deploy(args) => deploy::run(context, *args).await,
        Machine::List(args) => list::list(context, &args).await,
        Machine::Status(args) => list::status(context, &args).await,
        Machine::Start(args) => power::start(context, &args).await,
        Machine::Stop(args) => power::stop(context, &args).await,
        Machine::Restart(args) => power::restart(context, &args).await,
        Machine::Pause(args) => power::pause(context, &args).await,
        Machine::Resume(args) => power::resume(context, &args).await,
        Machine::Delete(args) => delete::run(context, &args).await,
        Machine::Ssh(args) => ssh::run(context, &args).await,
        Machine::Exec(args) => enter::exec(context, args).await,
        Machine::Cp(args) => cp::run(context, &args).await,
        Machine::Expose(args) => expose::expose(context, &args).await,
        Machine::Unexpose(args) => expose::unexpose(context, &args).await,
        Machine::Terminal(args) => terminal::run(context, &args).await,
        Machine::Stats(args) => stats::run(context, &args).await,
        Machine::Rename(args) => rename::run(context, &args).await,
        Machine::Volume(args) => volume::run(context, args).await,
        Machine::Snapshot(args) => snapshot::run(context, args).await,
        Machine::Fork(args) => fork::run(context, args).await,
        Machine::Logs(args) => logs::run(context, &args).await,
    }
}
