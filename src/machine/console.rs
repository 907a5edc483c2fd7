//! The boot log: what the guest wrote to its console, kept in a file that outlives the machine's run.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::io::unix::AsyncFd;

use super::Error;
use super::log_reader::LogReader;
use super::watch::{self, Watch};
use crate::guest::words;
use crate::vmm::console::{Log, Piece};

/// How much of a log's end is read to find its last lines.
const TAIL_BYTES: u64 = 256 << 10;
/// How many letters of a guest's reason for its end are believed.
const LONGEST_REASON: usize = 300;

/// The last `lines` lines of a log, without terminal control sequences; `None` when there are none.
pub(super) fn tail(path: &Path, lines: usize) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = plain(&String::from_utf8_lossy(&bytes));
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &all[all.len().saturating_sub(lines)..];
    if last.is_empty() {
        None
    } else {
        Some(last.join("\n"))
    }
}

/// What the guest said of why it could not go on: the kernel's panic, or the guest program's last line.
pub(super) fn last_words(path: &Path) -> Option<String> {
    let text = tail(path, usize::MAX)?;
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("Kernel panic") || line.contains(words::FATAL_PREFIX))?;
    // The kernel begins its lines with the time since boot in brackets.
    let line = line.split_once("] ").map_or(line, |(_, said)| said);
    Some(shortened(line.trim()))
}

/// Why the guest's command failed for good, if that is how the machine ended. Meaningful once its hypervisor has.
pub(super) fn command_failure(path: &Path) -> Option<String> {
    let text = tail(path, usize::MAX)?;
    // The command's own last line may have no end.
    let said = |line: &str| Some(shortened(line.split_once(words::FAILED_PREFIX)?.1.trim()));
    text.lines().rev().find_map(said)
}

/// What a guest said, at a length at which it can be kept and shown as a reason: it may say anything.
fn shortened(said: &str) -> String {
    match said.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said.into(),
    }
}

/// Whether the guest says that it ends because its command has.
pub(super) fn command_has_ended(path: &Path) -> bool {
    let text = tail(path, usize::MAX).unwrap_or_default();
    text.contains(words::DONE_LINE) || text.contains(words::FAILED_PREFIX)
}

/// Whether the guest program has said that a restart is to be the machine's end.
pub(super) fn meant_to_power_off(path: &Path) -> bool {
    let text = tail(path, usize::MAX).unwrap_or_default();
    text.contains(words::SWITCHLESS_LINE)
}

/// Leaves out control characters but for the ends of lines, and terminal control sequences (ECMA-48 §5.4: `ESC [`,
/// parameters, a final byte).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' if letters.peek() == Some(&'[') => {
                letters.next();
                for letter in letters.by_ref() {
                    if ('\u{40}'..='\u{7e}').contains(&letter) {
                        break;
                    }
                }
            }
            '\u{1b}' => {
                letters.next();
            }
            _ if letter.is_control() && !matches!(letter, '\n' | '\t') => {}
            _ => out.push(letter),
        }
    }
    out
}

/// A machine's boot log, read from the beginning and, if wanted, as it grows.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    log: Option<Log>,
    at: u64,
    changes: AsyncFd<Watch>,
}

