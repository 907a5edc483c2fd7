//! The output of a shell on its way into the terminal, in slices.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use super::input::Input;
use super::screen::Screen;

/// The most that the terminal takes in at once, in bytes.
const SLICE: usize = 64 << 10;
/// After so many bytes it is seen how long they took.
const STEP: usize = 8 << 10;
/// How long the screen may be made to wait for the terminal.
const AT_MOST: Duration = Duration::from_millis(3);

/// Writes into the terminal. After each slice everybody else has a turn.
pub(super) struct Output {
    pub(super) screen: Arc<Screen>,
    pub(super) input: Arc<Input>,
    pub(super) paused: bool,
}

impl Output {
    pub(super) fn new(screen: Arc<Screen>, input: Arc<Input>) -> Output {
        Output {
            screen,
            input,
            paused: false,
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.paused {
            self.paused = false;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let slice = &data[..data.len().min(SLICE)];
        let until = Instant::now() + AT_MOST;
        let (taken, answers) = self.screen.take_in(slice, STEP, until);
        self.input.answer(&answers);
        self.paused = taken < data.len() || data.len() >= SLICE;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
