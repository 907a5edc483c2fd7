//! Going to the next line of a kind, however far that is, without waiting for it.

use super::kind::Kind;
use super::pages::{Pages, Step};
use super::state::Wanted;

/// Looking for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seek {
    pub kind: Kind,
    forwards: bool,
    from: u64,
    /// Whether it has gone on from the other end.
    pub wrapped: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Found(u64),
    Nothing,
    /// The worker is looking, and will tell.
    Looking,
}

impl Seek {
    /// From a place in the log on: lines that begin there or behind it, or before it.
    pub fn new(kind: Kind, from: u64, forwards: bool) -> Seek {
        Seek {
            kind,
            forwards,
            from,
            wrapped: false,
        }
    }

    /// Goes on as far as is known by now.
    pub fn advance(&mut self, pages: &mut Pages) -> Progress {
        loop {
            match pages.step(self.from, self.forwards, self.kind) {
                Step::To(line) => return Progress::Found(line),
                Step::Unknown(from) => {
                    self.from = from;
                    let (kind, forwards) = (self.kind, self.forwards);
                    // The byte before a place is what lines before it have.
                    let from = if forwards {
                        from
                    } else {
                        from.saturating_sub(1)
                    };
                    pages.want(Some(Wanted {
                        kind,
                        from,
                        forwards,
                    }));
                    return Progress::Looking;
                }
                Step::End if self.wrapped => return Progress::Nothing,
                Step::End => {
                    self.wrapped = true;
                    self.from = if self.forwards { 0 } else { u64::MAX };
                }
            }
        }
    }

    pub fn is_forwards(&self) -> bool {
        self.forwards
    }
}
