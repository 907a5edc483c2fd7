//! What is typed in a page on its way to a shell: a bounded queue.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;

/// The most that waits for a shell that does not read, in bytes.
pub(super) const LIMIT: usize = 1 << 20;
/// What is handed on at once, in bytes. What has been handed on cannot be taken back.
const PIECE: usize = 16 << 10;

/// The queue.
#[derive(Default)]
pub(super) struct Input {
    queue: Mutex<Queue>,
    /// Told when there is room again.
    pub room: Notify,
}

#[derive(Default)]
struct Queue {
    bytes: BytesMut,
    reader: Option<Waker>,
    /// Counts shells: what was opened for one reads nothing of the next one's.
    shell: u64,
}

impl Input {
    /// Queues it, if it fits.
    pub(super) fn offer(&self, bytes: &[u8]) -> bool {
        let mut queue = self.queue();
        // What is longer than all that can wait waits alone.
        if !queue.bytes.is_empty() && queue.bytes.len() + bytes.len() > LIMIT {
            return false;
        }
        queue.bytes.extend_from_slice(bytes);
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
        true
    }

    /// Drops all that waits.
    pub(super) fn clear(&self) {
        self.queue().bytes = BytesMut::new();
        self.room.notify_waiters();
    }

    /// Gives a new shell its end. The end before gives nothing any more, and what was meant for that shell is dropped.
    pub(super) fn reader(self: &Arc<Self>) -> Typed {
        let mut queue = self.queue();
        if queue.shell > 0 {
            queue.bytes = BytesMut::new();
        }
        queue.shell += 1;
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
        let shell = queue.shell;
        drop(queue);
        self.room.notify_waiters();
        Typed {
            input: self.clone(),
            shell,
        }
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue().bytes.len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
        if queue.bytes.is_empty() {
            queue.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let length = queue.bytes.len().min(PIECE).min(buffer.remaining());
        buffer.put_slice(&queue.bytes[..length]);
        queue.bytes.advance(length);
        if queue.bytes.is_empty() {
            // A large paste must not leave its memory behind.
            queue.bytes = BytesMut::new();
        }
        drop(queue);
        self.input.room.notify_waiters();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_refused_until_it_is_read() {
        let input = Arc::new(Input::default());
        let mut shell = input.reader();
        let half = vec![b'x'; LIMIT / 2];
        assert!(input.offer(&half) && input.offer(&half) && !input.offer(b"y"));
        let told = input.room.notified();
        let mut read = [0; 100];
        shell.read_exact(&mut read).await.unwrap();
        assert!(told.now_or_never().is_some());
        assert!(input.offer(b"y"));
        assert_eq!(input.waiting(), LIMIT - 99);
    }

    #[tokio::test]
    async fn what_was_typed_for_one_shell_does_not_reach_the_next() {
        let input = Arc::new(Input::default());
        let mut first = input.reader();
        input.offer(b"rm -r x\r");
        let mut second = input.reader();
        assert_eq!(first.read(&mut [0; 10]).await.unwrap(), 0);
        assert!(second.read(&mut [0; 10]).now_or_never().is_none());
        input.offer(b"ls");
        let mut read = [0; 2];
        second.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"ls");
    }
}
