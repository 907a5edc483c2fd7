//! `sistemo machine logs`.

mod harmless;
pub(crate) mod show;

use std::io::IsTerminal;
use std::process::ExitCode;

use sistemo::machine::Console;
use sistemo::value::Moment;
use tokio::time::Instant;

use self::show::{Form, Show};
use crate::cli::output::Format;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Show the boot log, also of a stopped or failed machine
///
/// It is what the guest wrote to its console since its last start. Of a log that would be larger than the setting
/// console_log_max the middle is left out, which a line says. When a line was written is known to a quarter of a second
/// near the end of a log, and less exactly long before; of lines about which more is not known, --since and --until show
/// rather too many. With `-o json` each line is an object of its own, in a line.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sistemo machine logs web --tail 50 -f\n  sistemo machine logs web --since 10m --timestamps\n  sistemo machine logs web --previous"
)]
pub(crate) struct Logs {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// Go on as the log grows, over restarts too, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Begin with the last N lines
    #[arg(short = 'n', long, value_name = "N", value_parser = lines)]
    pub(crate) tail: Option<usize>,

    /// Begin with what was written at TIME: so long ago (10m, 1h30m), a date (2026-01-31T08:00) or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,

    /// End with what was written at TIME
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,

    /// Begin each line with when it was written
    #[arg(short, long)]
    pub(crate) timestamps: bool,

    /// Show the log of the start before the last
    #[arg(short, long, conflicts_with = "follow")]
    pub(crate) previous: bool,

    /// Send a terminal everything as the guest wrote it, sequences that control it included
    #[arg(long)]
    pub(crate) raw: bool,
}

/// A number of lines; `all` as docker has it.
pub(crate) fn lines(text: &str) -> Result<usize, String> {
    match text {
        "all" => Ok(usize::MAX),
        _ => text
            .parse()
            .map_err(|_| "it wants a number of lines, or all".into()),
    }
}

pub(crate) async fn run(context: &Context, args: &Logs) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let mut console = engine.machines().logs(&args.name, args.previous)?;
    if let Some(lines) = args.tail {
        console.skip_to_last(lines)?;
    }
    if let Some(since) = args.since {
        console.skip_to_time(since.0)?;
    }
    let form = Form {
        json: context.format == Format::Json,
        timestamps: args.timestamps,
        since: args.since,
        until: args.until,
        harmless: std::io::stdout().is_terminal() && !args.raw,
    };
    let mut show = Show::new(std::io::stdout(), form);
    let end = deadline(args.until);
    loop {
        // Everything that is there by now.
        let goes_on = show_all(&mut console, &mut show)?;
        if !goes_on || !args.follow || end.is_some_and(|end| end <= Instant::now()) {
            break;
        }
        tokio::select! {
            grown = console.grown() => {
                if !grown? {
                    break;
                }
            }
            () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {}
            () = context.cancel.cancelled() => break,
        }
    }
    show.end(&console)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what has been written since. `false` when nobody wants to see any more.
fn show_all(console: &mut Console, show: &mut Show<impl std::io::Write>) -> Result<bool, Failure> {
    loop {
        let piece = console.read()?;
        if piece.bytes.is_empty() {
            return Ok(true);
        }
        if !show.piece(&piece, console)? {
            return Ok(false);
        }
    }
}

/// When there is nothing to wait for any more.
pub(crate) fn deadline(until: Option<Moment>) -> Option<Instant> {
    let left = until?.0.duration_since(jiff::Timestamp::now());
    let left = left.try_into().unwrap_or_default();
    Instant::now().checked_add(left)
}
