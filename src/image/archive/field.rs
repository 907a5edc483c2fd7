//! The numbers in a header.

use tar::Header;

use super::{BLOCK, Error, malformed};

/// How many bytes follow `size` bytes of data, up to a whole block.
pub(super) fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

pub(super) fn size(header: &Header) -> Result<u64, Error> {
    u64::try_from(number(&header.as_old().size)?).map_err(|_| malformed("a size is negative"))
}

/// An owner, from its record or its field; owners are 32-bit numbers in ext4.
pub(super) fn owner(record: Option<u64>, field: &[u8]) -> Result<u32, Error> {
    let owner = match record {
        Some(owner) => owner.try_into().ok(),
        None => number(field)?.try_into().ok(),
    };
    owner.ok_or_else(|| malformed("an owner is not a 32-bit number"))
}

/// A number in a header: octal digits between blanks and NULs, nothing at all for 0, or, when the first bit is set,
/// a two's complement in the other bits (GNU tar manual, "Extensions").
pub(super) fn number(field: &[u8]) -> Result<i64, Error> {
    let bad = || malformed("a field is not a number");
    if field.first().is_some_and(|b| b & 0x80 != 0) {
        let first = i64::from(field[0] & 0x7f);
        let signed = if first & 0x40 != 0 {
            first - 0x80
        } else {
            first
        };
        return field[1..].iter().try_fold(signed, |n, b| {
            n.checked_mul(256)
                .and_then(|n| n.checked_add(i64::from(*b)))
                .ok_or_else(bad)
        });
    }
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let text = std::str::from_utf8(&field[..end])
        .map_err(|_| bad())?
        .trim();
    match text {
        "" => Ok(0),
        text => i64::from_str_radix(text, 8).map_err(|_| bad()),
    }
}
