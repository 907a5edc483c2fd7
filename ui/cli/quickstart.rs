//! `sistemo quickstart`: setup, then a first machine, and on a terminal then the console.

use std::process::ExitCode;

use sistemo::machine::Request;

use super::machine::deploy::{deploy, farewell};
use super::output::{self, Format};
use super::report::Failure;
use super::{Context, setup};

/// Set this computer up, deploy a first machine, and on a terminal open the console
#[derive(clap::Args)]
pub(crate) struct Quickstart {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, args: &Quickstart) -> Result<ExitCode, Failure> {
    setup::set_up(context, args.yes).await?;
    let engine = context.engine().await?;
    // A second quickstart finds its machine where the first left it.
    let found = engine
        .machines()
        .list()?
        .into_iter()
        .find(|machine| machine.name == "debian");
    let machine = match found {
        Some(machine) => machine,
        None => {
            let request = Request {
                image: Some("debian".into()),
                name: Some("debian".parse()?),
                ..Request::default()
            };
            deploy(context, &request).await?
        }
    };
    match context.format {
        Format::Json => output::json(&machine),
        // What to try next is there again once the console is left.
        Format::Table => output::say(&farewell(&machine, false)),
    }
    if context.format == Format::Table && super::is_for_console() {
        return super::console(context).await;
    }
    Ok(ExitCode::SUCCESS)
}
