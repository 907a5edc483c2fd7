//! From a request on a session channel to something that runs: shell, command, SFTP, or one of Sistemo's own words.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::server::Handle;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;

use super::exit::End;
use super::flow::Inbox;
use super::handler::{Wishes, shell_of};
use super::process::{self, Launch};
use super::pty;
use super::session::{self, STDERR, Writer};
use super::stage::{Stage, Stages};
use crate::accounts::{self, Account};
use crate::environment::{self, Environment};
use crate::{console, power};

/// Subsystem that the host asks for to learn that the machine has started: ends with status 0 once init or the
/// application runs, having printed `{"init": "…"}`.
pub const READY: &str = "sistemo-ready";
/// Subsystem that powers the machine off cleanly; root only. Ends with status 0 once init has been told.
pub const POWER_OFF: &str = "sistemo-poweroff";

/// What a client asks a session channel to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Shell,
    Command(Vec<u8>),
    Sftp,
    Ready,
    PowerOff,
}

impl Asked {
    pub fn subsystem(name: &str) -> Option<Asked> {
        match name {
            "sftp" => Some(Asked::Sftp),
            READY => Some(Asked::Ready),
            POWER_OFF => Some(Asked::PowerOff),
            _ => None,
        }
    }
}

/// The server's side of a terminal, shared by what carries its bytes and what changes its size.
pub type Master = Arc<AsyncFd<OwnedFd>>;

/// What the handler keeps of what runs, to pass on signals and sizes.
#[derive(Debug, Default)]
pub struct Running {
    /// The process group; its leader is not reaped before the channel's inbox is closed.
    pub group: Option<i32>,
    pub master: Option<Master>,
}

/// A request that is about to run.
pub struct Start<'a> {
    pub account: Account,
    pub asked: Asked,
    pub wishes: Wishes,
    /// The application's `ENV`.
    pub image: &'a [String],
    pub stages: Stages,
    /// Whether this is a machine of its own, which may be powered off, and not a server on trial.
    pub machine: bool,
    /// The variables that tell of the connection and, by its name, the terminal.
    pub connection: &'a dyn Fn(Option<&str>) -> Environment,
}

/// A program to start, found in the image.
struct Program {
    path: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
}

/// Why there is none, in words for the user and as an exit status (sh(1): 127 not found, 126 found but not runnable).
struct Refusal {
    text: String,
    status: u32,
}

