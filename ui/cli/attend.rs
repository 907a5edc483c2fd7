//! `sistemo attend`: the process that running machines need. The engine starts it; nobody types it.

use std::process::ExitCode;

use super::report::Failure;
use super::{Context, daemon};

/// Attend to running machines: serve their names, keep their logs small, start those again whose guests restart
#[derive(clap::Args)]
pub(crate) struct Attend {}

pub(crate) async fn run(context: &Context) -> Result<ExitCode, Failure> {
    let engine = context.untended()?;
    daemon::allow_many_files();
    let progress = daemon::journal();
    engine.machines().attend(&progress, &context.cancel).await?;
    Ok(ExitCode::SUCCESS)
}
