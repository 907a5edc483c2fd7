//! Which program a request means, found in the image.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::super::process;
use super::{Asked, Start};
use crate::accounts::Account;

/// A program to start, found in the image.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
}

/// Why there is none, in words for the user and as an exit status (sh(1): 127 not found, 126 found but not runnable).
pub(super) struct Refusal {
    pub(super) text: String,
    pub(super) status: u32,
}

impl Start<'_> {
    pub(super) fn program(
        &self,
        shell: Option<PathBuf>,
        path: &str,
        groups: &[u32],
    ) -> Result<Program, Refusal> {
        match (&self.asked, shell) {
            (Asked::Command(command), Some(shell)) => {
                let arguments = vec!["-c".into(), OsString::from_vec(command.clone())];
                let name = shell.file_name().unwrap_or(OsStr::new("sh")).to_owned();
                Ok(Program {
                    path: shell,
                    name,
                    arguments,
                })
            }
            (Asked::Command(command), None) => without_shell(command, path),
            (Asked::Sftp, _) => Ok(self.sftp(groups)),
            (_, Some(shell)) => {
                // The dash tells a shell that it is a login shell (bash(1), INVOCATION).
                let mut name = OsString::from("-");
                name.push(shell.file_name().unwrap_or(OsStr::new("sh")));
                Ok(Program {
                    path: shell,
                    name,
                    arguments: Vec::new(),
                })
            }
            (_, None) => Err(Refusal {
                text: "this image has no shell; run one of its programs instead, by its path"
                    .into(),
                status: 127,
            }),
        }
    }

    fn sftp(&self, groups: &[u32]) -> Program {
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let account = &self.account;
        let arguments = [
            "sftp".into(),
            account.uid.to_string(),
            account.gid.to_string(),
            groups.join(","),
        ];
        Program {
            path: PathBuf::from("/proc/self/exe"),
            name: "sistemo-guest".into(),
            arguments: arguments.map(OsString::from).into(),
        }
    }
}

/// The command's words, quoted as for a shell, when the image has none.
fn without_shell(command: &[u8], path: &str) -> Result<Program, Refusal> {
    let words = shlex::bytes::split(command)
        .filter(|words| !words.is_empty())
        .ok_or_else(|| Refusal {
            text: "the command's quotes do not match".into(),
            status: 2,
        })?;
    let mut words = words.into_iter().map(OsString::from_vec);
    let first = words.next().unwrap_or_default();
    let found = process::look_up(&first.to_string_lossy(), path);
    let path = found.ok_or_else(|| Refusal {
        text: format!(
            "{}: not found, and this image has no shell",
            first.to_string_lossy()
        ),
        status: 127,
    })?;
    Ok(Program {
        path,
        name: first,
        arguments: words.collect(),
    })
}

impl Refusal {
    pub(super) fn failed(act: &str, error: &dyn std::error::Error) -> Refusal {
        Refusal {
            text: format!("cannot {act}: {error}"),
            status: 126,
        }
    }

    pub(super) fn start(program: &Path, error: &io::Error) -> Refusal {
        let status = if error.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        };
        let program = String::from_utf8_lossy(program.as_os_str().as_bytes()).into_owned();
        Refusal {
            text: format!("{program}: {error}"),
            status,
        }
    }
}

/// The user's shell if the image has it, else `/bin/sh` if it has that.
pub(super) fn shell_of(account: &Account) -> Option<PathBuf> {
    [account.shell.as_path(), Path::new("/bin/sh")]
        .into_iter()
        .find(|shell| process::is_program(shell))
        .map(Path::to_path_buf)
}
