//! Runs programs of the host: nothing on their standard input, what they print kept, so that a failure can say why.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::error::{self, Advice};

/// How many lines of a program's output an error shows.
const SHOWN: usize = 6;

/// A program failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot run {program}")]
    Start {
        program: String,
        #[source]
        source: std::io::Error,
    },
    /// It ran and failed.
    #[error("`{line}` failed ({status}):\n{last_lines}")]
    Failed {
        line: String,
        status: ExitStatus,
        last_lines: String,
        log: Option<PathBuf>,
    },
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Start { program, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(format!("install {program}"))
            }
            Error::Start { .. } => None,
            Error::Failed {
                line,
                last_lines,
                log,
                ..
            } => {
                let all = log.as_ref().map_or(String::new(), |log| {
                    format!(" (all of its output: {})", log.display())
                });
                let cause = [
                    "resolve",
                    "Temporary failure",
                    "onnect",
                    "imed out",
                    "fetch",
                    "download",
                ]
                .iter()
                .any(|word| last_lines.contains(word));
                let locked = last_lines.contains("lock");
                Some(if let Some(way_out) = error::way_out_of_words(last_lines) {
                    way_out
                } else if locked {
                    format!("another package manager is at work: wait for it, then try again{all}")
                } else if cause {
                    format!("check the network and the package mirrors, then try: {line}{all}")
                } else {
                    format!("see what it says when you run it yourself: {line}{all}")
                })
            }
        }
    }
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine(pub Vec<String>);

impl CommandLine {
    /// From words.
    pub fn new<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        CommandLine(words.into_iter().map(Into::into).collect())
    }

    /// The same with more words.
    #[must_use]
    pub fn words<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.0.extend(words.into_iter().map(Into::into));
        self
    }

    /// The same with a path as its next word.
    #[must_use]
    pub fn path(self, path: &Path) -> Self {
        self.words([path.display().to_string()])
    }

    /// Runs it to its end whatever happens to this process: it has a process group of its own, so no signal from a
    /// terminal reaches it, and it holds `lock` (a file locked by flock(2)) for as long as it runs. `good` are the
    /// statuses that are no failure.
    pub async fn run_to_the_end(&self, lock: BorrowedFd<'_>, good: &[i32]) -> Result<(), Error> {
        let (program, arguments) = self.0.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
        let start = |source| Error::Start {
            program: program.into(),
            source,
        };
        let lock = lock.try_clone_to_owned().map_err(start)?;
        // Into a file: a pipe would break, and end it, when this process is killed.
        let mut said = tempfile::tempfile().map_err(start)?;
        let errors = said.try_clone().map_err(start)?;
        let output = said.try_clone().map_err(start)?;
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        // SAFETY: fcntl(2) is async-signal-safe, and the descriptor is open until the child has been made.
        unsafe {
            let lock = lock.as_raw_fd();
            command.pre_exec(move || {
                let lock = BorrowedFd::borrow_raw(lock);
                // std opens every file with close-on-exec.
                Ok(fcntl(lock, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)?)
            });
        }
        let status = command.status().await.map_err(start)?;
        if status.code().is_some_and(|code| good.contains(&code)) {
            return Ok(());
        }
        let mut text = Vec::new();
        said.rewind()
            .and_then(|()| said.read_to_end(&mut text))
            .map_err(start)?;
        Err(self.failure(status, &String::from_utf8_lossy(&text), None))
    }

    /// Runs it in `directory` and returns its standard output. What it prints is appended to `log`.
    pub async fn run(&self, directory: &Path, log: Option<&Path>) -> Result<String, Error> {
        let (program, arguments) = self.0.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
        let output = tokio::process::Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| Error::Start {
                program: program.into(),
                source,
            })?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if let Some(log) = log {
            self.note(log, &stdout, &stderr);
        }
        if output.status.success() {
            return Ok(stdout);
        }
        let said = if stderr.trim().is_empty() {
            &stdout
        } else {
            &stderr
        };
        Err(self.failure(output.status, said, log))
    }

    /// Why it failed, with the last lines of what it said.
    fn failure(&self, status: ExitStatus, said: &str, log: Option<&Path>) -> Error {
        let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
        Error::Failed {
            line: self.to_string(),
            status,
            last_lines: lines[lines.len().saturating_sub(SHOWN)..].join("\n"),
            log: log.map(Into::into),
        }
    }

    /// A log that cannot be written does not stop the work that it tells of.
    fn note(&self, log: &Path, stdout: &str, stderr: &str) {
        let write = || {
            if let Some(directory) = log.parent() {
                fs::create_dir_all(directory)?;
            }
            let mut file = OpenOptions::new().create(true).append(true).open(log)?;
            writeln!(file, "$ {self}\n{stdout}{stderr}")
        };
        if let Err(error) = write() {
            tracing::warn!(%error, path = %log.display(), "cannot write the log");
        }
    }
}

impl std::fmt::Display for CommandLine {
    /// As one would type it into a shell.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
        let words: Vec<String> = (self.0.iter())
            .map(|word| match !word.is_empty() && word.chars().all(plain) {
                true => word.clone(),
                false => format!("'{}'", word.replace('\'', "'\\''")),
            })
            .collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn what_runs_to_its_end_holds_the_lock_and_says_why_it_failed() {
        let lock = tempfile::NamedTempFile::new().unwrap();
        let name = lock
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let script = format!("ls -l /proc/$$/fd | grep -c {name}; exit 4");
        let (lock, line) = (lock.as_file(), CommandLine::new(["sh", "-c", &script]));
        let error = line.run_to_the_end(lock.as_fd(), &[0]).await.unwrap_err();
        let Error::Failed { last_lines, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(last_lines, "1");
        line.run_to_the_end(lock.as_fd(), &[0, 4]).await.unwrap();
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_lines_and_keeps_them_all() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("logs/setup.log");
        let line = CommandLine::new(["sh", "-c", "cat; seq 1 20 >&2; exit 3"]);
        let error = line.run(dir.path(), Some(&log)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("15\n16\n17\n18\n19\n20"), "{text}");
        assert!(!text.contains("14\n"));
        assert!(error.hint().unwrap().contains("setup.log"));
        let kept = fs::read_to_string(&log).unwrap();
        assert!(kept.contains("\n1\n2\n"), "{kept}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let line = CommandLine::new(["no-such-program-here"]);
        let error = line.run(Path::new("/"), None).await.unwrap_err();
        assert_eq!(
            error.hint().as_deref(),
            Some("install no-such-program-here")
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let line = CommandLine::new(["echo", "a b", "it's", "", "x=1"]);
        assert_eq!(line.to_string(), r"echo 'a b' 'it'\''s' '' x=1");
    }
}
