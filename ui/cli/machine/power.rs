//! `sistemo machine start`, `stop` and `restart`: each takes any number of machines.

use std::process::ExitCode;
use std::time::Duration;

use sistemo::engine::Engine;
use sistemo::error::Error;
use sistemo::machine::Machine;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::{self, Failure};
use crate::cli::{Context, complete};

/// Start stopped machines
#[derive(clap::Args)]
pub(crate) struct Start {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    names: Vec<String>,

    /// Come back before the guest answers
    #[arg(long)]
    no_wait: bool,
}

/// Stop machines; disks stay
#[derive(clap::Args)]
pub(crate) struct Stop {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    names: Vec<String>,

    #[command(flatten)]
    grace: Grace,
}

/// Stop and start machines; addresses and disks stay
#[derive(clap::Args)]
pub(crate) struct Restart {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    names: Vec<String>,

    #[command(flatten)]
    grace: Grace,
}

/// How long a guest may take to power off.
#[derive(clap::Args)]
struct Grace {
    /// Seconds the guest may take to power off before it is ended by force [default: 30]
    #[arg(long, value_name = "SECONDS", conflicts_with = "force")]
    timeout: Option<u64>,

    /// End it at once, without asking the guest
    #[arg(short, long)]
    force: bool,
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
    each(context, &args.names, "started", async |name, progress| {
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
    each(context, &args.names, "stopped", async |name, progress| {
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
    each(context, &args.names, "restarted", async |name, progress| {
        engine
            .machines()
            .restart(name, grace, progress, &context.cancel)
            .await
    })
    .await
}

/// Does the same to each machine in turn. One that fails is reported and does not keep the others from their turn; the
/// exit status is that of the first failure.
async fn each(
    context: &Context,
    names: &[String],
    done: &str,
    act: impl AsyncFn(&str, &sistemo::event::Progress) -> Result<Machine, Error>,
) -> Result<ExitCode, Failure> {
    let mut machines = Vec::new();
    let mut failed = None;
    for name in names {
        if context.cancel.is_cancelled() {
            failed.get_or_insert(report::failure(&Failure::Cancelled, context.format));
            break;
        }
        let display = Display::new(context.format);
        let outcome = act(name, &display.progress()).await;
        display.finish();
        match outcome {
            Ok(machine) => {
                if context.format == Format::Table {
                    output::say(&format!("{} {done}\n", machine.name));
                }
                machines.push(machine);
            }
            Err(error) => {
                let code = report::failure(&Failure::Engine(error), context.format);
                failed.get_or_insert(code);
                if context.cancel.is_cancelled() {
                    break;
                }
            }
        }
    }
    output::things(context.format, names.len(), &machines);
    match failed {
        Some(code) => Err(Failure::Reported(code)),
        None => Ok(ExitCode::SUCCESS),
    }
}
