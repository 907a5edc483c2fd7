//! The SFTP client (version 3, draft-ietf-secsh-filexfer-02, with OpenSSH's extensions).
//!
//! Own code: the crates for SFTP take names as text, which not every name of a Linux system is, and have one request
//! under way at a time for a file. Here every method sends its request **when it is called** and gives a future of the
//! reply, so any number are under way at once, and the guest carries them out in the order of the calls.
//!
//! ```text
//!   read, write, open … ─► queue ─► sender ─► channel ─► guest
//!                futures ◄─ by number ◄─ receiver ◄───────┘
//! ```

mod error;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

pub use error::Error;
pub use wire::Attributes;

use super::client;
use wire::{Packet, Reader, kind};

/// The most that one read or write carries, in bytes: less than OpenSSH's limit for a packet.
pub const MOST_DATA: usize = 255 << 10;

/// What is gathered before it is given to the connection, and asked of it at once, in bytes.
const GATHERED: usize = 256 << 10;

/// How a file is opened (§6.3).
pub mod flags {
    pub const READ: u32 = 0x1;
    pub const WRITE: u32 = 0x2;
    pub const CREATE: u32 = 0x8;
}

/// An open file or folder of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle(Vec<u8>);

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: PathBuf,
    /// Of the entry itself, also when it is a link.
    pub attributes: Attributes,
}

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
    fn ask(&self, packet: Packet) -> impl Future<Output = Result<Reply, Error>> + Send + use<> {
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
    fn tell(&self, packet: Packet) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let asked = self.ask(packet);
        async move {
            match asked.await? {
                (kind::STATUS, _) => Ok(()),
                _ => Err(UNEXPECTED),
            }
        }
    }

    fn handle(&self, packet: Packet) -> impl Future<Output = Result<Handle, Error>> + Send + use<> {
        let asked = self.ask(packet);
        async move {
            match asked.await? {
                (kind::HANDLE, body) => Ok(Handle(Reader(&body).string()?.to_vec())),
                _ => Err(UNEXPECTED),
            }
        }
    }

    /// Opens a file; a new one is its user's alone until its mode is set.
    pub fn open(
        &self,
        path: &Path,
        flags: u32,
    ) -> impl Future<Output = Result<Handle, Error>> + Send + use<> {
        let attributes = Attributes {
            mode: (flags & flags::CREATE != 0).then_some(0o600),
            ..Attributes::default()
        };
        self.handle(
            Packet::new(kind::OPEN, 256)
                .path(path)
                .number(flags)
                .attributes(&attributes),
        )
    }

    pub fn close(&self, handle: &Handle) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(Packet::new(kind::CLOSE, 0).string(&handle.0))
    }

    /// Reads at most `length` bytes, which are fewer at the end of the file and none behind it.
    pub fn read(
        &self,
        handle: &Handle,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send + use<> {
        let length = length.min(MOST_DATA);
        let asked = self.ask(
            Packet::new(kind::READ, 0)
                .string(&handle.0)
                .long(offset)
                .number(u32::try_from(length).unwrap_or(u32::MAX)),
        );
        async move {
            match asked.await {
                Ok((kind::DATA, body)) => {
                    let data = Reader(&body).string()?;
                    if data.len() > length {
                        return Err(Error::Protocol("more than was asked for"));
                    }
                    Ok(body.slice_ref(data))
                }
                Ok(_) => Err(UNEXPECTED),
                Err(Error::Status { code: 1, .. }) => Ok(Bytes::new()),
                Err(error) => Err(error),
            }
        }
    }

    /// Writes all of `data`, at most [`MOST_DATA`] bytes.
    pub fn write(
        &self,
        handle: &Handle,
        offset: u64,
        data: &[u8],
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::WRITE, data.len())
                .string(&handle.0)
                .long(offset)
                .string(data),
        )
    }

    /// What `path` is; what it leads to, with `follow`.
    pub fn attributes(
        &self,
        path: &Path,
        follow: bool,
    ) -> impl Future<Output = Result<Attributes, Error>> + Send + use<> {
        let kind = if follow { kind::STAT } else { kind::LSTAT };
        let asked = self.ask(Packet::new(kind, 256).path(path));
        async move {
            match asked.await? {
                (kind::ATTRS, body) => Reader(&body).attributes(),
                _ => Err(UNEXPECTED),
            }
        }
    }

    pub fn set_attributes(
        &self,
        path: &Path,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::SETSTAT, 256)
                .path(path)
                .attributes(attributes),
        )
    }

    pub fn set_file_attributes(
        &self,
        handle: &Handle,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::FSETSTAT, 0)
                .string(&handle.0)
                .attributes(attributes),
        )
    }

    pub fn open_folder(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<Handle, Error>> + Send + use<> {
        self.handle(Packet::new(kind::OPENDIR, 256).path(path))
    }

    /// The next entries of a folder, `.` and `..` left out; nothing when there are no more.
    pub fn read_folder(
        &self,
        handle: &Handle,
    ) -> impl Future<Output = Result<Option<Vec<Entry>>, Error>> + Send + use<> {
        let asked = self.ask(Packet::new(kind::READDIR, 0).string(&handle.0));
        async move {
            match asked.await {
                Ok((kind::NAME, body)) => names(&body).map(Some),
                Ok(_) => Err(UNEXPECTED),
                Err(Error::Status { code: 1, .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }

    /// Makes a folder that is its user's alone.
    pub fn make_folder(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let attributes = Attributes {
            mode: Some(0o700),
            ..Attributes::default()
        };
        self.tell(
            Packet::new(kind::MKDIR, 256)
                .path(path)
                .attributes(&attributes),
        )
    }

    pub fn remove(&self, path: &Path) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(Packet::new(kind::REMOVE, 256).path(path))
    }

    /// Renames, in the place of what is there (OpenSSH PROTOCOL §4.3).
    pub fn rename(
        &self,
        from: &Path,
        to: &Path,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::EXTENDED, 512)
                .string(b"posix-rename@openssh.com")
                .path(from)
                .path(to),
        )
    }

    /// Sets the times of `path` itself, also if it is a link (OpenSSH PROTOCOL §4.9).
    pub fn set_link_times(
        &self,
        path: &Path,
        times: (u32, u32),
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let attributes = Attributes {
            times: Some(times),
            ..Attributes::default()
        };
        self.tell(
            Packet::new(kind::EXTENDED, 256)
                .string(b"lsetstat@openssh.com")
                .path(path)
                .attributes(&attributes),
        )
    }

    pub fn read_link(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<PathBuf, Error>> + Send + use<> {
        self.one_path(kind::READLINK, path)
    }

    /// The path without links and dots; its last part need not exist.
    pub fn resolve(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<PathBuf, Error>> + Send + use<> {
        self.one_path(kind::REALPATH, path)
    }

    fn one_path(
        &self,
        kind: u8,
        path: &Path,
    ) -> impl Future<Output = Result<PathBuf, Error>> + Send + use<> {
        let asked = self.ask(Packet::new(kind, 256).path(path));
        async move {
            match asked.await? {
                (kind::NAME, body) => {
                    let mut reader = Reader(&body);
                    match reader.number()? {
                        0 => Err(UNEXPECTED),
                        _ => reader.path(),
                    }
                }
                _ => Err(UNEXPECTED),
            }
        }
    }

    /// Makes a link. The target goes first: OpenSSH's order, against the draft's (PROTOCOL §4.1).
    pub fn make_link(
        &self,
        target: &Path,
        link: &Path,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(Packet::new(kind::SYMLINK, 512).path(target).path(link))
    }
}

const UNEXPECTED: Error = Error::Protocol("a reply to something else");

fn ended(shared: &Mutex<Shared>) -> Error {
    let why = lock(shared).ended.map(String::from);
    client::Error::Lost(why).into()
}

fn names(body: &[u8]) -> Result<Vec<Entry>, Error> {
    let mut reader = Reader(body);
    let mut entries = Vec::new();
    for _ in 0..reader.number()? {
        let name = reader.path()?;
        reader.string()?;
        let attributes = reader.attributes()?;
        if name != Path::new(".") && name != Path::new("..") {
            entries.push(Entry { name, attributes });
        }
    }
    Ok(entries)
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
