//! `sistemo machine rename`.

use std::process::ExitCode;

use sistemo::value::Name;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Give a machine another name, whether it runs or not
///
/// Its root disk is named after it, and its neighbours find it under the new name at once. The guest calls itself by the
/// new name from its next start.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine rename web shop")]
pub(crate) struct Rename {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// The new name
    pub(crate) new: Name,
}

pub(crate) async fn run(context: &Context, args: &Rename) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let display = Display::new(context.format);
    let renamed = engine
        .machines()
        .rename(&args.name, &args.new, &display.progress(), &context.cancel)
        .await;
    display.finish();
    let machine = renamed?;
    match context.format {
        Format::Json => output::json(&machine),
        Format::Table => output::say(&format!("{} is {} now\n", args.name, machine.name)),
    }
    Ok(ExitCode::SUCCESS)
}
