//! From a request on a session channel to something that runs: shell, command, SFTP, or one of Sistemo's own words.

mod program;
mod words;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use russh::server::Handle;
use sistemo::guest::words::{POWER_OFF_SUBSYSTEM, READY_SUBSYSTEM};
use tokio::io::unix::AsyncFd;
use tokio::process::Child;

use self::program::Refusal;
use super::client::Wishes;
use super::exit::End;
use super::flow::Inbox;
use super::process::{self, Launch};
use super::pty;
use super::session::{self, STDERR, Writer};
use super::shared::Shared;
use crate::accounts::{self, Account};
use crate::environment::{self, Environment};
use crate::text;

/// What a client asks a session channel to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Shell,
    Command(Vec<u8>),
    Sftp,
    Ready,
    /// Within so many seconds, if the client says so.
    PowerOff(Option<u32>),
}

impl Asked {
    pub fn subsystem(name: &str) -> Option<Asked> {
        match name {
            "sftp" => Some(Asked::Sftp),
            READY_SUBSYSTEM => Some(Asked::Ready),
            POWER_OFF_SUBSYSTEM => Some(Asked::PowerOff(None)),
            _ => {
                let rest = name.strip_prefix(POWER_OFF_SUBSYSTEM)?;
                let seconds = rest.strip_prefix(':')?.parse().ok()?;
                Some(Asked::PowerOff(Some(seconds)))
            }
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
    pub shared: &'a Arc<Shared>,
    /// The variables that tell of the connection and, by its name, the terminal.
    pub connection: &'a dyn Fn(Option<&str>) -> Environment,
}

impl Start<'_> {
    /// Starts it; its end is told to the client whatever happens.
    pub fn begin(self, writer: Writer, handle: Handle, inbox: Arc<Inbox>) -> Running {
        match self.asked {
            Asked::Ready => {
                let stages = self.shared.stages.clone();
                tokio::spawn(words::ready(stages, writer, handle, inbox));
                Running::default()
            }
            Asked::PowerOff(within) => {
                let may = words::may_power_off(&self.account, self.shared.machine);
                tokio::spawn(words::power_off(
                    may,
                    within,
                    self.shared.stages.clone(),
                    writer,
                    handle,
                    inbox,
                ));
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
        let shell = program::shell_of(&self.account);
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
        // One that cannot be read is no reason to lock its owner out.
        let file = text::read(Path::new("/etc/environment")).unwrap_or_default();
        let mut environment = environment::of_account(&self.account, shell, &file, self.image);
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
}
