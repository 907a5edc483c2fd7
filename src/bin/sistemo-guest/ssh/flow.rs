//! Flow control from the client to the processes: memory stays bounded and no channel waits for another.
//!
//! russh opens a channel's window again as soon as data has arrived, whether or not anyone took it, and blocks the
//! whole connection when a channel's queue is full (its pull request 730). With `cat` behind the channel that is a
//! deadlock: the client's window updates, which would let the output flow, wait behind input that nobody reads.
//!
//! So data is queued here without a limit of its own, and the limit is put where it belongs, in the window, through
//! the one lever that russh has: the window size to aim at next.
//!
//! ```text
//!            queued > HIGH                     queued ≤ HIGH
//!   open ───────────────────▶ probing ───────────────────────▶ open
//!   (window = WINDOW)         (window = 2 bytes, one step per PROBE_INTERVAL)
//! ```
//!
//! A window of two bytes is TCP's zero-window probe: the client can send next to nothing, but what it does send gives
//! the next chance to open the window. At most about `HIGH + 2 × WINDOW` bytes are ever queued.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::login::Deadline;

/// Bytes that a client may send before any of them is acknowledged.
pub const WINDOW: u32 = 1 << 20;
/// Bytes in the queues of one connection above which the window is closed.
const HIGH: usize = 1 << 19;
/// russh opens a window when less than half of what it aims at is left; two bytes is the least that ever opens.
const PROBE_WINDOW: u32 = 2;
/// Pause between two steps of a closed window.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);

/// What all channels of one connection share.
#[derive(Debug, Default)]
pub struct Flow {
    queued: AtomicUsize,
    pause: AtomicBool,
}

impl Flow {
    /// The window to aim at from now on; asked after each time that a window was opened.
    pub fn next_window(&self) -> u32 {
        if self.queued.load(Ordering::Relaxed) <= HIGH {
            return WINDOW;
        }
        self.pause.store(true, Ordering::Relaxed);
        PROBE_WINDOW
    }
}

/// What a client sent on one channel and nobody took yet.
#[derive(Debug)]
pub struct Inbox {
    flow: Arc<Flow>,
    state: Mutex<State>,
    arrived: Notify,
    left: Notify,
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    data: BytesMut,
    /// Handed out by the last [`Inbox::take`], and so not yet known to be consumed.
    taken: usize,
    finished: bool,
    left: bool,
    closed: bool,
}

