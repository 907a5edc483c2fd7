//! Places for connections. There are so many, and when all are taken, the oldest connection of somebody who has not
//! proved who they are makes room: a stranger who opens connections to no end shuts out nobody, although on one computer
//! everybody comes from the same address.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::web::access::Hold;

/// All places.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    next: u64,
    /// Connections of strangers, the oldest first, with what has each make room.
    strangers: BTreeMap<u64, CancellationToken>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    standing: Standing,
    /// Cancelled when the connection is to make room.
    pub(super) yields: CancellationToken,
}

/// What is known of whoever has a place.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    places: Arc<Inner>,
    number: u64,
    hold: Arc<OnceLock<Hold>>,
}

impl Standing {
    /// The connection is all their session's from here on, and ends with it.
    pub(crate) fn lasts_with(&self, hold: Hold) {
        let _ = self.hold.set(hold);
    }

    /// They have proved who they are, and make room for nobody.
    pub(crate) fn known(&self) {
        self.places.state().strangers.remove(&self.number);
    }
}

impl Places {
    pub(super) fn new(most: usize) -> Places {
        Places(Arc::new(Inner {
            most,
            state: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Takes a place, once there is one.
    pub(super) async fn take(&self) -> Place {
        loop {
            let freed = self.0.freed.notified();
            if let Some(place) = self.try_take() {
                return place;
            }
            freed.await;
        }
    }

    /// Takes a place that is free, or has a stranger make room.
    fn try_take(&self) -> Option<Place> {
        let mut state = self.0.state();
        if state.taken >= self.0.most {
            if let Some((_, stranger)) = state.strangers.pop_first() {
                stranger.cancel();
            }
            return None;
        }
        state.taken += 1;
        state.next += 1;
        let (number, yields) = (state.next, CancellationToken::new());
        state.strangers.insert(number, yields.clone());
        let places = Arc::clone(&self.0);
        let standing = Standing {
            places,
            number,
            hold: Arc::default(),
        };
        Some(Place { standing, yields })
    }
}

impl Place {
    pub(super) fn standing(&self) -> Standing {
        self.standing.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Standing { places, number, .. } = &self.standing;
        let mut state = places.state();
        state.taken -= 1;
        state.strangers.remove(number);
        drop(state);
        places.freed.notify_one();
    }
}

/// A connection with its place, which it keeps for as long as it is there: a WebSocket is no connection of HTTP any more,
/// and still one.
#[derive(Debug)]
pub(super) struct Placed<S> {
    stream: S,
    place: Place,
    /// The end of the session that it lasts with.
    over: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S> Placed<S> {
    pub(super) fn new(stream: S, place: Place) -> Placed<S> {
        Placed {
            stream,
            place,
            over: None,
        }
    }

    /// Whether the session that it lasts with is over; whoever reads hears of it.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let Some(hold) = self.place.standing.hold.get() else {
            return false;
        };
        let wait = || Box::pin(hold.over.clone().cancelled_owned());
        let over = self.over.get_or_insert_with(wait);
        over.as_mut().poll(context).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Placed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.is_over(context) {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Placed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn strangers_make_room_and_callers_do_not() {
        let places = Places::new(2);
        let (first, second) = (places.take().await, places.take().await);
        first.standing().known();
        let waits = places.take();
        tokio::pin!(waits);
        assert!((&mut waits).now_or_never().is_none());
        assert!(!first.yields.is_cancelled());
        assert!(second.yields.is_cancelled());
        drop(second);
        let third = waits.await;
        third.standing().known();

        let waits = places.take();
        tokio::pin!(waits);
        assert!((&mut waits).now_or_never().is_none());
        assert!(!third.yields.is_cancelled());
        drop(first);
        waits.await;
        assert_eq!(places.0.state().taken, 1);
        drop(third);
        assert!(places.0.state().strangers.is_empty());
    }
}
