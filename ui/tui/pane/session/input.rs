//! What the user types on its way to a shell: a bounded queue that never makes the screen wait.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

/// What is handed on at once, in bytes. What has been handed on cannot be taken back.
const PIECE: usize = 16 << 10;
/// The most that waits for a guest that does not read, in bytes.
const LIMIT: usize = 16 << 20;
/// The same of what the terminal answers by itself: a guest may ask without ever listening.
const ANSWERS: usize = 64 << 10;
/// How a bracketed paste ends (xterm's ctlseqs, "Bracketed Paste Mode").
const PASTE_END: &[u8] = b"\x1b[201~";

/// The guest has not read what it was sent, and takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine does not take so much: {} MiB wait already or would", LIMIT >> 20)]
pub(crate) struct TooMuch;

/// The queue.
#[derive(Default)]
pub(super) struct Input(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    parts: VecDeque<Part>,
    length: usize,
    waker: Option<Waker>,
    /// Counts shells: what was opened for one reads nothing of the next one's.
    shell: u64,
}

/// What came in one go, or in several that need not be told apart.
struct Part {
    bytes: Vec<u8>,
    sent: usize,
    paste: bool,
}

impl Part {
    fn left(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Drops what is left of a paste, but for what a program needs to see its end.
    fn cut(&mut self) {
        let bracketed = self.bytes.ends_with(PASTE_END);
        let text = self.bytes.len() - if bracketed { PASTE_END.len() } else { 0 };
        if self.sent >= text {
            return;
        }
        let end = match self.sent {
            0 => 0,
            // Not in the middle of a character.
            sent => self.bytes[sent..text]
                .iter()
                .position(|byte| byte & 0xc0 != 0x80)
                .map_or(text, |more| sent + more),
        };
        self.bytes.truncate(end);
        if bracketed && self.sent > 0 {
            self.bytes.extend_from_slice(PASTE_END);
        }
    }
}

impl Input {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues keys.
    pub(super) fn typed(&self, bytes: &[u8]) {
        self.queue().push(bytes, LIMIT);
    }

    /// Gives up pastes that are not through yet.
    pub(super) fn cut_pastes(&self) {
        let mut queue = self.queue();
        let pastes = queue.parts.iter_mut().filter(|part| part.paste);
        pastes.for_each(Part::cut);
        queue.length = queue.parts.iter().map(|part| part.left().len()).sum();
    }

    /// Queues what the terminal answers to the guest's questions.
    pub(super) fn answer(&self, bytes: &[u8]) {
        self.queue().push(bytes, ANSWERS);
    }

    /// Queues a paste.
    pub(super) fn paste(&self, bytes: Vec<u8>) -> Result<(), TooMuch> {
        let mut queue = self.queue();
        if queue.length + bytes.len() > LIMIT {
            return Err(TooMuch);
        }
        queue.length += bytes.len();
        queue.parts.push_back(Part {
            bytes,
            sent: 0,
            paste: true,
        });
        queue.wake();
        Ok(())
    }

    /// Gives a new shell its end. The end before gives nothing any more, and what was meant for that shell is dropped.
    pub(super) fn reader(self: &Arc<Self>) -> Typed {
        let mut queue = self.queue();
        if queue.shell > 0 {
            queue.parts.clear();
            queue.length = 0;
        }
        queue.shell += 1;
        queue.wake();
        Typed {
            input: self.clone(),
            shell: queue.shell,
        }
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue().length
    }

    /// How many bytes are kept, be they sent already.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.queue().parts.iter().map(|part| part.bytes.len()).sum()
    }
}

impl Queue {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        if bytes.is_empty() || self.length + bytes.len() > limit {
            return;
        }
        self.length += bytes.len();
        match self.parts.back_mut().filter(|part| !part.paste) {
            Some(part) => {
                // A guest that always leaves something to be read must not have us keep all that it ever was sent.
                if part.sent >= part.left().len() {
                    part.bytes.drain(..part.sent);
                    part.sent = 0;
                }
                part.bytes.extend_from_slice(bytes);
            }
            None => self.parts.push_back(Part {
                bytes: bytes.to_vec(),
                sent: 0,
                paste: false,
            }),
        }
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A shell's end of the queue.
pub(super) struct Typed {
    input: Arc<Input>,
    shell: u64,
}

impl AsyncRead for Typed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut queue = self.input.queue();
        if queue.shell != self.shell {
            return Poll::Ready(Ok(()));
        }
        while let Some(part) = queue.parts.front_mut() {
            let left = part.left();
            if left.is_empty() {
                queue.parts.pop_front();
                continue;
            }
            let length = left.len().min(PIECE).min(buffer.remaining());
            buffer.put_slice(&left[..length]);
            part.sent += length;
            queue.length -= length;
            return Poll::Ready(Ok(()));
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_was_sent_is_not_kept_however_slowly_it_is_read() {
        let input = Arc::new(Input::default());
        let mut guest = input.reader();
        let answer = b"\x1b[?62;22;52c";
        input.answer(answer);
        for _ in 0..10_000 {
            input.answer(answer);
            let mut read = [0; 12];
            guest.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, answer);
        }
        assert_eq!(input.waiting(), answer.len());
        assert!(input.kept() <= 4 * answer.len(), "{} bytes", input.kept());
    }
}
