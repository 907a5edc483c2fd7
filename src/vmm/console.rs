//! The file that takes what a guest prints: its boot log.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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

/// Begins a new log, and keeps the one before as [`previous`]. The file has mode 0600.
pub(super) fn begin(console: &Path) -> io::Result<File> {
    match fs::rename(console, previous(console)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
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

/// Messages of kernel/panic.c and kernel/reboot.c, unchanged since Linux 3.11; all are at the level "emergency", so no
/// `loglevel` hides them. The last one counts.
fn last_words(text: &str) -> Ending {
    text.lines()
        .rev()
        .find_map(|line| {
            let (_, message) = line.split_once("] ").unwrap_or(("", line));
            let message = message.trim();
            match message {
                "reboot: Power down" | "reboot: System halted" => Some(Ending::PoweredOff),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_last_words_say_how_it_ended() {
        let panic = "[    1.2] Run /init as init process\r\n\
            [    1.3] Kernel panic - not syncing: No working init found.\r\n\
            [    1.4] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\r\n";
        assert_eq!(
            last_words(panic),
            Ending::Panicked {
                words: "No working init found.".into()
            }
        );
        assert_eq!(
            last_words("x\n[   9.0] reboot: Power down\r\n"),
            Ending::PoweredOff
        );
        let restart = "[   9.0] reboot: Restarting system\r\n[   9.0] reboot: machine restart\r\n";
        assert_eq!(last_words(restart), Ending::Restarted);
        assert_eq!(last_words("[   9.0] e1000: link up\r\n"), Ending::Unsaid);
        assert_eq!(last_words(""), Ending::Unsaid);
    }

    #[test]
    fn each_boot_begins_a_log_and_keeps_the_one_before() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        for text in ["one", "two", "three"] {
            begin(&path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_to_string(previous(&path)).unwrap(), "two");
    }
}
