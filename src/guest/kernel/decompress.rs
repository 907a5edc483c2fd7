//! Undoing what a kernel's build compresses its payload with (arch/x86/boot/compressed/Makefile).
//!
//! All but gzip append the uncompressed length as four bytes (scripts/Makefile.lib, `size_append`).

use std::io::{self, Read};

use super::Error;

/// More than any kernel has, in bytes; keeps a broken length from taking all memory.
const LARGEST: u64 = 1 << 30;
/// What LZMA's dictionary may take, in KiB; the kernel's build uses at most 64 MiB (`xz --lzma2=dict=…`, `lzma -9`).
const LARGEST_DICTIONARY: u32 = 128 << 10;

/// The payload, uncompressed.
pub(super) fn decompress(payload: &[u8]) -> Result<Vec<u8>, Error> {
    let magic = payload.get(..6).ok_or(Error::NotAKernel)?;
    let body = &payload[..payload.len() - 4];
    let done = match magic {
        [0x1f, 0x8b, ..] => read(flate2::read::GzDecoder::new(payload)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            zstd::Decoder::new(body).and_then(|decoder| read(decoder.single_frame()))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0] => read(lzma_rust2::XzReader::new(body, false)),
        // The properties of every LZMA file that the tools write, and a dictionary of whole 4 KiB.
        [0x5d, 0x00, 0x00, ..] => {
            lzma_rust2::LzmaReader::new_mem_limit(body, LARGEST_DICTIONARY, None).and_then(read)
        }
        [b'B', b'Z', b'h', ..] => read(bzip2::read::BzDecoder::new(body)),
        [0x04, 0x22, 0x4d, 0x18, ..] => read(lz4_flex::frame::FrameDecoder::new(body)),
        [0x02, 0x21, 0x4c, 0x18, ..] => lz4_legacy(&body[4..]),
        [0x89, b'L', b'Z', b'O', ..] => return Err(Error::Lzo),
        _ => {
            return Err(Error::UnknownCompression {
                magic: magic.try_into().unwrap_or_default(),
            });
        }
    };
    done.map_err(Error::Decompress)
}

fn read(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// LZ4's legacy frame: blocks of at most 8 MiB, each behind its compressed length (doc/lz4_Frame_format.md, "Legacy
/// frame"). The frame crate reads the current format only.
fn lz4_legacy(mut blocks: &[u8]) -> io::Result<Vec<u8>> {
    const BLOCK: usize = 8 << 20;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "a broken LZ4 block");
    let mut out = Vec::new();
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (block, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
        let begin = out.len();
        out.resize(begin + BLOCK, 0);
        let written =
            lz4_flex::block::decompress_into(block, &mut out[begin..]).map_err(io::Error::other)?;
        out.truncate(begin + written);
        blocks = rest;
    }
    Ok(out)
}
