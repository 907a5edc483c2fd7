//! A stream whose writer never waits.
//!
//! One task of russh's reads and writes a connection in turns, and while it waits to write it does not read. When the
//! guest does the same, and both have more under way than the socket holds (`cat` of a large file, its reader slow for
//! a moment), each waits for the other for ever. So what is written here is queued, and a task of its own writes it.
//! The queue is bounded by what the guest's windows let a client send ahead: it opens them as it reads.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{
    AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf, ReadHalf, WriteHalf, split,
};
use tokio::sync::Notify;

/// How long the last words of a connection that is being closed may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// The stream: read with a buffer, written through a queue.
pub(super) struct Outboxed<S> {
    incoming: BufReader<ReadHalf<S>>,
    outbox: Arc<Outbox>,
}

#[derive(Default)]
struct Outbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    queue: Vec<u8>,
    closed: bool,
    /// Why no more can be written.
    failed: Option<io::ErrorKind>,
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Outboxed<S> {
    /// Wraps `stream`, reading up to `read_ahead` bytes at once.
    pub fn new(stream: S, read_ahead: usize) -> Self {
        let (incoming, outgoing) = split(stream);
        let outbox = Arc::new(Outbox::default());
        tokio::spawn(outbox.clone().deliver(outgoing));
        Outboxed {
            incoming: BufReader::with_capacity(read_ahead, incoming),
            outbox,
        }
    }
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Waits until the queue is closed for a while, and no longer.
    async fn patience(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state().closed {
                return tokio::time::sleep(FAREWELL).await;
            }
            changed.await;
        }
    }

    /// Writes what is queued until the queue is closed and empty.
    async fn deliver<S: AsyncWrite>(self: Arc<Self>, mut outgoing: WriteHalf<S>) {
        let mut batch = Vec::new();
        loop {
            let changed = self.changed.notified();
            let closed = {
                let mut state = self.state();
                std::mem::swap(&mut batch, &mut state.queue);
                state.closed
            };
            if batch.is_empty() {
                if closed {
                    break;
                }
                changed.await;
                continue;
            }
            let written = tokio::select! {
                written = outgoing.write_all(&batch) => written,
                () = self.patience() => Err(io::ErrorKind::TimedOut.into()),
            };
            if let Err(error) = written {
                self.state().failed = Some(error.kind());
                return;
            }
            batch.clear();
        }
        // Whoever closed it looks no further.
        let _ = outgoing.shutdown().await;
    }
}

impl<S: AsyncRead> AsyncRead for Outboxed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_read(context, buffer)
    }
}

impl<S> AsyncWrite for Outboxed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.outbox.state();
        if let Some(kind) = state.failed {
            return Poll::Ready(Err(kind.into()));
        }
        state.queue.extend_from_slice(data);
        drop(state);
        self.outbox.changed.notify_one();
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.close();
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for Outboxed<S> {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, duplex};

    /// Two programs that write all they have before they read: over the bare stream they would wait for ever.
    #[tokio::test]
    async fn writers_do_not_wait_for_readers() {
        let (ours, theirs) = duplex(64);
        let talk = async |stream| {
            let mut stream = Outboxed::new(stream, 16);
            stream.write_all(&[7; 100_000]).await.unwrap();
            let mut heard = vec![0; 100_000];
            stream.read_exact(&mut heard).await.unwrap();
            assert!(heard == [7; 100_000]);
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut heard).await.unwrap(), 0);
        };
        tokio::join!(talk(ours), talk(theirs));
    }

    #[tokio::test]
    async fn what_was_written_last_arrives_though_the_stream_is_dropped() {
        let (ours, mut theirs) = duplex(64);
        let mut stream = Outboxed::new(ours, 16);
        stream.write_all(&[7; 1000]).await.unwrap();
        drop(stream);
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        assert!(heard == [7; 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_does_not_keep_a_dropped_stream_alive() {
        let (ours, mut theirs) = duplex(64);
        let mut stream = Outboxed::new(ours, 16);
        stream.write_all(&[7; 1000]).await.unwrap();
        drop(stream);
        tokio::time::sleep(FAREWELL * 2).await;
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard.len(), 64);
    }

    #[tokio::test]
    async fn a_write_error_is_told_at_the_next_write() {
        let (ours, theirs) = duplex(64);
        let mut stream = Outboxed::new(ours, 16);
        drop(theirs);
        let error = loop {
            match stream.write_all(b"x").await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
