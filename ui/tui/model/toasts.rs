//! Short messages in a corner, and everything that was ever said.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How long a message of success or news stays, and a warning. Errors stay until they are dismissed.
const STAYS: Duration = Duration::from_secs(4);
const WARNING_STAYS: Duration = Duration::from_secs(8);
/// How many are shown at once, and kept for `messages`.
const SHOWN: usize = 3;
const KEPT: usize = 500;

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    News,
    Good,
    Warning,
    Error,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// The way out.
    pub(crate) hint: Option<String>,
    /// Lines that help to see why.
    pub(crate) detail: Option<String>,
}

impl Toast {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Toast {
        Toast {
            kind,
            text: text.into(),
            hint: None,
            detail: None,
        }
    }

    pub(crate) fn hint(self, hint: Option<String>) -> Toast {
        Toast { hint, ..self }
    }
}

/// All messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toasts {
    shown: Vec<(Toast, Option<Instant>)>,
    /// Everything said, the newest last.
    pub(crate) all: Vec<(Timestamp, Toast)>,
}

impl Toasts {
    pub(crate) fn say(&mut self, toast: Toast, now: Timestamp, instant: Instant) {
        let until = match toast.kind {
            Kind::News | Kind::Good => Some(instant + STAYS),
            Kind::Warning => Some(instant + WARNING_STAYS),
            Kind::Error => None,
        };
        if self.all.len() == KEPT {
            self.all.remove(0);
        }
        self.all.push((now, toast.clone()));
        // The same again is not said twice at once.
        self.shown.retain(|(shown, _)| *shown != toast);
        self.shown.push((toast, until));
        if self.shown.len() > SHOWN {
            self.shown.remove(0);
        }
    }

    /// Those in the corner, the newest last.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Toast> {
        self.shown.iter().map(|(toast, _)| toast)
    }

    /// Takes away what has stayed long enough; whether there was any.
    pub(crate) fn pass(&mut self, instant: Instant) -> bool {
        let before = self.shown.len();
        self.shown
            .retain(|(_, until)| until.is_none_or(|until| until > instant));
        before != self.shown.len()
    }

    /// Takes all away; whether there was any.
    pub(crate) fn dismiss(&mut self) -> bool {
        !std::mem::take(&mut self.shown).is_empty()
    }

    /// When the next one goes by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.shown.iter().filter_map(|(_, until)| *until).min()
    }
}
