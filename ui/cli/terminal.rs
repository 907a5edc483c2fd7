//! The user's terminal: questions, signals, raw mode.

use std::io::{IsTerminal, Write};

use crossterm::terminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::report::Failure;

/// A token that is cancelled by the first interrupt, termination or hang-up. A second one ends the process at once;
/// what it leaves is put right by the next command.
pub(crate) fn cancel_on_signals() -> CancellationToken {
    let token = CancellationToken::new();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let Ok(mut signals) = signal(kind) else {
            continue;
        };
        let token = token.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if token.is_cancelled() {
                    std::process::exit(130);
                }
                token.cancel();
            }
        });
    }
    token
}

/// Asks a yes-or-no question; no is the default. Without a terminal to ask on it refuses.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Refused {
            message: format!("cannot ask without a terminal: {question}"),
            hint: "say -y to go ahead without asking".into(),
        });
    }
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer).is_err() {
        return Ok(false);
    }
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
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
