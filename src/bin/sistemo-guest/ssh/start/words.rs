//! Sistemo's own words, by which the host follows, renews and ends a machine: `sistemo-ready`, `sistemo-poweroff`,
//! `sistemo-renew` and `sistemo-clock`.

use std::sync::Arc;
use std::time::Duration;

use russh::server::Handle;
use sistemo::guest::words::{READY_LINE, Renewal};
use tokio::sync::Notify;

use super::super::exit::End;
use super::super::flow::Inbox;
use super::super::session::{self, STDERR, Writer};
use super::super::shared::{Facts, Shared};
use super::super::stage::{Stage, Stages};
use crate::accounts::Account;
use crate::{clock, console, network, power, renew};

/// The longest identity that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// How long a client that has been answered may take to hang up.
const FAREWELL: Duration = Duration::from_secs(5);

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

/// Why a client may not do `what` to the machine, if it may not.
pub(super) fn may(account: &Account, machine: bool, what: &str) -> Result<(), String> {
    if !machine {
        return Err("sistemo-guest: this is no machine of its own\n".into());
    }
    if account.uid != 0 {
        return Err(format!("sistemo-guest: only root may {what}\n"));
    }
    Ok(())
}

/// Takes the identity that the client gives, unless it may not; what takes the connection along happens when it is over.
pub(super) async fn renew(
    may: Result<(), String>,
    shared: Arc<Shared>,
    over: Arc<Notify>,
    writer: Writer,
    handle: Handle,
    inbox: Arc<Inbox>,
) {
    let read = async {
        let mut told = Vec::new();
        while let Some(part) = inbox.take().await {
            told.extend_from_slice(&part);
            if told.len() > LONGEST {
                return Err("sistemo-guest: that is too long\n".to_owned());
            }
        }
        may?;
        let renewal: Renewal = serde_json::from_slice(&told)
            .map_err(|error| format!("sistemo-guest: that is no identity: {error}\n"))?;
        let facts = Facts::new(&renewal.config)
            .map_err(|error| format!("sistemo-guest: {}\n", console::report(&error)))?;
        Ok((renewal, facts))
    };
    let (renewal, facts) = match read.await {
        Ok(read) => read,
        Err(text) => {
            let end = End::Status(1);
            session::answer(text, Some(STDERR), end, writer, handle, inbox).await;
            return;
        }
    };
    let was = shared.facts();
    let taken = renew::take(&renewal, facts.host_key != was.host_key);
    let text = taken.notes.join("");
    session::answer(text, Some(STDERR), End::Status(0), writer, handle, inbox).await;
    // A client that does not hear of it does not close the connection either.
    let _ = tokio::time::timeout(FAREWELL, over.notified()).await;
    if let (Some(was), Some(now)) = (&was.network, &facts.network)
        && let Err(error) = network::change(was, now)
    {
        console::say(&format!("sistemo-guest: {}", console::report(&error)));
    }
    console::say(&format!(
        "sistemo-guest: {} goes on from a snapshot",
        renewal.config.hostname
    ));
    shared.renew(facts);
    console::say(READY_LINE);
    renew::afterwards(taken.wants_keys);
}

/// Sets the clock, unless the client may not.
pub(super) async fn clock(
    may: Result<(), String>,
    time: u64,
    writer: Writer,
    handle: Handle,
    inbox: Arc<Inbox>,
) {
    let set = may.and_then(|()| {
        clock::set(time).map_err(|error| format!("sistemo-guest: {}\n", console::report(&error)))
    });
    let (text, end) = match set {
        Ok(()) => (String::new(), End::Status(0)),
        Err(text) => (text, End::Status(1)),
    };
    session::answer(text, Some(STDERR), end, writer, handle, inbox).await;
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
