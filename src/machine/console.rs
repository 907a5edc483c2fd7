//! The boot log: what the guest wrote to its console, kept in a file that outlives the machine's run.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::io::unix::AsyncFd;

use super::Error;
use super::watch::{self, Watch};
use crate::guest::words;

/// How much of a log's end is read to find its last lines.
const TAIL_BYTES: u64 = 256 << 10;

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
    Some(line.trim().to_string())
}

/// Why the guest's command failed for good, if that is how the machine ended. Meaningful once its hypervisor has.
pub(super) fn command_failure(path: &Path) -> Option<String> {
    let text = tail(path, usize::MAX)?;
    // The command's own last line may have no end.
    let said = |line: &str| Some(line.split_once(words::FAILED_PREFIX)?.1.trim().to_string());
    text.lines().rev().find_map(said)
}

/// Whether the guest says that it ends because its command has.
pub(super) fn command_has_ended(path: &Path) -> bool {
    let text = tail(path, usize::MAX).unwrap_or_default();
    text.contains(words::DONE_LINE) || text.contains(words::FAILED_PREFIX)
}

/// Leaves out carriage returns and terminal control sequences (ECMA-48 §5.4: `ESC [`, parameters, a final byte).
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
            '\r' => {}
            _ => out.push(letter),
        }
    }
    out
}

/// A machine's boot log, read from the beginning and, if wanted, as it grows.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    file: Option<File>,
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
        Ok(Console {
            path,
            file: None,
            at: 0,
            changes,
        })
    }

    /// Goes to where the last `lines` lines begin.
    pub fn skip_to_last(&mut self, lines: usize) -> Result<(), Error> {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let end = bytes.len() - usize::from(bytes.last() == Some(&b'\n'));
        let starts = bytes[..end]
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n');
        let start = match lines {
            0 => bytes.len(),
            _ => starts
                .map(|(index, _)| index + 1)
                .nth(lines - 1)
                .unwrap_or(0),
        };
        self.at = start as u64;
        Ok(())
    }

    /// What was written since the last call; empty when nothing was. A log that shrank, or that has been put aside for
    /// another, was begun anew.
    pub fn read(&mut self) -> Result<Vec<u8>, Error> {
        let bytes = self.read_on()?;
        if bytes.is_empty() && self.is_old() {
            self.file = None;
            self.at = 0;
            return self.read_on();
        }
        Ok(bytes)
    }

    /// Whether the file that is being read has lost its name to a newer one: each start begins a file.
    fn is_old(&self) -> bool {
        let place = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
        let (Some(file), Ok(named)) = (&self.file, std::fs::metadata(&self.path)) else {
            return false;
        };
        file.metadata()
            .is_ok_and(|open| place(open) != place(named))
    }

    fn read_on(&mut self) -> Result<Vec<u8>, Error> {
        let mut read = || -> std::io::Result<Vec<u8>> {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => match File::open(&self.path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        return Ok(Vec::new());
                    }
                    Err(error) => return Err(error),
                },
            };
            if file.metadata()?.len() < self.at {
                self.at = 0;
            }
            file.seek(SeekFrom::Start(self.at))?;
            let mut bytes = Vec::new();
            // A log of gigabytes is handed out in pieces.
            let count = Read::by_ref(&mut file)
                .take(1 << 20)
                .read_to_end(&mut bytes)?;
            self.at += count as u64;
            self.file = Some(file);
            Ok(bytes)
        };
        read().map_err(|source| Error::File {
            what: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Waits until the log may have grown.
    pub async fn grown(&mut self) -> Result<(), Error> {
        let fail = |source| Error::File {
            what: "watch",
            path: self.path.clone(),
            source,
        };
        let mut ready = self.changes.readable().await.map_err(fail)?;
        let _ = ready.get_inner().0.read_events();
        ready.clear_ready();
        Ok(())
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

    #[tokio::test]
    async fn a_console_hands_out_what_is_written_and_begins_anew_with_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut console = Console::open(path.clone()).unwrap();
        assert!(console.read().unwrap().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"first\nsecond\nthird\n").unwrap();
        console.grown().await.unwrap();
        assert_eq!(console.read().unwrap(), b"first\nsecond\nthird\n");
        std::fs::write(&path, "new\n").unwrap();
        console.grown().await.unwrap();
        assert_eq!(console.read().unwrap(), b"new\n");
    }

    #[tokio::test]
    async fn a_console_goes_on_with_the_file_of_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        std::fs::write(&path, "first start\n").unwrap();
        let mut console = Console::open(path.clone()).unwrap();
        assert_eq!(console.read().unwrap(), b"first start\n");
        // As the hypervisor's launch does it, after a last line.
        let mut old = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        old.write_all(b"bye\n").unwrap();
        std::fs::rename(&path, dir.path().join("console.log.1")).unwrap();
        std::fs::write(&path, "second start, a longer one\n").unwrap();
        console.grown().await.unwrap();
        assert_eq!(console.read().unwrap(), b"bye\n");
        assert_eq!(console.read().unwrap(), b"second start, a longer one\n");
        assert!(console.read().unwrap().is_empty());
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
            assert_eq!(console.read().unwrap(), rest.as_bytes(), "{text:?} {lines}");
        }
    }
}
