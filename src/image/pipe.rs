//! A stream on its way from a file to its reader: decompressed and digested by a thread of its own, a few chunks ahead.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// Bytes in a chunk, and how many of them may wait.
const CHUNK: usize = 256 << 10;
const AHEAD: usize = 8;

/// How much memory an xz archive may ask for, in KiB: twice what `xz -9` asks for.
const XZ_MEMORY: u32 = 128 << 10;

/// The decompressed stream.
pub(super) struct Pipe {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Chunks that were read, to be filled again.
    empty: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    /// Ends by itself at its next chunk when the reader is gone.
    thread: JoinHandle<Sha256>,
}

impl Pipe {
    /// Reads a file from its beginning, compressed or not.
    pub(super) fn of_file(mut file: File) -> io::Result<Pipe> {
        file.rewind()?;
        Pipe::new(decompressed(file)?)
    }

    /// Reads on in `source`.
    pub(super) fn new(mut source: impl Read + Send + 'static) -> io::Result<Pipe> {
        let (sender, chunks) = sync_channel::<io::Result<Vec<u8>>>(AHEAD);
        let (empty, returned) = sync_channel::<Vec<u8>>(AHEAD + 2);
        let thread = std::thread::Builder::new()
            .name("decompress".into())
            .spawn(move || {
                let mut hash = Sha256::new();
                loop {
                    let mut chunk = returned.try_recv().unwrap_or_default();
                    let filled = fill(&mut source, &mut chunk);
                    hash.update(&chunk);
                    let end = chunk.is_empty() || filled.is_err();
                    let message = if filled.is_err() {
                        filled.map(|()| Vec::new())
                    } else {
                        Ok(chunk)
                    };
                    // A reader that is gone wants no more.
                    if sender.send(message).is_err() || end {
                        return hash;
                    }
                }
            })?;
        Ok(Pipe {
            chunks,
            empty,
            chunk: Vec::new(),
            at: 0,
            thread,
        })
    }

    /// Reads what is left, and returns the SHA-256 digest of the whole stream. It is given up when `cancel` says so: what
    /// follows an archive may be long.
    pub(super) fn finish(mut self, cancel: &CancellationToken) -> io::Result<[u8; 32]> {
        let mut rest = [0; 16 << 10];
        while self.read(&mut rest)? > 0 {
            if cancel.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
        }
        match self.thread.join() {
            Ok(hash) => Ok(hash.finalize().into()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let spent = std::mem::take(&mut self.chunk);
            if spent.capacity() > 0 {
                // A full channel only means that there are enough of them.
                let _ = self.empty.try_send(spent);
            }
            self.at = 0;
            match self.chunks.recv() {
                Ok(chunk) => self.chunk = chunk?,
                // The end was seen before.
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Fills a chunk as far as the stream goes.
fn fill(source: &mut impl Read, chunk: &mut Vec<u8>) -> io::Result<()> {
    chunk.resize(CHUNK, 0);
    let mut filled = 0;
    let outcome = loop {
        match source.read(&mut chunk[filled..]) {
            Ok(0) => break Ok(()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
        if filled == chunk.len() {
            break Ok(());
        }
    };
    chunk.truncate(filled);
    outcome
}

/// Takes the compression off, told by its first bytes: gzip (RFC 1952), Zstandard (RFC 8878), xz
/// (<https://tukaani.org/xz/xz-file-format.txt>).
pub(super) fn decompressed(source: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut source = BufReader::with_capacity(CHUNK, source);
    let magic = source.fill_buf()?;
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(source)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, XZ_MEMORY))
        }
        _ => Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn every_compression_gives_the_same_stream_and_digest() {
        let plain: Vec<u8> = (0..1_000_000u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain[..1_000_000]).unwrap();
        let mut two_members = gzip.finish().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain[1_000_000..]).unwrap();
        two_members.extend(gzip.finish().unwrap());
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        for bytes in [plain.clone(), two_members, zstd] {
            let mut pipe = Pipe::of_file(file(&bytes)).unwrap();
            let mut begin = vec![0; 100_000];
            pipe.read_exact(&mut begin).unwrap();
            assert!(begin == plain[..100_000]);
            assert_eq!(
                pipe.finish(&CancellationToken::new()).unwrap().as_slice(),
                Sha256::digest(&plain).as_slice()
            );
        }
    }

    #[test]
    fn a_cut_stream_is_an_error_and_a_reader_may_leave() {
        let plain = vec![5; 10_000_000];
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        let cut = Pipe::of_file(file(&zstd[..zstd.len() / 2])).unwrap();
        assert_eq!(
            cut.finish(&CancellationToken::new()).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        drop(Pipe::of_file(file(&plain)).unwrap());
        let cancel = CancellationToken::new();
        cancel.cancel();
        let endless = Pipe::new(io::repeat(0)).unwrap();
        assert!(endless.finish(&cancel).is_err());
    }
}
