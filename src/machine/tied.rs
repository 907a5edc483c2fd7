//! A connection to a guest that ends with the guest's hypervisor: whoever is at the other end is gone then, and says
//! nothing any more.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::vmm;

/// The stream, and the end of the process.
pub(super) struct Tied<S> {
    stream: S,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Tied<S> {
    pub(super) fn new(stream: S, process: Option<vmm::Process>) -> Tied<S> {
        let ended = async move {
            let waited = match process {
                Some(process) => process.wait_exit().await.is_ok(),
                None => false,
            };
            if !waited {
                std::future::pending::<()>().await;
            }
        };
        Tied {
            stream,
            ended: Box::pin(ended),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tied<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // What has come is read first.
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        match self.ended.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                // Asked once more it says the same.
                self.ended = Box::pin(std::future::ready(()));
                let kind = io::ErrorKind::ConnectionAborted;
                let why = "the machine's hypervisor has ended";
                Poll::Ready(Err(io::Error::new(kind, why)))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tied<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
