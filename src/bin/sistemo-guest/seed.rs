//! The kernel's random numbers, after its memory has been copied: two machines that go on from one snapshot would draw
//! the same, and so would one that goes on from it twice (random(4)).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::libc;

use crate::identity;

/// Where systemd keeps randomness for the next start (systemd-random-seed.service(8)).
const KEPT: &str = "/var/lib/systemd/random-seed";

nix::ioctl_write_ptr!(add_entropy, b'R', 3, [libc::c_int; 2]);
nix::ioctl_none!(reseed, b'R', 7);

/// `struct rand_pool_info` (linux/random.h) with room for as much as the host sends.
#[repr(C)]
struct Pool {
    /// In bits.
    entropy: libc::c_int,
    /// In bytes.
    size: libc::c_int,
    bytes: [u8; MOST],
}

/// Most bytes that are taken.
const MOST: usize = 256;

/// Mixes the host's randomness in, counts it, and has everything that is drawn from now on depend on it.
pub fn mix_in(hexadecimal: &str) -> io::Result<()> {
    let bytes = decode(hexadecimal).ok_or(io::ErrorKind::InvalidData)?;
    let count = bytes.len().min(MOST);
    let mut pool = Pool {
        entropy: libc::c_int::try_from(count * 8).unwrap_or(0),
        size: libc::c_int::try_from(count).unwrap_or(0),
        bytes: [0; MOST],
    };
    pool.bytes[..count].copy_from_slice(&bytes[..count]);
    let device = File::options()
        .read(true)
        .write(true)
        .open("/dev/urandom")?;
    // SAFETY: the kernel reads the two numbers (RNDADDENTROPY's declared argument) and as many bytes behind them as the
    // second says, all of which are in `pool`.
    unsafe { add_entropy(device.as_raw_fd(), (&raw const pool).cast()) }?;
    // SAFETY: RNDRESEEDCRNG takes no argument.
    unsafe { reseed(device.as_raw_fd()) }?;
    Ok(())
}

/// Has what is kept for the next start be another's no more: it was copied as well.
pub fn renew_kept() -> io::Result<()> {
    let kept = Path::new(KEPT);
    let Ok(meta) = kept.symlink_metadata() else {
        return Ok(());
    };
    let mut seed = vec![0; usize::try_from(meta.len()).unwrap_or(0).clamp(32, 4096)];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    identity::put_bytes(kept, &seed).map_err(io::Error::other)
}

/// Bytes of the kernel's generator.
pub fn draw<const COUNT: usize>() -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Bytes as hexadecimal digits.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal digits.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_pairs() {
        assert_eq!(decode("00ff7a"), Some(vec![0, 255, 0x7a]));
        for wrong in ["", "0", "zz", "0é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
