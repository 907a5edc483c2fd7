//! Extended attributes, in the inode where they fit, else in a block of their own (kernel documentation, "Extended
//! Attributes").

use super::Error;
use super::checksum::Seed;
use super::encode::{put16, put32};
use super::layout::{BLOCK, INODE, INODE_EXTRA, NAME_MAX};
use super::tree::{Attribute, Meta};

const MAGIC: u32 = 0xEA02_0000;
/// Where attributes begin in an inode, after the magic number.
pub const INODE_AT: usize = 128 + INODE_EXTRA as usize;
const INODE_ROOM: usize = INODE - INODE_AT - 4;
const BLOCK_HEADER: usize = 32;

const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

/// Where the attributes of a node went.
pub enum Place {
    /// There are none.
    Nowhere,
    /// In the inode: what stands from [`INODE_AT`] on.
    Inode(Vec<u8>),
    /// In a block, which still lacks its checksum (it depends on where the block lies).
    Block(Vec<u8>),
}

struct Entry<'a> {
    index: u8,
    name: &'a [u8],
    value: Vec<u8>,
}

impl Entry<'_> {
    fn head(&self) -> usize {
        (16 + self.name.len()).next_multiple_of(4)
    }

    fn body(&self) -> usize {
        self.value.len().next_multiple_of(4)
    }
}

/// Lays out the attributes of one node.
pub fn place(attributes: &[Attribute]) -> Result<Place, Error> {
    let mut entries = Vec::new();
    for attribute in attributes {
        entries.extend(entry(attribute)?);
    }
    if entries.is_empty() {
        return Ok(Place::Nowhere);
    }
    entries.sort_by(|a, b| (a.index, a.name.len(), a.name).cmp(&(b.index, b.name.len(), b.name)));
    let needed: usize = entries.iter().map(|e| e.head() + e.body()).sum::<usize>() + 4;
    if needed <= INODE_ROOM {
        let mut bytes = vec![0; 4 + INODE_ROOM];
        put32(&mut bytes, 0, MAGIC);
        fill(&mut bytes[4..], 0, &entries, false);
        Ok(Place::Inode(bytes))
    } else if needed <= BLOCK - BLOCK_HEADER {
        let mut block = vec![0; BLOCK];
        let hash = fill(&mut block, BLOCK_HEADER, &entries, true);
        put32(&mut block, 0, MAGIC);
        put32(&mut block, 4, 1); // references
        put32(&mut block, 8, 1); // blocks
        put32(&mut block, 12, hash);
        Ok(Place::Block(block))
    } else {
        Err(Error::LargeAttributes)
    }
}

/// Gives an attribute block its checksum, once it is known that it lies at block `at`.
pub fn seal(block: &mut [u8], at: u64, seed: Seed) {
    let checksum = seed.with(&at.to_le_bytes()).over(block);
    put32(block, 16, checksum);
}

