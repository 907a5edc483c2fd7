//! Inode records (kernel documentation, "Index Nodes").

use super::attributes::INODE_AT;
use super::checksum::Seed;
use super::encode::{high32, low32, put16, put32};
use super::layout::{BLOCK, INODE, INODE_EXTRA};
use super::tree::{Meta, Special, Time};

/// Type bits of `i_mode` (inode(7)).
pub const DIRECTORY: u16 = 0o040_000;
pub const FILE: u16 = 0o100_000;
pub const SYMLINK: u16 = 0o120_000;

/// `i_flags`: the block map is an extent tree.
pub const EXTENTS: u32 = 0x8_0000;

/// What a record is made from.
pub struct Record {
    /// Type and permission bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub links: u16,
    pub size: u64,
    /// Blocks the inode owns: data, extent tree and attributes.
    pub blocks: u64,
    pub flags: u32,
    /// The extent tree's root, a short symbolic link or a device number.
    pub map: [u8; 60],
    /// Block of extended attributes, 0 when there is none.
    pub attribute_block: u64,
    /// What stands in the inode from [`INODE_AT`] on.
    pub attributes: Vec<u8>,
}

impl Record {
    /// A record with nothing in it but owner, mode and time.
    pub fn new(kind: u16, meta: &Meta) -> Record {
        Record {
            mode: kind | (meta.mode & 0o7777),
            uid: meta.uid,
            gid: meta.gid,
            mtime: meta.mtime,
            links: 1,
            size: 0,
            blocks: 0,
            flags: 0,
            map: [0; 60],
            attribute_block: 0,
            attributes: Vec::new(),
        }
    }

    /// The record of inode `number`.
    pub fn encode(&self, number: u32, seed: Seed) -> [u8; INODE] {
        let mut r = [0; INODE];
        let (seconds, extra) = encode_time(self.mtime);
        put16(&mut r, 0x00, self.mode);
        put16(&mut r, 0x02, self.uid as u16);
        put32(&mut r, 0x04, low32(self.size));
        for at in [0x08, 0x0C, 0x10, 0x90] {
            put32(&mut r, at, seconds);
        }
        for at in [0x84, 0x88, 0x8C, 0x94] {
            put32(&mut r, at, extra);
        }
        put16(&mut r, 0x18, self.gid as u16);
        put16(&mut r, 0x1A, self.links);
        let sectors = self.blocks * (BLOCK as u64 / 512);
        put32(&mut r, 0x1C, low32(sectors));
        put16(&mut r, 0x74, high32(sectors) as u16);
        put32(&mut r, 0x20, self.flags);
        r[0x28..0x28 + 60].copy_from_slice(&self.map);
        put32(&mut r, 0x68, low32(self.attribute_block));
        put16(&mut r, 0x76, high32(self.attribute_block) as u16);
        put32(&mut r, 0x6C, high32(self.size));
        put16(&mut r, 0x78, (self.uid >> 16) as u16);
        put16(&mut r, 0x7A, (self.gid >> 16) as u16);
        put16(&mut r, 0x80, INODE_EXTRA);
        r[INODE_AT..INODE_AT + self.attributes.len()].copy_from_slice(&self.attributes);
        let checksum = seed.inode(number).over(&r);
        put16(&mut r, 0x7C, checksum as u16);
        put16(&mut r, 0x82, (checksum >> 16) as u16);
        r
    }
}

/// Seconds and the field that holds nanoseconds and two more bits of seconds ("Inode Timestamps"). Times beyond
/// what 34 bits hold (1901 to 2446) become the nearest that can be held.
fn encode_time(time: Time) -> (u32, u32) {
    let seconds = time
        .seconds
        .clamp(i64::from(i32::MIN), i64::from(i32::MIN) + (1 << 34) - 1);
    let epoch = ((seconds - i64::from(seconds as i32)) >> 32) as u32 & 3;
    (
        seconds as u32,
        epoch | time.nanoseconds.min(999_999_999) << 2,
    )
}

/// Type bits and device number of a special file, as `i_mode` and the block map hold them.
pub fn special(kind: Special) -> (u16, [u8; 60]) {
    let mut map = [0; 60];
    let (mode, device) = match kind {
        Special::Character { major, minor } => (0o020_000, Some((major, minor))),
        Special::Block { major, minor } => (0o060_000, Some((major, minor))),
        Special::Fifo => (0o010_000, None),
    };
    // The old form where it fits, as the kernel does (old_valid_dev, new_encode_dev).
    match device {
        Some((major, minor)) if major < 256 && minor < 256 => {
            put32(&mut map, 0, major << 8 | minor);
        }
        Some((major, minor)) => put32(
            &mut map,
            4,
            (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12,
        ),
        None => {}
    }
    (mode, map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_34_bits_and_nanoseconds() {
        let time = |seconds, nanoseconds| {
            encode_time(Time {
                seconds,
                nanoseconds,
            })
        };
        assert_eq!(time(0, 5), (0, 20));
        assert_eq!(time(-1, 0), (u32::MAX, 0));
        assert_eq!(time(1 << 31, 0), (0x8000_0000, 1));
        assert_eq!(time(1 << 32, 0), (0, 1));
        assert_eq!(time(i64::MAX, 0), (0x7fff_ffff, 3));
    }
}
