//! The file that takes what a guest prints: its boot log. Written by its hypervisor, which appends and knows nothing of
//! anybody else; kept from growing without end by a [`Keeper`]; read as a [`Log`].

mod keep;
mod log;
mod marks;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use self::keep::{Bound, Keeper};
pub use self::log::{Log, Piece};
use super::run_dir;

/// How far from the end the kernel's last words are looked for, in bytes: a panic prints a few kilobytes behind them.
const LAST_WORDS: u64 = 16 << 10;

/// How a guest ended, by its kernel's last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It powered off, or halted.
    PoweredOff,
    /// It asked to be started again (the hypervisor ends instead of resetting).
    Restarted,
    /// Its kernel panicked; the kernel's own words.
    Panicked { words: String },
    /// It said nothing: it was killed, or the hypervisor crashed.
    Unsaid,
}

/// Where the log of the boot before lies.
pub fn previous(console: &Path) -> PathBuf {
    let mut name = console.as_os_str().to_os_string();
    name.push(".1");
    name.into()
}

/// Begins a new log, and keeps the one before as [`previous`], with its marks. The file has mode 0600.
pub(super) fn begin(console: &Path) -> io::Result<File> {
    let (old, own) = (marks::path(&previous(console)), marks::path(console));
    let unless_missing = |done: io::Result<()>| match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // Marks say which log they are about; those of a log that goes now go before it, lest its number be another's.
    if console.exists() {
        unless_missing(fs::remove_file(&old))?;
        unless_missing(fs::rename(console, previous(console)))?;
    }
    unless_missing(fs::rename(&own, &old))?;
    OpenOptions::new()
        .create_new(true)
        .append(true)
        .mode(0o600)
        .open(console)
}

/// How the guest whose log this is ended. Meaningful once its hypervisor has.
pub fn ending(console: &Path) -> io::Result<Ending> {
    Ok(last_words(&run_dir::tail(console, LAST_WORDS)?))
}

/// Messages of kernel/panic.c and kernel/reboot.c since Linux 3.11; all are at the level "emergency", so no `loglevel`
/// hides them. The last one counts.
fn last_words(text: &str) -> Ending {
    text.lines()
        .rev()
        .find_map(|line| {
            let (_, message) = line.split_once("] ").unwrap_or(("", line));
            let message = message.trim();
            match message {
                "reboot: Power down"
                | "reboot: System halted"
                // What a kernel newer than 6.6 says of a computer that has no power switch, as Firecracker's have not.
                | "reboot: Power off not available: System halted instead" => {
                    Some(Ending::PoweredOff)
                }
                "reboot: Restarting system" => Some(Ending::Restarted),
                _ => {
                    let words = message.strip_prefix("Kernel panic - not syncing: ")?;
                    Some(Ending::Panicked {
                        words: words.into(),
                    })
                }
            }
        })
        .unwrap_or(Ending::Unsaid)
}