/// Writes entries from `head` on and values from the end backwards; offsets count from the start of `room`. Returns
/// the hash of the block.
fn fill(room: &mut [u8], mut head: usize, entries: &[Entry<'_>], hashed: bool) -> u32 {
    let mut tail = room.len();
    let mut block_hash = 0u32;
    for entry in entries {
        tail -= entry.body();
        room[tail..tail + entry.value.len()].copy_from_slice(&entry.value);
        let hash = if hashed { hash(entry) } else { 0 };
        block_hash = block_hash.rotate_left(16) ^ hash;
        let slot = &mut room[head..];
        slot[0] = entry.name.len() as u8;
        slot[1] = entry.index;
        put16(
            slot,
            2,
            if entry.value.is_empty() {
                0
            } else {
                tail as u16
            },
        );
        put32(slot, 8, entry.value.len() as u32);
        put32(slot, 12, hash);
        slot[16..16 + entry.name.len()].copy_from_slice(entry.name);
        head += entry.head();
    }
    block_hash
}

/// `ext4_xattr_hash_entry`.
fn hash(entry: &Entry<'_>) -> u32 {
    let name = (entry.name.iter()).fold(0u32, |h, b| h.rotate_left(5) ^ u32::from(*b));
    let mut value = entry.value.clone();
    value.resize(entry.body(), 0);
    let (words, _) = value.as_chunks::<4>();
    (words.iter()).fold(name, |h, w| h.rotate_left(16) ^ u32::from_le_bytes(*w))
}

/// The name as an index and a rest. Attributes outside the name spaces that ext4 keeps are left out, as the kernel
/// would refuse them.
fn entry(attribute: &Attribute) -> Result<Option<Entry<'_>>, Error> {
    let name = attribute.name.as_slice();
    if name == ACCESS || name == DEFAULT {
        return Ok(Some(Entry {
            index: if name == ACCESS { 2 } else { 3 },
            name: b"",
            value: access_list(&attribute.value)?,
        }));
    }
    // Of `system.` only the access lists above can be set; the kernel takes `system.data` for the file's content.
    let spaces: [(&[u8], u8); 3] = [(b"user.", 1), (b"trusted.", 4), (b"security.", 6)];
    for (space, index) in spaces {
        if let Some(rest) = name.strip_prefix(space)
            && !rest.is_empty()
            && name.len() <= NAME_MAX
            && !name.contains(&0)
        {
            return Ok(Some(Entry {
                index,
                name: rest,
                value: attribute.value.clone(),
            }));
        }
    }
    Ok(None)
}

/// Tags of an access list's entries (acl(5), `linux/posix_acl.h`).
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The entries of an access list as the system call has it (version 2, 8 bytes each; `linux/posix_acl_xattr.h`).
fn access_entries(value: &[u8]) -> Result<&[[u8; 8]], Error> {
    let entries = value
        .strip_prefix(&2u32.to_le_bytes())
        .ok_or(Error::BadAccessList)?;
    let known = [USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER];
    match entries.as_chunks::<8>() {
        (entries, []) if entries.iter().all(|entry| known.contains(&tag(entry))) => Ok(entries),
        _ => Err(Error::BadAccessList),
    }
}

fn tag(entry: &[u8; 8]) -> u16 {
    u16::from_le_bytes([entry[0], entry[1]])
}

/// The form on disk: version 1, and an id only where the tag needs one (`fs/ext4/acl.h`).
fn access_list(value: &[u8]) -> Result<Vec<u8>, Error> {
    let mut disk = 1u32.to_le_bytes().to_vec();
    for entry in access_entries(value)? {
        let length = if [USER, GROUP].contains(&tag(entry)) {
            8
        } else {
            4
        };
        disk.extend_from_slice(&entry[..length]);
    }
    Ok(disk)
}

/// Refuses attributes that cannot be written, before many of them are kept in memory, and obeys the access list.
pub fn accept(meta: &mut Meta) -> Result<(), Error> {
    if meta.attributes.is_empty() {
        return Ok(());
    }
    place(&meta.attributes)?;
    obey_access_list(meta)
}

/// What the kernel does when an access list is set: the permission bits follow it, and one that says no more than
/// they do is not kept (`posix_acl_update_mode`).
fn obey_access_list(meta: &mut Meta) -> Result<(), Error> {
    let Some(at) = meta.attributes.iter().position(|a| a.name == ACCESS) else {
        return Ok(());
    };
    let entries = access_entries(&meta.attributes[at].value)?;
    let bits = |wanted| {
        let entry = entries.iter().find(|entry| tag(entry) == wanted)?;
        Some(u16::from_le_bytes([entry[2], entry[3]]) & 7)
    };
    let (user, group, other) = (bits(USER_OBJ), bits(MASK).or(bits(GROUP_OBJ)), bits(OTHER));
    let (Some(user), Some(group), Some(other)) = (user, group, other) else {
        return Err(Error::BadAccessList);
    };
    let says_more = entries
        .iter()
        .any(|entry| ![USER_OBJ, GROUP_OBJ, OTHER].contains(&tag(entry)));
    meta.mode = meta.mode & 0o7000 | user << 6 | group << 3 | other;
    if !says_more {
        meta.attributes.remove(at);
    }
    Ok(())
}
