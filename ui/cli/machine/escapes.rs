//! The way out of a session whose guest does not answer, as ssh(1) has it: `~.` at the beginning of a line.
//!
//! ```text
//!            CR, LF            '~'             '.'
//!   Middle ─────────► Start ─────────► Tilde ─────► left
//!     ▲                 │ other          │ '~': sends one; other: sends both
//!     └─────────────────┴────────────────┘
//! ```

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Middle,
    Start,
    Tilde,
}

/// What is typed, with escapes taken out.
pub(super) struct Escapes<R> {
    keys: R,
    /// Where it is not a terminal that is read from, a tilde is a tilde.
    watched: bool,
    state: State,
    left: CancellationToken,
}

impl<R> Escapes<R> {
    /// Cancels `left` when the user wants out.
    pub(super) fn new(keys: R, watched: bool, left: CancellationToken) -> Self {
        Escapes {
            keys,
            watched,
            state: State::Start,
            left,
        }
    }

    /// What of `typed` is for the guest.
    fn pass(&mut self, typed: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(typed.len() + 1);
        for key in typed {
            match (self.state, key) {
                (State::Start, b'~') => {
                    self.state = State::Tilde;
                    continue;
                }
                (State::Tilde, b'.') => {
                    self.left.cancel();
                    return passed;
                }
                (State::Tilde, b'~') => {}
                (State::Tilde, _) => passed.push(b'~'),
                _ => {}
            }
            passed.push(*key);
            self.state = match key {
                b'\r' | b'\n' => State::Start,
                _ => State::Middle,
            };
        }
        passed
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Escapes<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.watched {
            return Pin::new(&mut self.keys).poll_read(context, buffer);
        }
        loop {
            // One more may come out than was read: a tilde that was held back.
            let mut typed = [0; 4096];
            let room = typed.len().min(buffer.remaining().saturating_sub(1));
            let mut read = ReadBuf::new(&mut typed[..room]);
            ready!(Pin::new(&mut self.keys).poll_read(context, &mut read))?;
            let read = read.filled();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let passed = self.pass(read);
            if self.left.is_cancelled() {
                // Nothing more is typed; whoever watches ends the session.
                return Poll::Pending;
            }
            if !passed.is_empty() {
                buffer.put_slice(&passed);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reaches the guest of these keys, one read each, and whether the user has left.
    fn typed(reads: &[&str]) -> (String, bool) {
        let mut escapes = Escapes::new(tokio::io::empty(), true, CancellationToken::new());
        let passed: Vec<u8> = reads
            .iter()
            .flat_map(|read| escapes.pass(read.as_bytes()))
            .collect();
        (
            String::from_utf8(passed).unwrap(),
            escapes.left.is_cancelled(),
        )
    }

    #[test]
    fn a_tilde_and_a_dot_at_the_beginning_of_a_line_lead_out() {
        for reads in [
            &["~."][..],
            &["~", "."],
            &["ls\r~."],
            &["ls\r", "~", ".more"],
        ] {
            assert!(typed(reads).1, "{reads:?}");
        }
    }

    #[test]
    fn other_tildes_reach_the_guest() {
        for (reads, passed) in [
            (&["ls ~.\r"][..], "ls ~.\r"),
            (&["~/bin/x"], "~/bin/x"),
            (&["~", "/bin"], "~/bin"),
            (&["~~."], "~."),
            (&["a~."], "a~."),
            (&["\r\r~a"], "\r\r~a"),
        ] {
            assert_eq!(typed(reads), (passed.to_string(), false), "{reads:?}");
        }
    }
}
