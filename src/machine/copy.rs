//! Copying files between the host and machines.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::{Error, Machines, Session};
use crate::error::Result;
use crate::event::Progress;
use crate::guest::copy::{self, Copied, From, Guest, Input, Output, Side, To};
use crate::guest::sftp::Sftp;
use crate::store::machines::MachineRow;

/// One end of a copy as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A path on this computer.
    Host(PathBuf),
    /// `-`: standard input or output.
    Stream,
    /// `[USER@]MACHINE:PATH`. A path that is not absolute begins in the user's home.
    Machine {
        machine: String,
        user: Option<String>,
        path: PathBuf,
    },
}

impl Place {
    /// Reads what a user wrote: a colon before the first slash makes it a machine's, as with scp.
    pub fn parse(text: &OsStr) -> Place {
        let bytes = text.as_bytes();
        if bytes == b"-" {
            return Place::Stream;
        }
        let colon = bytes.iter().position(|byte| matches!(byte, b':' | b'/'));
        let colon = colon.filter(|at| *at > 0 && bytes[*at] == b':');
        let Some(colon) = colon else {
            return Place::Host(text.into());
        };
        let whom = String::from_utf8_lossy(&bytes[..colon]);
        let (user, machine) = match whom.split_once('@') {
            Some((user, machine)) if !user.is_empty() => (Some(user.to_string()), machine),
            _ => (None, &*whom),
        };
        // What a shell does not expand behind a colon means the home all the same.
        let path = match &bytes[colon + 1..] {
            b"" | b"~" => &b"."[..],
            path => match path.strip_prefix(b"~/") {
                Some(b"") => b".",
                Some(rest) => rest,
                None => path,
            },
        };
        Place::Machine {
            machine: machine.to_string(),
            user,
            path: PathBuf::from(OsString::from_vec(path.to_vec())),
        }
    }
}

/// What is to be copied.
pub struct CopyRequest {
    pub sources: Vec<Place>,
    pub target: Place,
    /// Copy what links lead to.
    pub follow: bool,
    /// What [`Place::Stream`] is read from and written to.
    pub input: Input,
    pub output: Output,
}

/// A machine that is copied from or to, and the connection that its session needs.
struct Door {
    row: MachineRow,
    guest: Guest,
    _session: Session,
}

impl Machines {
    /// Copies files and folders. What was written into a machine is history.
    pub async fn copy(
        &self,
        request: CopyRequest,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Copied> {
        check(&request)?;
        let begun = Instant::now();
        let target = match &request.target {
            Place::Machine { machine, user, .. } => {
                Some(self.door(machine, user.as_deref(), cancel).await?)
            }
            _ => None,
        };
        let mut input = Some(request.input);
        let (mut from, mut doors) = (Vec::<From>::new(), Vec::new());
        for source in request.sources {
            let (side, path) = match source {
                Place::Stream => {
                    from.extend(input.take().map(From::Stream));
                    continue;
                }
                Place::Host(path) => (Side::Host, path),
                Place::Machine {
                    machine,
                    user,
                    path,
                } => {
                    let door = self.door(&machine, user.as_deref(), cancel).await?;
                    let guest = door.guest.clone();
                    doors.push(door);
                    (Side::Guest(guest), path)
                }
            };
            match (from.last_mut(), side) {
                (
                    Some(From::Paths {
                        side: Side::Host,
                        paths,
                    }),
                    Side::Host,
                ) => {
                    paths.push(path);
                }
                (_, side) => from.push(From::Paths {
                    side,
                    paths: vec![path],
                }),
            }
        }
        let to = match (&request.target, &target) {
            (Place::Stream, _) => To::Stream(request.output),
            (Place::Host(path), _) => To::Path {
                side: Side::Host,
                path: path.clone(),
            },
            (Place::Machine { path, .. }, Some(door)) => To::Path {
                side: Side::Guest(door.guest.clone()),
                path: path.clone(),
            },
            // Its door was opened above.
            (Place::Machine { machine, .. }, None) => {
                return Err(Error::Unknown(machine.clone()).into());
            }
        };
        let copied = copy::copy(from, to, request.follow, progress, cancel).await;
        let copied = copied.map_err(crate::error::Error::from);
        if let Some(door) = &target {
            let outcome = match &copied {
                Ok(_) => Ok(()),
                Err(error) => Err(copy::Error::Told(error.report()).into()),
            };
            (self.0).note_history("machine", "copy", &door.row.name, begun, &outcome);
        }
        copied
    }

    async fn door(
        &self,
        machine: &str,
        user: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<Door> {
        let opening = async {
            let row = self.0.find(machine)?;
            let session = self.enter(machine, user, None).await?;
            let stream = session.subsystem("sftp").await;
            let stream = stream.map_err(|error| Error::connect(&row.name, error))?;
            let sftp = Sftp::begin(stream).await;
            let sftp = sftp.map_err(|error| Error::connect(&row.name, error))?;
            let name = match user {
                Some(user) => format!("{user}@{}", row.name),
                None => row.name.to_string(),
            };
            Ok(Door {
                guest: Guest {
                    name,
                    identity: row.id.to_string(),
                    sftp,
                },
                row,
                _session: session,
            })
        };
        tokio::select! {
            door = opening => door,
            () = cancel.cancelled() => Err(Error::Cancelled.into()),
        }
    }
}

/// Refuses what makes no sense before anything is connected to.
fn check(request: &CopyRequest) -> Result<(), copy::Error> {
    let on_host = |place: &Place| !matches!(place, Place::Machine { .. });
    if on_host(&request.target) && request.sources.iter().any(on_host) {
        return Err(copy::Error::NoMachine);
    }
    let streams = request
        .sources
        .iter()
        .filter(|place| **place == Place::Stream);
    if streams.count() > 0 && request.sources.len() > 1 {
        return Err(copy::Error::TwoStreams);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(user: Option<&str>, machine: &str, path: &str) -> Place {
        Place::Machine {
            machine: machine.into(),
            user: user.map(String::from),
            path: path.into(),
        }
    }

    #[test]
    fn a_colon_before_any_slash_makes_it_a_machines() {
        let parse = |text: &str| Place::parse(OsStr::new(text));
        assert_eq!(parse("web:/srv"), machine(None, "web", "/srv"));
        assert_eq!(parse("www@web:notes"), machine(Some("www"), "web", "notes"));
        assert_eq!(parse("web:"), machine(None, "web", "."));
        assert_eq!(parse("web:~"), machine(None, "web", "."));
        assert_eq!(parse("web:~/a"), machine(None, "web", "a"));
        assert_eq!(parse("web:a:b"), machine(None, "web", "a:b"));
        assert_eq!(parse("-"), Place::Stream);
        for host in ["a", "./a:b", "/a:b", "a/b:c", ":a", ""] {
            assert_eq!(parse(host), Place::Host(host.into()), "{host}");
        }
    }

    #[test]
    fn names_are_bytes() {
        let text = OsString::from_vec(b"web:/\xff".to_vec());
        let Place::Machine { path, .. } = Place::parse(&text) else {
            panic!()
        };
        assert_eq!(path.as_os_str().as_bytes(), b"/\xff");
    }
}
