//! A session: requests go out as they come, and each reply finds who waits for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::error::Error;
use super::wire::{self, Packet, Reader, kind};
use crate::guest::client;

/// What is gathered before it is given to the connection, and asked of it at once, in bytes.
const GATHERED: usize = 256 << 10;

/// A session. Cheap to clone; it ends with its last clone.
#[derive(Clone, Debug)]
pub struct Sftp(Arc<Session>);

#[derive(Debug)]
struct Session {
    queue: mpsc::UnboundedSender<Vec<u8>>,
    shared: Arc<Mutex<Shared>>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

#[derive(Debug, Default)]
struct Shared {
    /// Who waits for which reply.
    waiting: HashMap<u32, oneshot::Sender<Reply>>,
    next: u32,
    /// Why there are no more replies.
    ended: Option<&'static str>,
}

/// A reply: its type, and what stands behind its number.
type Reply = (u8, Bytes);

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sftp {
    /// Begins a session over a stream to the guest's SFTP server.
    ///
    /// # Errors
    ///
    /// When whoever is there does not speak SFTP.
    pub async fn begin<S>(mut stream: S) -> Result<Sftp, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let lost = |error: std::io::Error| client::Error::Lost(Some(error.to_string()));
        // In the place of its number stands the version.
        let hello = Packet::new(kind::INIT, 0).numbered(3);
        stream.write_all(&hello).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        let length = stream.read_u32().await.map_err(lost)? as usize;
        if length > wire::MOST {
            return Err(Error::Protocol("something that is not SFTP"));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await.map_err(lost)?;
        if answer.first() != Some(&kind::VERSION) {
            return Err(Error::Protocol("no version of SFTP"));
        }
        let (incoming, outgoing) = tokio::io::split(stream);
        let (queue, queued) = mpsc::unbounded_channel();
        let shared = Arc::<Mutex<Shared>>::default();
        let tasks = [
            tokio::spawn(send(queued, outgoing)),
            tokio::spawn(receive(incoming, shared.clone())),
        ];
        Ok(Sftp(Arc::new(Session {
            queue,
            shared,
            _tasks: tasks.map(AbortOnDropHandle::new),
        })))
    }

    /// Sends a request.
    pub(super) fn ask(
        &self,
        packet: Packet,
    ) -> impl Future<Output = Result<Reply, Error>> + Send + use<> {
        let (reply, replied) = oneshot::channel();
        let mut shared = lock(&self.0.shared);
        let id = shared.next;
        shared.next = shared.next.wrapping_add(1);
        if shared.ended.is_none() {
            shared.waiting.insert(id, reply);
            // Under the lock, so that the order of numbers is that of requests. A sender that is gone has ended
            // the session, and the reply will say so.
            let _ = self.0.queue.send(packet.numbered(id));
        }
        drop(shared);
        let shared = self.0.shared.clone();
        async move {
            let (kind, body) = replied.await.map_err(|_| ended(&shared))?;
            if kind != kind::STATUS {
                return Ok((kind, body));
            }
            let mut reader = Reader(&body);
            match reader.number()? {
                0 => Ok((kind, body)),
                code => Err(Error::status(code, reader.string().unwrap_or_default())),
            }
        }
    }

    /// The same for a request that is answered by its status alone.
    pub(super) fn tell(
        &self,
        packet: Packet,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let asked = self.ask(packet);
        async move {
            match asked.await? {
                (kind::STATUS, _) => Ok(()),
                _ => Err(UNEXPECTED),
            }
        }
    }
}

pub(super) const UNEXPECTED: Error = Error::Protocol("a reply to something else");

fn ended(shared: &Mutex<Shared>) -> Error {
    let why = lock(shared).ended.map(String::from);
    client::Error::Lost(why).into()
}

/// Gives what is queued to the connection, small requests together.
async fn send(mut queued: mpsc::UnboundedReceiver<Vec<u8>>, mut outgoing: impl AsyncWrite + Unpin) {
    let mut gathered = Vec::new();
    while let Some(packet) = queued.recv().await {
        let mut packet = packet;
        while let Ok(more) = queued.try_recv() {
            if packet.len() + more.len() > GATHERED {
                gathered.push(packet);
                packet = more;
            } else {
                packet.extend_from_slice(&more);
            }
        }
        gathered.push(packet);
        for packet in gathered.drain(..) {
            if outgoing.write_all(&packet).await.is_err() {
                // The receiver sees the end too.
                return;
            }
        }
        if outgoing.flush().await.is_err() {
            return;
        }
    }
    let _ = outgoing.shutdown().await;
}

/// Gives each reply to whoever waits for it.
async fn receive(mut incoming: impl AsyncRead + Unpin, shared: Arc<Mutex<Shared>>) {
    let mut buffer = BytesMut::with_capacity(GATHERED);
    let why = loop {
        match next(&mut buffer) {
            Ok(Some(packet)) => {
                if let Err(why) = deliver(packet, &shared) {
                    break why;
                }
                continue;
            }
            Ok(None) => {}
            Err(why) => break why,
        }
        buffer.reserve(GATHERED);
        match incoming.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break "its SFTP server ended",
            Ok(_) => {}
        }
    };
    let mut shared = lock(&shared);
    shared.ended = Some(why);
    shared.waiting.clear();
}

/// The next packet without its length, once all of it is there.
fn next(buffer: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > wire::MOST {
        return Err("it sent something that is not SFTP");
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

fn deliver(mut packet: Bytes, shared: &Mutex<Shared>) -> Result<(), &'static str> {
    let mut reader = Reader(&packet);
    let (Ok(kind), Ok(id)) = (reader.byte(), reader.number()) else {
        return Err("it sent something that is not SFTP");
    };
    packet.advance(5);
    let waiting = lock(shared).waiting.remove(&id);
    let waiting = waiting.ok_or("it answered what was not asked")?;
    // Whoever asked may have lost interest.
    let _ = waiting.send((kind, packet));
    Ok(())
}
