//! Little-endian fields at fixed offsets.

/// Puts a 16-bit field at `at`.
pub fn put16(record: &mut [u8], at: usize, value: u16) {
    record[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

/// Puts a 32-bit field at `at`.
pub fn put32(record: &mut [u8], at: usize, value: u32) {
    record[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// The low 32 bits.
pub fn low32(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

/// The high 32 bits.
pub fn high32(value: u64) -> u32 {
    (value >> 32) as u32
}
