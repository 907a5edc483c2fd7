//! The program's own log: what it says of its work while it works, to stderr.
//!
//! Commands keep it to themselves unless `SISTEMO_LOG` asks; the daemon and the attendant speak. The journal of systemd
//! is given each line's priority in the way of sd-daemon(3) and adds the time itself; anything else gets both as text.

use std::fmt;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;
use tracing::{Event, Level as Severity, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::report::Failure;

/// The variable that says what is logged: a level, or directives such as `sistemo::machine=debug`.
pub(crate) const VARIABLE: &str = "SISTEMO_LOG";

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Begins to log: as much as the flag says, else as `SISTEMO_LOG` says, else as much as `usual`; without any of these
/// nothing.
pub(crate) fn start(flag: Option<Level>, usual: Option<Level>) -> Result<(), Failure> {
    let asked = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = match (flag, asked, usual) {
        (Some(level), _, _) | (None, None, Some(level)) => up_to(level),
        (None, Some(text), _) => parse(&text)?,
        (None, None, None) => return Ok(()),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would complain of a closed stderr to stderr, and panic.
        .log_internal_errors(false)
        .event_format(Lines {
            journal: goes_to_journal(),
        })
        .init();
    Ok(())
}

fn parse(text: &str) -> Result<EnvFilter, Failure> {
    use clap::ValueEnum;
    if let Ok(level) = Level::from_str(text, true) {
        return Ok(up_to(level));
    }
    EnvFilter::try_new(text).map_err(|error| Failure::Usage {
        message: format!("{VARIABLE} is {text:?}: {error}"),
        hint: format!("it wants error, warn, info, debug or trace: {VARIABLE}=debug"),
    })
}

/// Everything of ours up to a level, and warnings of the libraries.
fn up_to(level: Level) -> EnvFilter {
    let level = match level {
        Level::Error => return EnvFilter::new("error"),
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    EnvFilter::new(format!("warn,sistemo={level}"))
}

/// Whether stderr is a stream of the journal: systemd says of which file its journal reads (systemd.exec(5),
/// `$JOURNAL_STREAM`), and a program further down may have been given another one.
fn goes_to_journal() -> bool {
    let (Ok(stream), Ok(stat)) = (
        std::env::var("JOURNAL_STREAM"),
        fstat(std::io::stderr().as_fd()),
    ) else {
        return false;
    };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

/// The form of a line.
struct Lines {
    journal: bool,
}

impl Lines {
    /// What stands in front of every line.
    fn head(&self, severity: Severity) -> String {
        if self.journal {
            // The priorities of syslog(3).
            let priority = match severity {
                Severity::ERROR => 3,
                Severity::WARN => 4,
                Severity::INFO => 6,
                _ => 7,
            };
            return format!("<{priority}>");
        }
        format!("{} {severity:<5} ", sistemo::store::now())
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        let head = self.head(*event.metadata().level());
        for (number, line) in text.lines().enumerate() {
            let indent = if number == 0 { "" } else { "  " };
            writeln!(writer, "{head}{indent}{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(journal: bool) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(up_to(Level::Info))
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(Lines { journal })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(machine = %"web", "runs again");
            tracing::warn!("two\nlines");
            tracing::debug!("not asked for");
            tracing::error!(code = 7, "broken");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_journal_gets_priorities_and_a_file_gets_times() {
        assert_eq!(
            logged(true),
            "<6>runs again machine=web\n<4>two\n<4>  lines\n<3>broken code=7\n"
        );
        let plain = logged(false);
        let lines: Vec<&str> = plain.lines().collect();
        assert_eq!(lines.len(), 4, "{plain}");
        let (time, rest) = lines[0].split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{plain}");
        assert_eq!(rest, "INFO  runs again machine=web");
        assert!(lines[2].ends_with(" WARN    lines"), "{plain}");
    }
}
