//! Starting an application image's program: as its user, in its folder, with its environment.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Gid, Pid, Uid, setgid, setgroups, setsid, setuid};
use sistemo::guest::words::Command;

use crate::accounts::{self, AccountError};
use crate::{environment, namespace, surroundings};

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the machine's command is empty")]
    Empty,
    #[error("cannot start the command as its user")]
    Account(#[from] AccountError),
    #[error("cannot make the folder {path}")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot start {program}")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
}

/// Starts it in a session of its own, with the console for its output.
pub fn start(command: &Command) -> Result<Pid, CommandError> {
    let (program, arguments) = command.argv.split_first().ok_or(CommandError::Empty)?;
    let user = accounts::resolve(&command.user)?;
    let folder = if command.cwd.is_empty() {
        "/"
    } else {
        &command.cwd
    };
    for path in command.volumes.iter().map(String::as_str).chain([folder]) {
        make_folder(Path::new(path), user.uid, user.gid)?;
    }
    own_console(user.uid);
    let environment = environment::of_application(&command.env, &user.home);
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let groups: Vec<Gid> = user.groups.into_iter().map(Gid::from_raw).collect();
    let (folder, first) = (folder.to_owned(), command.first);
    let before_exec = move || -> io::Result<()> {
        setsid()?;
        if first {
            namespace::show()?;
        }
        surroundings::limit()?;
        // PID 1 blocks signals to wait for them; the application gets them as usual.
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        setgroups(&groups)?;
        setgid(gid)?;
        setuid(uid)?;
        nix::unistd::chdir(folder.as_str())?;
        Ok(())
    };
    let mut process = std::process::Command::new(program);
    process
        .args(arguments)
        .env_clear()
        .envs(&environment)
        .stdin(Stdio::null());
    // SAFETY: the closure makes system calls only; PID 1 has one thread.
    unsafe { process.pre_exec(before_exec) };
    let child = if first {
        namespace::around(|| process.spawn())
    } else {
        process.spawn()
    };
    let child = child.map_err(|source| CommandError::Start {
        program: program.clone(),
        source,
    })?;
    // Reaped by number with everything else that PID 1 inherits, so the handle is not kept.
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// The application's output is the console, which it may open anew by the name of `/dev/stdout`, whoever it runs as
/// (container runtimes give it away likewise). One that it may not still has it open.
fn own_console(uid: u32) {
    let _ = nix::unistd::fchown(std::io::stderr(), Some(Uid::from_raw(uid)), None);
}

/// Makes a folder that is missing; what is there is the image's affair.
fn make_folder(path: &Path, uid: u32, gid: u32) -> Result<(), CommandError> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path)
        .and_then(|()| std::os::unix::fs::chown(path, Some(uid), Some(gid)))
        .map_err(|source| CommandError::Folder {
            path: path.to_owned(),
            source,
        })
}
