//! Sistemo's own words, by which the host follows and ends a machine: `sistemo-ready` and `sistemo-poweroff`.

use std::sync::Arc;

use russh::server::Handle;

use super::super::exit::End;
use super::super::flow::Inbox;
use super::super::session::{self, STDERR, Writer};
use super::super::stage::{Stage, Stages};
use crate::accounts::Account;
use crate::{console, power};

/// Tells once the machine has started; ends with status 0, having printed `{"init": "…"}`.
pub(super) async fn ready(stages: Stages, writer: Writer, handle: Handle, inbox: Arc<Inbox>) {
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

/// Why a client may not power the machine off, if it may not.
pub(super) fn may_power_off(account: &Account, machine: bool) -> Result<(), String> {
    if !machine {
        return Err("sistemo-guest: this is no machine of its own\n".into());
    }
    if account.uid != 0 {
        return Err("sistemo-guest: only root may power the machine off\n".into());
    }
    Ok(())
}

/// Powers the machine off cleanly, within so many seconds, unless it may not; ends with status 0 once init has been
/// told. Where init cannot be asked, ends the machine in its stead.
pub(super) async fn power_off(
    may: Result<(), String>,
    within: Option<u32>,
    stages: Stages,
    writer: Writer,
    handle: Handle,
    inbox: Arc<Inbox>,
) {
    // An init that does not listen yet would not hear of it.
    stages.reach(Stage::Ready).await;
    if let Err(text) = may {
        let end = End::Status(1);
        session::answer(text, Some(STDERR), end, writer, handle, inbox).await;
        return;
    }
    let asked = power::ask_to_power_off(within);
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
