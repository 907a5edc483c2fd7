//! `sistemo machine logs`.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Show the boot log, also of a stopped or failed machine
#[derive(clap::Args)]
pub(crate) struct Logs {
    /// Name or identifier
    #[arg(add = complete::machines())]
    name: String,

    /// Go on as the log grows, until interrupted
    #[arg(short, long)]
    follow: bool,

    /// Begin with the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    tail: Option<usize>,
}

pub(crate) async fn run(context: &Context, args: &Logs) -> Result<ExitCode, Failure> {
    let mut console = context.engine().await?.machines().logs(&args.name)?;
    if let Some(lines) = args.tail {
        console.skip_to_last(lines)?;
    }
    let mut out = std::io::stdout().lock();
    loop {
        loop {
            let bytes = console.read()?;
            if bytes.is_empty() {
                break;
            }
            // A reader that has gone away (`| head`) has seen enough.
            if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            grown = console.grown() => grown?,
            () = context.cancel.cancelled() => return Ok(ExitCode::SUCCESS),
        }
    }
}
