//! `sistemo machine start`, `stop`, `restart`, `pause` and `resume`: each takes any number of machines.

use std::process::ExitCode;
use std::time::Duration;

use sistemo::engine::Engine;
use sistemo::error::Error;
use sistemo::machine::Machine;

use crate::cli::each::each;
use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Start stopped machines
#[derive(clap::Args)]
pub(crate) struct Start {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,

    /// Come back before the guest answers
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// Stop machines; disks stay
#[derive(clap::Args)]
pub(crate) struct Stop {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) grace: Grace,
}

/// Stop and start machines; addresses and disks stay
#[derive(clap::Args)]
pub(crate) struct Restart {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) grace: Grace,
}

/// Hold machines still, with all that they have in memory
///
/// They take no processor time until they are resumed; their clocks are set right then.
#[derive(clap::Args)]
pub(crate) struct Pause {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,
}

/// Let paused machines go on
#[derive(clap::Args)]
pub(crate) struct Resume {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,
}

/// How long a guest may take to power off.
#[derive(clap::Args)]
pub(crate) struct Grace {
    /// Seconds the guest may take to power off before it is ended by force [default: 30]
    #[arg(long, value_name = "SECONDS", conflicts_with = "force")]
    pub(crate) timeout: Option<u64>,

    /// End it at once, without asking the guest
    #[arg(short, long)]
    pub(crate) force: bool,
}

impl Grace {
    fn duration(&self, engine: &Engine) -> Duration {
        match (self.force, self.timeout) {
            (true, _) => Duration::ZERO,
            (false, Some(seconds)) => Duration::from_secs(seconds),
            (false, None) => engine.config().stop_timeout,
        }
    }
}

pub(crate) async fn start(context: &Context, args: &Start) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    each_machine(context, &args.names, "started", async |name, progress| {
        engine
            .machines()
            .start(name, args.no_wait, progress, &context.cancel)
            .await
    })
    .await
}

pub(crate) async fn stop(context: &Context, args: &Stop) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let grace = args.grace.duration(&engine);
    each_machine(context, &args.names, "stopped", async |name, progress| {
        engine
            .machines()
            .stop(name, grace, progress, &context.cancel)
            .await
    })
    .await
}

pub(crate) async fn restart(context: &Context, args: &Restart) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let grace = args.grace.duration(&engine);
    each_machine(context, &args.names, "restarted", async |name, progress| {
        engine
            .machines()
            .restart(name, grace, progress, &context.cancel)
            .await
    })
    .await
}

pub(crate) async fn pause(context: &Context, args: &Pause) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    each_machine(context, &args.names, "paused", async |name, progress| {
        engine
            .machines()
            .pause(name, progress, &context.cancel)
            .await
    })
    .await
}

pub(crate) async fn resume(context: &Context, args: &Resume) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    each_machine(context, &args.names, "resumed", async |name, progress| {
        engine
            .machines()
            .resume(name, progress, &context.cancel)
            .await
    })
    .await
}

/// Does the same to each machine, with its progress.
async fn each_machine(
    context: &Context,
    names: &[String],
    done: &str,
    act: impl AsyncFn(&str, &sistemo::event::Progress) -> Result<Machine, Error>,
) -> Result<ExitCode, Failure> {
    let (machines, status) = each(context, names, async |name| {
        let display = Display::new(context.format);
        let outcome = act(name, &display.progress()).await;
        display.finish();
        let machine = outcome?;
        if context.format == Format::Table {
            output::say(&format!("{} {done}\n", machine.name));
        }
        Ok(machine)
    })
    .await;
    output::things(context.format, names.len(), &machines);
    status
}
