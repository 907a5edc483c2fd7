//! Which version a QEMU is. Finding out takes longer than most of what it is asked for: the program is linked to a
//! hundred libraries. So what it said holds for a moment, as long as it stays the same file.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::vmm::error::{Error, HypervisorLog};

/// A program, and which file it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    changed: (i64, i64),
}

/// How long an answer holds: a script in its place may start another program than before.
const HOLDS: Duration = Duration::from_secs(60);

/// An answer, and when it came.
struct Answer {
    program: Program,
    version: String,
    at: Instant,
}

/// What was asked already. There are one or two programs.
static KNOWN: Mutex<Vec<Answer>> = Mutex::new(Vec::new());

/// The version of the QEMU at `path`, such as `7.2.22`.
///
/// # Errors
///
/// [`Error::Spawn`] when it is missing or does not run, [`Error::Version`] when it does not say.
pub(super) async fn of(path: &Path) -> Result<String, Error> {
    let program = look(path);
    let known = |known: &Vec<Answer>| {
        let found = known.iter().find(|answer| {
            Some(&answer.program) == program.as_ref() && answer.at.elapsed() < HOLDS
        });
        found.map(|answer| answer.version.clone())
    };
    if let Some(version) = KNOWN.lock().ok().as_deref().and_then(known) {
        return Ok(version);
    }
    let version = ask(path).await?;
    if let (Some(program), Ok(mut known)) = (program, KNOWN.lock()) {
        known.retain(|answer| answer.program.path != program.path);
        known.push(Answer {
            program,
            version: version.clone(),
            at: Instant::now(),
        });
    }
    Ok(version)
}

fn look(path: &Path) -> Option<Program> {
    let meta = path.metadata().ok()?;
    Some(Program {
        path: path.into(),
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.size(),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

async fn ask(path: &Path) -> Result<String, Error> {
    let output = tokio::process::Command::new(path)
        .arg("-version")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| Error::Spawn {
            program: path.into(),
            source,
        })?;
    // "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .skip_while(|word| *word != "version")
        .nth(1)
        .map(Into::into)
        .ok_or_else(|| Error::Version {
            program: path.into(),
            log: HypervisorLog(String::from_utf8_lossy(&output.stderr).trim().into()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[tokio::test]
    async fn a_program_is_asked_again_once_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qemu");
        // Written by another process: none that a test next to this one starts has it open then.
        let install = |version: &str| {
            let folder = folder.path().display();
            let script = format!(
                "cd '{folder}' && printf '%s\\n' '#!/bin/sh' \"echo asked >> '{folder}/asked'\" \
                 \"echo 'QEMU emulator version {version} (Distribution)'\" > new \
                 && chmod 755 new && mv new qemu"
            );
            let status = Command::new("sh").args(["-ec", &script]).status();
            assert!(status.unwrap().success());
        };
        install("7.2.22");
        assert_eq!(of(&path).await.unwrap(), "7.2.22");
        assert_eq!(of(&path).await.unwrap(), "7.2.22");
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked, "asked\n");
        install("10.0.0");
        assert_eq!(of(&path).await.unwrap(), "10.0.0");
        fs::remove_file(&path).unwrap();
        assert!(matches!(of(&path).await, Err(Error::Spawn { .. })));
    }
}