impl Console {
    /// Opens the log at `path`, whose folder is there; the file itself may yet have to appear.
    pub(super) fn open(path: PathBuf) -> Result<Console, Error> {
        let fail = |source| Error::File {
            what: "watch",
            path: path.clone(),
            source,
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        let changes = watch::folder(folder).map_err(fail)?;
        let mut console = Console {
            path,
            log: None,
            at: 0,
            changes,
        };
        console.look()?;
        Ok(console)
    }

    /// Opens the file once it is there.
    fn look(&mut self) -> Result<(), Error> {
        if self.log.is_none() {
            self.log = Log::open(&self.path).map_err(unreadable(&self.path))?;
        }
        Ok(())
    }

    /// Goes forwards to where the last `lines` lines begin.
    pub fn skip_to_last(&mut self, lines: usize) -> Result<(), Error> {
        self.skip(|log| log.last_lines(lines))
    }

    /// Goes forwards to the first line that was written at `time` or later, as far as is known: lines that may be older
    /// can come before it, and none that is not comes to be missed.
    pub fn skip_to_time(&mut self, time: Timestamp) -> Result<(), Error> {
        let time = u64::try_from(time.as_millisecond()).unwrap_or(0);
        self.skip(|log| log.first_since(time))
    }

    fn skip(&mut self, find: impl Fn(&mut Log) -> std::io::Result<u64>) -> Result<(), Error> {
        if let Some(log) = &mut self.log {
            let found = find(log).map_err(unreadable(&self.path))?;
            self.at = self.at.max(found);
        }
        Ok(())
    }

    /// The next piece of what was written; an empty one when there is nothing more yet. When another start has begun
    /// another log, that is gone on with.
    pub fn read(&mut self) -> Result<Piece, Error> {
        let piece = self.read_on()?;
        let is_old = self.log.as_ref().is_some_and(|log| !log.is_current());
        if piece.bytes.is_empty() && is_old {
            (self.log, self.at) = (None, 0);
            return self.read_on();
        }
        Ok(piece)
    }

    fn read_on(&mut self) -> Result<Piece, Error> {
        self.look()?;
        let Some(log) = &mut self.log else {
            return Ok(Piece::default());
        };
        // A log of gigabytes is handed out in pieces.
        let piece = log.read(self.at, 1 << 20);
        let piece = piece.map_err(unreadable(&self.path))?;
        if !piece.bytes.is_empty() {
            self.at = piece.end();
        }
        Ok(piece)
    }

    /// The log that has the name now, for reading it at any place.
    pub fn reader(&self) -> Result<LogReader, Error> {
        LogReader::open(self.path.clone())
    }

    /// When the byte at `offset` of the log that is read was written, at the latest.
    pub fn time_of(&self, offset: u64) -> Result<Timestamp, Error> {
        let time = match &self.log {
            Some(log) => log.time_of(offset).map_err(unreadable(&self.path))?,
            None => 0,
        };
        Ok(timestamp(time))
    }

    /// The same at the earliest.
    pub fn not_before(&self, offset: u64) -> Timestamp {
        timestamp(self.log.as_ref().map_or(0, |log| log.not_before(offset)))
    }

    /// Waits until the log may have grown. `false` once there is nothing left to grow: the machine was deleted.
    pub async fn grown(&mut self) -> Result<bool, Error> {
        let fail = |source| Error::File {
            what: "watch",
            path: self.path.clone(),
            source,
        };
        let events = watch::events(&self.changes).await.map_err(fail)?;
        // The end of a folder is not told of while a file that was in it is open, as the log is.
        let is_removed =
            self.log.as_ref().is_some_and(|log| log.is_removed()) && !self.path.exists();
        Ok(!is_removed && !events.iter().any(watch::is_gone))
    }
}

pub(super) fn timestamp(ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::File {
        what: "read",
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_tail_is_plain_text_without_blank_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        assert_eq!(tail(&path, 2), None);
        std::fs::write(&path, "one\r\n\u{1b}[0;32mtwo\u{1b}[0m\r\n\r\nthree\r\n").unwrap();
        assert_eq!(tail(&path, 2).as_deref(), Some("two\nthree"));
    }

    #[test]
    fn the_failure_of_a_command_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        std::fs::write(&path, "working\r\n[    2.1] reboot: Power down\r\n").unwrap();
        assert_eq!(command_failure(&path), None);
        assert!(!command_has_ended(&path));
        let text = format!(
            "no end{}exit status 3\r\n[  2.1] reboot: Power down\r\n",
            words::FAILED_PREFIX
        );
        std::fs::write(&path, text).unwrap();
        assert_eq!(command_failure(&path).as_deref(), Some("exit status 3"));
        assert!(command_has_ended(&path));
    }

    #[test]
    fn no_reason_of_a_guest_is_longer_than_can_be_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let long = "ä".repeat(100_000);
        for prefix in [words::FAILED_PREFIX, words::FATAL_PREFIX] {
            std::fs::write(&path, format!("{prefix}{long}\r\n")).unwrap();
            let said = command_failure(&path).or_else(|| last_words(&path));
            let said = said.unwrap();
            assert_eq!(said.chars().count(), LONGEST_REASON + 1);
            assert!(said.ends_with("ä…"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_console_hands_out_what_is_written_and_begins_anew_with_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut console = Console::open(path.clone()).unwrap();
        assert!(console.read().unwrap().bytes.is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"first\nsecond\nthird\n").unwrap();
        assert!(console.grown().await.unwrap());
        assert_eq!(console.read().unwrap().bytes, b"first\nsecond\nthird\n");
        std::fs::write(&path, "new\n").unwrap();
        assert!(console.grown().await.unwrap());
        assert_eq!(console.read().unwrap().bytes, b"new\n");
    }

    #[tokio::test]
    async fn a_console_goes_on_with_the_file_of_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        std::fs::write(&path, "first start\n").unwrap();
        let mut console = Console::open(path.clone()).unwrap();
        assert_eq!(console.read().unwrap().bytes, b"first start\n");
        // As the hypervisor's launch does it, after a last line.
        let mut old = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        old.write_all(b"bye\n").unwrap();
        std::fs::rename(&path, dir.path().join("console.log.1")).unwrap();
        std::fs::write(&path, "second start, a longer one\n").unwrap();
        assert!(console.grown().await.unwrap());
        assert_eq!(console.read().unwrap().bytes, b"bye\n");
        assert_eq!(
            console.read().unwrap().bytes,
            b"second start, a longer one\n"
        );
        assert!(console.read().unwrap().bytes.is_empty());
    }

    #[tokio::test]
    async fn a_log_that_is_removed_with_its_machine_grows_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("machine");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("console.log");
        std::fs::write(&path, "first\n").unwrap();
        let mut console = Console::open(path).unwrap();
        assert_eq!(console.read().unwrap().bytes, b"first\n");
        std::fs::remove_dir_all(&folder).unwrap();
        while console.grown().await.unwrap() {}
        assert!(console.read().unwrap().bytes.is_empty());
    }

    #[tokio::test]
    async fn the_last_lines_are_found_with_or_without_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        for (text, lines, rest) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 1, "c"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\nb\n", 0, ""),
        ] {
            std::fs::write(&path, text).unwrap();
            let mut console = Console::open(path.clone()).unwrap();
            console.skip_to_last(lines).unwrap();
            assert_eq!(
                console.read().unwrap().bytes,
                rest.as_bytes(),
                "{text:?} {lines}"
            );
        }
    }
}