impl Inbox {
    pub fn new(flow: Arc<Flow>) -> Arc<Inbox> {
        Arc::new(Inbox {
            flow,
            state: Mutex::default(),
            arrived: Notify::new(),
            left: Notify::new(),
            closed: Notify::new(),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what arrived; dropped once the client or the reader is gone.
    pub fn push(&self, data: &[u8]) {
        let mut state = self.state();
        if state.left || state.closed {
            return;
        }
        state.data.extend_from_slice(data);
        self.flow.queued.fetch_add(data.len(), Ordering::Relaxed);
        drop(state);
        self.arrived.notify_one();
    }

    /// The client sends no more.
    pub fn finish(&self) {
        self.state().finished = true;
        self.arrived.notify_one();
    }

    /// The client has closed the channel: it sends no more and wants no more. What it sent before is still to be taken.
    pub fn leave(&self) {
        {
            let mut state = self.state();
            state.finished = true;
            state.left = true;
        }
        self.arrived.notify_one();
        self.left.notify_one();
    }

    /// The connection is gone, or the reader is: whatever is queued is dropped.
    pub fn close(&self) {
        let mut state = self.state();
        let dropped = state.data.len() + std::mem::take(&mut state.taken);
        state.data = BytesMut::new();
        state.left = true;
        state.closed = true;
        self.flow.queued.fetch_sub(dropped, Ordering::Relaxed);
        drop(state);
        self.arrived.notify_one();
        self.left.notify_one();
        self.closed.notify_one();
    }

    /// Whether [`Inbox::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Waits for [`Inbox::leave`] or [`Inbox::close`]. For one who waits.
    pub async fn until_left(&self) {
        while !self.state().left {
            self.left.notified().await;
        }
    }

    /// Waits for [`Inbox::close`]. For one who waits.
    pub async fn until_closed(&self) {
        while !self.is_closed() {
            self.closed.notified().await;
        }
    }

    /// All that is queued, as soon as there is something; `None` once the client has finished or the channel closed.
    /// What the call before handed out counts as consumed from now on. For one reader.
    pub async fn take(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.state();
                let consumed = std::mem::take(&mut state.taken);
                self.flow.queued.fetch_sub(consumed, Ordering::Relaxed);
                if !state.data.is_empty() {
                    state.taken = state.data.len();
                    return Some(state.data.split().freeze());
                }
                if state.finished || state.closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }
}

/// The client's connection, read with a buffer (russh asks for four bytes at a time) and held back for
/// [`PROBE_INTERVAL`] after each step of a closed window. It fails when the client takes too long to log in, and when the
/// server becomes another's.
pub struct Connection {
    stream: BufReader<TcpStream>,
    flow: Arc<Flow>,
    login: Deadline,
    pause: Option<Pin<Box<Sleep>>>,
    /// The server becomes another's.
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    pub fn new(
        stream: TcpStream,
        flow: Arc<Flow>,
        login: Deadline,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Connection {
        Connection {
            stream: BufReader::with_capacity(64 * 1024, stream),
            flow,
            login,
            pause: None,
            ended: Box::pin(ended),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.login.check(context)?;
        if self.ended.as_mut().poll(context).is_ready() {
            // Asked once more it says the same.
            self.ended = Box::pin(std::future::ready(()));
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionAborted.into()));
        }
        if self.flow.pause.swap(false, Ordering::Relaxed) {
            self.pause = Some(Box::pin(sleep_until(Instant::now() + PROBE_INTERVAL)));
        }
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.login.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_window_closes_while_too_much_is_queued_and_opens_again() {
        let flow = Arc::new(Flow::default());
        let inbox = Inbox::new(Arc::clone(&flow));
        assert_eq!(flow.next_window(), WINDOW);
        inbox.push(&vec![7; HIGH + 1]);
        assert_eq!(flow.next_window(), PROBE_WINDOW);
        let taken = inbox.take().await.unwrap();
        assert_eq!(taken.len(), HIGH + 1);
        // Taken is not consumed: only the next call says that the reader is done with it.
        assert_eq!(flow.next_window(), PROBE_WINDOW);
        inbox.finish();
        assert_eq!(inbox.take().await, None);
        assert_eq!(flow.next_window(), WINDOW);
    }

    #[tokio::test]
    async fn closing_drops_what_is_queued_and_wakes_everyone() {
        let flow = Arc::new(Flow::default());
        let inbox = Inbox::new(Arc::clone(&flow));
        inbox.push(&vec![1; HIGH + 1]);
        inbox.close();
        inbox.push(b"late");
        inbox.until_closed().await;
        assert_eq!(inbox.take().await, None);
        assert_eq!(flow.next_window(), WINDOW);
    }

    #[tokio::test]
    async fn what_a_client_sent_before_it_closed_the_channel_is_still_there() {
        let inbox = Inbox::new(Arc::default());
        inbox.push(b"last words");
        inbox.leave();
        inbox.push(b"late");
        inbox.until_left().await;
        assert!(!inbox.is_closed());
        assert_eq!(inbox.take().await.as_deref(), Some(&b"last words"[..]));
        assert_eq!(inbox.take().await, None);
        inbox.close();
        inbox.until_left().await;
        inbox.until_closed().await;
    }

    #[tokio::test]
    async fn small_pieces_come_out_together_and_in_order() {
        let inbox = Inbox::new(Arc::default());
        for piece in [&b"one "[..], b"two ", b"three"] {
            inbox.push(piece);
        }
        inbox.finish();
        assert_eq!(inbox.take().await.as_deref(), Some(&b"one two three"[..]));
        assert_eq!(inbox.take().await, None);
    }
}
