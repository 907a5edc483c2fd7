//! Page-aligned memory that is lent to the probe's guest.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// Zeroed memory, freed when dropped.
pub(super) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the allocation belongs to this value alone and is not tied to a thread.
unsafe impl Send for Memory {}

impl Memory {
    /// Takes `size` bytes, at least one.
    pub(super) fn new(size: usize) -> std::io::Result<Self> {
        let layout = Layout::from_size_align(size.max(1), PAGE).map_err(std::io::Error::other)?;
        // SAFETY: the layout's size is not zero.
        let start =
            NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Memory { start, layout })
    }

    /// Where it begins in this process.
    pub(super) fn address(&self) -> u64 {
        self.start.as_ptr().addr() as u64
    }

    /// Copies `bytes` to `offset`; what lies past the end is left out.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        // SAFETY: the allocation is this long, zeroed, and `&mut self` makes the slice unique; the guest does not run
        // while this is called.
        let all =
            unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) };
        for (to, from) in all.iter_mut().skip(offset as usize).zip(bytes) {
            *to = *from;
        }
    }

    /// Writes a little-endian number at `offset`.
    pub(super) fn write_u64(&mut self, offset: u64, value: u64) {
        self.write(offset, &value.to_le_bytes());
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout, and nothing refers to it any longer.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