impl Start<'_> {
    /// Starts it; its end is told to the client whatever happens.
    pub fn begin(self, writer: Writer, handle: Handle, inbox: Arc<Inbox>) -> Running {
        match self.asked {
            Asked::Ready => {
                tokio::spawn(ready(self.stages, writer, handle, inbox));
                Running::default()
            }
            Asked::PowerOff => {
                let (account, machine, stages) = (self.account, self.machine, self.stages);
                tokio::spawn(async move {
                    // An init that does not listen yet would not hear of it.
                    stages.reach(Stage::Ready).await;
                    match may_power_off(&account, machine) {
                        Ok(()) => power_off(writer, handle, inbox).await,
                        Err(text) => {
                            let end = End::Status(1);
                            session::answer(text.into(), Some(STDERR), end, writer, handle, inbox)
                                .await;
                        }
                    }
                });
                Running::default()
            }
            Asked::Shell | Asked::Command(_) | Asked::Sftp => self.launch(writer, handle, inbox),
        }
    }

    fn launch(mut self, writer: Writer, handle: Handle, inbox: Arc<Inbox>) -> Running {
        let agent = self.wishes.agent.take();
        let outcome = self.spawn(agent.as_ref().map(|agent| agent.socket.as_path()));
        match outcome {
            Ok((child, master)) => {
                let group = child.id().and_then(|id| i32::try_from(id).ok());
                let running = Running {
                    group,
                    master: master.clone(),
                };
                tokio::spawn(async move {
                    match master {
                        Some(master) => {
                            session::with_terminal(child, master, writer, handle, inbox).await;
                        }
                        None => session::with_pipes(child, writer, handle, inbox).await,
                    }
                    drop(agent);
                });
                running
            }
            Err(refusal) => {
                let end = End::Status(refusal.status);
                let text = format!("sistemo-guest: {}\n", refusal.text);
                tokio::spawn(session::answer(
                    text,
                    Some(STDERR),
                    end,
                    writer,
                    handle,
                    inbox,
                ));
                Running::default()
            }
        }
    }

    fn spawn(&self, agent: Option<&Path>) -> Result<(Child, Option<Master>), Refusal> {
        let shell = shell_of(&self.account);
        let groups = accounts::groups_of(&self.account)
            .map_err(|error| Refusal::failed("read the groups", &error))?;
        let terminal = match &self.wishes.terminal {
            Some(request) => Some(
                pty::open(request, self.account.uid)
                    .map_err(|error| Refusal::failed("open a terminal", &error))?,
            ),
            None => None,
        };
        let environment = self.environment(
            shell.as_deref(),
            terminal.as_ref().map(|t| t.name.as_str()),
            agent,
        );
        let path = environment
            .get("PATH")
            .map(String::as_str)
            .unwrap_or_default();
        let program = self.program(shell, path, &groups)?;
        let launch = Launch {
            name: program.name,
            arguments: program.arguments,
            environment: &environment,
            // The SFTP server is this same program, which the user may not be able to reach: it changes by itself.
            account: (self.asked != Asked::Sftp).then_some((&self.account, groups)),
            directory: self.account.home.clone(),
            terminal: terminal.as_ref().map(|terminal| &terminal.slave),
            program: program.path.clone(),
        };
        let child =
            process::start(launch).map_err(|error| Refusal::start(&program.path, &error))?;
        let master = match terminal {
            Some(terminal) => {
                // SAFETY: an `OwnedFd` keeps the same descriptor open until it is dropped, with what watches it.
                let watched = unsafe { AsyncFd::register(terminal.master) };
                let watched =
                    watched.map_err(|error| Refusal::failed("watch the terminal", &error))?;
                Some(Arc::new(watched))
            }
            None => None,
        };
        Ok((child, master))
    }

    fn environment(
        &self,
        shell: Option<&Path>,
        terminal: Option<&str>,
        agent: Option<&Path>,
    ) -> Environment {
        let shell = shell.unwrap_or(&self.account.shell);
        let mut environment = environment::of_account(&self.account, shell, self.image);
        // One that cannot be read is no reason to lock its owner out.
        let _ = environment::add_file(&mut environment, Path::new("/etc/environment"));
        environment.extend(self.wishes.environment.clone());
        if let Some(request) = &self.wishes.terminal {
            environment.insert("TERM".into(), request.term.clone());
        }
        environment.extend((self.connection)(terminal));
        if let Some(socket) = agent {
            environment.insert(
                "SSH_AUTH_SOCK".into(),
                socket.to_string_lossy().into_owned(),
            );
        }
        environment
    }

    fn program(
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
    fn failed(act: &str, error: &dyn std::error::Error) -> Refusal {
        Refusal {
            text: format!("cannot {act}: {error}"),
            status: 126,
        }
    }

    fn start(program: &Path, error: &io::Error) -> Refusal {
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

async fn ready(stages: Stages, writer: Writer, handle: Handle, inbox: Arc<Inbox>) {
    let reached = tokio::select! {
        reached = stages.reach(Stage::Ready) => reached,
        () = inbox.until_closed() => return,
    };
    let (text, end) = if reached {
        (
            format!("{{\"init\": \"{}\"}}\n", power::running_init().name()),
            End::Status(0),
        )
    } else {
        (String::new(), End::Status(1))
    };
    session::answer(text, None, end, writer, handle, inbox).await;
}

fn may_power_off(account: &Account, machine: bool) -> Result<(), &'static str> {
    if !machine {
        return Err("sistemo-guest: this is no machine of its own\n");
    }
    if account.uid != 0 {
        return Err("sistemo-guest: only root may power the machine off\n");
    }
    Ok(())
}

/// Has init power the machine off; where it cannot be asked, does it in its stead.
async fn power_off(writer: Writer, handle: Handle, inbox: Arc<Inbox>) {
    let asked = power::ask_to_power_off();
    let text = match &asked {
        Ok(()) => String::new(),
        Err(error) => {
            let why = console::report(error);
            console::say(&format!("sistemo-guest: ending without init: {why}"));
            format!("sistemo-guest: {why}; ending the machine without it\n")
        }
    };
    let end = End::Status(0);
    session::answer(text, Some(STDERR), end, writer, handle, inbox).await;
    if asked.is_err() {
        power::end_without_init().await;
    }
}
