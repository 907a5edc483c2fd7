//! `sistemo machine expose` and `unexpose`.

use std::process::ExitCode;

use sistemo::machine::Machine;
use sistemo::value::PortMapping;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Have a port of this computer lead into a machine
///
/// It answers on every address of this computer, localhost included, and comes back with every start.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sistemo machine expose web --port 8080:80\n  sistemo machine expose dns --port 5353:53/udp"
)]
pub(crate) struct Expose {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// Port of this computer and of the machine, such as 8080:80, 80 or 53:53/udp
    #[arg(short, long, value_name = "[HOST:]GUEST[/udp]")]
    pub(crate) port: PortMapping,
}

/// Take a port of this computer back from a machine
#[derive(clap::Args)]
pub(crate) struct Unexpose {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// Port of this computer, or both as they were given
    #[arg(short, long, value_name = "[HOST:]GUEST[/udp]")]
    pub(crate) port: PortMapping,
}

pub(crate) async fn expose(context: &Context, args: &Expose) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let (machines, port) = (engine.machines(), &args.port);
    let display = Display::new(context.format);
    let exposed = machines
        .expose(&args.name, port, &display.progress(), &context.cancel)
        .await;
    display.finish();
    let machine = exposed?;
    let text = format!(
        "port {}/{} leads to port {} of {}\n",
        port.host, port.protocol, port.machine, machine.name
    );
    say(context, &machine, &text);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn unexpose(context: &Context, args: &Unexpose) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let (machines, port) = (engine.machines(), &args.port);
    let display = Display::new(context.format);
    let withdrawn = machines
        .unexpose(&args.name, port, &display.progress(), &context.cancel)
        .await;
    display.finish();
    let machine = withdrawn?;
    let text = format!("port {}/{} is free\n", port.host, port.protocol);
    say(context, &machine, &text);
    Ok(ExitCode::SUCCESS)
}

fn say(context: &Context, machine: &Machine, text: &str) {
    match context.format {
        Format::Json => output::json(machine),
        Format::Table => output::say(text),
    }
}
