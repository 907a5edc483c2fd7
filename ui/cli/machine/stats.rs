//! `sistemo machine stats`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use crossterm::{cursor, queue, terminal as screen};
use sistemo::machine::Stats as Measured;
use sistemo::value::ByteSize;

use crate::cli::output::{self, Format};
use crate::cli::report::Failure;
use crate::cli::terminal;
use crate::cli::{Context, complete};

/// How long is measured for one answer.
const ONCE: Duration = Duration::from_millis(500);
/// How often it is measured while it is watched.
const AGAIN: Duration = Duration::from_secs(1);

/// Show what machines take: processors, memory, disks and network
///
/// Everything is read on this computer; no guest is asked. It takes half a second, for which processors and rates are
/// measured. CPU is in percent of one processor, so a machine with two may have 200 %. MEMORY is what the machine has of
/// this computer's, including what its guest has freed since. DISK is what reached this computer's disks, which is less
/// than what the guest read when it was in memory already. NET is counted as the machine sees it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sistemo machine stats\n  sistemo machine stats web db --watch"
)]
pub(crate) struct Stats {
    /// Names or identifiers [default: all machines]
    #[arg(value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,

    /// Go on, once a second, until interrupted; with `-o json` each machine is an object in a line of its own
    #[arg(short, long)]
    watch: bool,
}

pub(crate) async fn run(context: &Context, args: &Stats) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let only = match args.names.is_empty() {
        true => None,
        false => Some(machines.identifiers(&args.names)?),
    };
    let mut before = machines.measure(only.as_ref()).await?;
    let is_terminal = std::io::stdout().is_terminal();
    let mut page = Page::default();
    let mut pause = ONCE;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // To be interrupted is how watching ends.
            () = context.cancel.cancelled() => {
                return match args.watch {
                    true => Ok(ExitCode::SUCCESS),
                    false => Err(Failure::Cancelled),
                };
            }
        }
        let now = machines.measure(only.as_ref()).await?;
        let stats = now.since(&before);
        let goes_on = match (context.format, args.watch) {
            (Format::Json, false) => {
                output::json(&stats);
                true
            }
            (Format::Json, true) => stats.iter().all(|stats| {
                // Plain structs with string keys always have a JSON form.
                let text = serde_json::to_string(stats).unwrap_or_default();
                put(&format!("{text}\n"))
            }),
            (Format::Table, true) if is_terminal => page.show(&table(&stats)),
            (Format::Table, _) => put(&table(&stats)),
        };
        if !args.watch || !goes_on {
            return Ok(ExitCode::SUCCESS);
        }
        (before, pause) = (now, AGAIN);
    }
}

fn table(stats: &[Measured]) -> String {
    if stats.is_empty() {
        return "no machines; deploy one: sistemo machine deploy debian\n".into();
    }
    let headings = [
        "NAME",
        "STATUS",
        "CPU",
        "MEMORY",
        "OF",
        "DISK READ",
        "DISK WRITE",
        "NET RX",
        "NET TX",
    ];
    let size = |bytes: u64| ByteSize::bytes(bytes).to_string();
    // What it was by now, and per second if anything goes on.
    let counter = |bytes: Option<u64>, rate: Option<f64>| {
        let rate = rate.filter(|rate| *rate >= 1.0);
        let rate = rate.map(|rate| format!(" ({}/s)", size(rate as u64)));
        let bytes = bytes.map(size);
        bytes.map_or_else(String::new, |bytes| bytes + &rate.unwrap_or_default())
    };
    let row = |stats: &Measured| {
        vec![
            stats.name.clone(),
            stats.status.to_string(),
            stats
                .cpu_percent
                .map_or_else(String::new, |percent| format!("{percent:.1} %")),
            stats.memory_bytes.map_or_else(String::new, size),
            size(stats.memory_limit_bytes),
            counter(stats.disk_read_bytes, stats.disk_read_bytes_per_second),
            counter(stats.disk_write_bytes, stats.disk_write_bytes_per_second),
            counter(stats.network_rx_bytes, stats.network_rx_bytes_per_second),
            counter(stats.network_tx_bytes, stats.network_tx_bytes_per_second),
        ]
    };
    output::table(&headings, stats.iter().map(row).collect())
}

/// A reader that has gone away (`| head`) has seen enough.
fn put(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Text that takes the place of the text before on a terminal. What was shown last stays there.
#[derive(Default)]
struct Page {
    /// How many lines are on the terminal.
    lines: u16,
}

impl Page {
    fn show(&mut self, text: &str) -> bool {
        let (columns, rows) = terminal::size();
        let shown = fitted(text, columns.into(), rows.into());
        let mut bytes = Vec::new();
        // Writing to memory cannot fail.
        if self.lines > 0 {
            let _ = queue!(bytes, cursor::MoveUp(self.lines));
        }
        let _ = queue!(
            bytes,
            cursor::Hide,
            screen::Clear(screen::ClearType::FromCursorDown)
        );
        bytes.extend_from_slice(shown.as_bytes());
        self.lines = u16::try_from(shown.lines().count()).unwrap_or(u16::MAX);
        let mut out = std::io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush()).is_ok()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.lines > 0 {
            let mut bytes = Vec::new();
            let _ = queue!(bytes, cursor::Show);
            let _ = std::io::stdout().lock().write_all(&bytes);
        }
    }
}

/// As much of the text as there is room for: a line that wrapped would be two to go back over.
fn fitted(text: &str, columns: usize, rows: usize) -> String {
    let all = text.lines().count();
    let most = rows.saturating_sub(1).max(2);
    let (count, more) = match all > most {
        true => (most - 1, Some(all - (most - 1))),
        false => (all, None),
    };
    let mut shown = String::new();
    for line in text.lines().take(count) {
        shown.extend(line.chars().take(columns.max(1)));
        shown.push('\n');
    }
    if let Some(more) = more {
        shown += &format!("and {more} more\n");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_to_the_terminal() {
        let text = "NAME  CPU\na     1\nb     2\nc     3\n";
        assert_eq!(fitted(text, 80, 24), text);
        assert_eq!(fitted(text, 4, 24), "NAME\na   \nb   \nc   \n");
        assert_eq!(fitted(text, 80, 5), text);
        assert_eq!(fitted(text, 80, 4), "NAME  CPU\na     1\nand 2 more\n");
        assert_eq!(fitted(text, 0, 0), "N\nand 3 more\n");
    }
}
