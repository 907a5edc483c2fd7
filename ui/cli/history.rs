//! `sistemo history`.

use std::process::ExitCode;
use std::time::Duration;

use sistemo::store::history::HistoryRow;

use super::Context;
use super::complete;
use super::output::{self, Format};
use super::report::Failure;

/// How many entries there are unless said otherwise.
const LIMIT: u32 = 50;

/// Show who did what, when, how long it took and how it ended, the latest last
#[derive(clap::Args)]
pub(crate) struct History {
    /// How many entries
    #[arg(short = 'n', long, default_value_t = LIMIT, value_name = "N")]
    limit: u32,

    /// Only what was done to this machine
    #[arg(long, value_name = "NAME", add = complete::machines())]
    machine: Option<String>,

    /// As JSON; the same as -o json
    #[arg(long)]
    json: bool,
}

impl History {
    /// The first option that was given, if any was.
    pub(crate) fn option(&self) -> Option<&'static str> {
        let options = [
            ("--machine", self.machine.is_some()),
            ("--limit", self.limit != LIMIT),
            ("--json", self.json),
        ];
        options
            .into_iter()
            .find_map(|(name, given)| given.then_some(name))
    }
}

pub(crate) async fn run(context: &Context, args: &History) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let mut rows = engine
        .machines()
        .history(args.machine.as_deref(), args.limit)?;
    rows.reverse();
    if args.json || context.format == Format::Json {
        output::json(&rows);
    } else if rows.is_empty() {
        output::say("nothing has been done yet\n");
    } else {
        let headings = ["WHEN", "WHO", "WHAT", "NAME", "TOOK", "OUTCOME"];
        output::say(&output::table(&headings, rows.iter().map(row).collect()));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(row: &HistoryRow) -> Vec<String> {
    let took = Duration::from_millis(u64::try_from(row.duration_ms).unwrap_or(0));
    let outcome = match &row.error {
        None => "done".into(),
        Some(error) => error.lines().next().unwrap_or_default().into(),
    };
    vec![
        row.at.clone(),
        row.user.clone().unwrap_or_default(),
        format!("{} {}", row.target, row.action),
        row.name.clone(),
        format!("{:.1}s", took.as_secs_f64()),
        outcome,
    ]
}
