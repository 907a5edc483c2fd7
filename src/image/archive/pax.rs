//! PAX extended header records: `LENGTH KEY=VALUE\n`, where the length counts itself and the value may hold any byte.

use std::collections::{BTreeMap, HashSet};

use super::{Error, malformed};
use crate::image::ext4::{Attribute, Time};

const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

/// The records before one entry, in order.
#[derive(Clone, Debug, Default)]
pub struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    /// Takes an extended header apart.
    pub fn parse(bytes: Vec<u8>) -> Result<Records, Error> {
        let bad = || malformed("an extended header has a bad record");
        let mut records = Vec::new();
        let mut rest = bytes.as_slice();
        // Some writers pad with zeros.
        while rest.first().is_some_and(|b| *b != 0) {
            let space = rest.iter().position(|b| *b == b' ').ok_or_else(bad)?;
            let length: usize = (std::str::from_utf8(&rest[..space]).ok())
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(bad)?;
            if length <= space + 1 || length > rest.len() || rest[length - 1] != b'\n' {
                return Err(bad());
            }
            let record = &rest[space + 1..length - 1];
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
            records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
            rest = &rest[length..];
        }
        Ok(Records(records))
    }

    /// Takes over newer records of a global header.
    pub fn replace_with(&mut self, newer: Records) {
        let keys: HashSet<&[u8]> = newer.iter().map(|(key, _)| key).collect();
        self.0.retain(|(key, _)| !keys.contains(key.as_slice()));
        self.0.extend(newer.0);
    }

    /// Bytes in all keys and values.
    pub fn size(&self) -> usize {
        self.iter()
            .map(|(key, value)| key.len() + value.len())
            .sum()
    }

    /// Adds what a global header says and these records do not.
    pub fn default_to(&mut self, global: &Records) {
        if global.0.is_empty() {
            return;
        }
        let own: HashSet<&[u8]> = self.iter().map(|(key, _)| key).collect();
        let missing = global.0.iter();
        let missing: Vec<_> = missing
            .filter(|(key, _)| !own.contains(key.as_slice()))
            .cloned()
            .collect();
        self.0.extend(missing);
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// The last value of `key`; an empty one takes the record back (POSIX).
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.iter()
            .filter(|(k, _)| *k == key)
            .last()
            .map(|(_, value)| value)
    }

    /// The value of `key`.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.get(key.as_bytes())
            .filter(|v| !v.is_empty())
            .map(<[u8]>::to_vec)
    }

    /// The value of `key` as a number.
    pub fn number(&self, key: &str) -> Result<Option<u64>, Error> {
        match self.bytes(key) {
            None => Ok(None),
            Some(value) => number(&value).map(Some),
        }
    }

    /// The value of `key` as a moment: `[-]SECONDS[.FRACTION]`.
    pub fn time(&self, key: &str) -> Result<Option<Time>, Error> {
        let Some(value) = self.bytes(key) else {
            return Ok(None);
        };
        let bad = || malformed("a time is not a number");
        let text = std::str::from_utf8(&value).map_err(|_| bad())?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = whole.parse().map_err(|_| bad())?;
        if !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let nanoseconds = (fraction.bytes().chain(std::iter::repeat(b'0')).take(9))
            .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        // The fraction points away from zero; the nanoseconds of a timestamp always point forwards.
        Ok(Some(if whole.starts_with('-') && nanoseconds > 0 {
            Time {
                seconds: seconds.checked_sub(1).ok_or_else(bad)?,
                nanoseconds: 1_000_000_000 - nanoseconds,
            }
        } else {
            Time {
                seconds,
                nanoseconds,
            }
        }))
    }

    /// The extended attributes.
    pub fn attributes(&self) -> Vec<Attribute> {
        let found = self
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(ATTRIBUTE)?, value)));
        // The last value of a name counts.
        let last: BTreeMap<&[u8], &[u8]> = found.collect();
        let attribute = |(name, value): (&[u8], &[u8])| Attribute {
            name: name.to_vec(),
            value: value.to_vec(),
        };
        last.into_iter().map(attribute).collect()
    }
}

/// A decimal number.
pub fn number(text: &[u8]) -> Result<u64, Error> {
    (std::str::from_utf8(text).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| malformed("a record is not a number"))
}
