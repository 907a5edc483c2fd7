//! The user's terminal: questions, signals, raw mode.

use std::io::IsTerminal;

use crossterm::terminal;
use nix::libc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::complain;
use super::report::Failure;

/// A token that is cancelled by the first signal of these kinds. A second one ends the process at once;
/// what it leaves is put right by the next command.
pub(crate) fn cancel_on_signals(kinds: &[SignalKind]) -> CancellationToken {
    let token = CancellationToken::new();
    for kind in kinds {
        let Some(mut signals) = signals(*kind) else {
            continue;
        };
        let token = token.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if token.is_cancelled() {
                    // The terminal is the user's again, also when a guest had it.
                    let _ = terminal::disable_raw_mode();
                    std::process::exit(130);
                }
                token.cancel();
            }
        });
    }
    token
}

/// Has a write beyond the limit on the size of files (setrlimit(2), `RLIMIT_FSIZE`) be an error like any other instead of
/// the end of this process, and of those that it starts.
pub(crate) fn survive_file_limits() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: no handler is installed.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Signals of one kind as they come; none of a kind that whoever started this has it ignore, as nohup(1) does with
/// hang-ups and a shell with the interrupts of what runs in its background.
pub(crate) fn signals(kind: SignalKind) -> Option<Signal> {
    if is_ignored(kind) {
        return None;
    }
    signal(kind).ok()
}

fn is_ignored(kind: SignalKind) -> bool {
    // SAFETY: an all-zero sigaction is a valid value, and without a new action the call only writes the old one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(kind.as_raw_value(), std::ptr::null(), &raw mut action);
        asked == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Asks a yes-or-no question; no is the default. Without a terminal to ask on it refuses. An interrupt is an answer
/// too: to leave it all.
pub(crate) async fn confirm(question: &str, cancel: &CancellationToken) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Refused {
            message: format!("cannot ask without a terminal: {question}"),
            hint: "say -y to go ahead without asking".into(),
        });
    }
    complain(&format!("{question} [y/N] "));
    // The thread that reads ends with the process if the question is left.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    tokio::select! {
        answer = answer => Ok(matches!(answer, Ok(Ok(answer)) if is_yes(&answer))),
        () = cancel.cancelled() => {
            complain("\n");
            Err(Failure::Cancelled)
        }
    }
}

/// Asks before something is deleted; no is a refusal. `what` is named in it: `machine web`.
pub(crate) async fn agree(
    question: &str,
    what: &str,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    match confirm(question, cancel).await? {
        true => Ok(()),
        false => Err(Failure::Refused {
            message: format!("{what} was not deleted"),
            hint: "answer y, or say -y".into(),
        }),
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Raw mode while it lives: keys go to the guest as they are typed.
pub(crate) struct Raw(());

impl Raw {
    pub(crate) fn enter() -> std::io::Result<Raw> {
        terminal::enable_raw_mode()?;
        Ok(Raw(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}

/// Columns and rows of the terminal; 80 by 24 when it does not say.
pub(crate) fn size() -> (u16, u16) {
    terminal::size().unwrap_or((80, 24))
}
