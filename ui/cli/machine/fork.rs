//! `sistemo machine fork`.

use std::process::ExitCode;

use sistemo::machine::ForkRequest;
use sistemo::value::{Name, PortMapping};

use super::deploy::farewell;
use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Make another machine that goes on from where this one is, beside it
///
/// It has what this one has in memory and on its disks, and a name, an address, keys and identifiers of its own. A machine
/// that is stopped is copied, and the copy boots. Ports of this computer stay this one's.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine fork web web-try\n  \
    sistemo machine fork web web-try --expose 8081:80")]
pub(crate) struct Fork {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// Name of the other
    pub(crate) new: Name,

    /// Have a port of this computer lead into the other: 8080:80, 80 or 53:53/udp; repeatable
    #[arg(long, value_name = "[HOST:]GUEST[/udp]")]
    pub(crate) expose: Vec<PortMapping>,

    /// Leave the memory out: the other boots
    #[arg(long)]
    pub(crate) disks_only: bool,

    /// Come back before the guest answers
    #[arg(long)]
    pub(crate) no_wait: bool,
}

pub(crate) async fn run(context: &Context, args: Fork) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let request = ForkRequest {
        name: Some(args.new),
        expose: args.expose,
        network: None,
        disks_only: args.disks_only,
        no_wait: args.no_wait,
    };
    let display = Display::new(context.format);
    let (machines, progress) = (engine.machines(), display.progress());
    let forking = machines.fork(&args.name, &request, &progress, &context.cancel);
    let forked = Box::pin(forking).await;
    display.finish();
    let machine = forked?;
    match context.format {
        Format::Json => output::json(&machine),
        Format::Table => output::say(&farewell(&machine, args.no_wait)),
    }
    Ok(ExitCode::SUCCESS)
}
