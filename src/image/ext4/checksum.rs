//! CRC-32C as `metadata_csum` uses it: started with all ones and not inverted at the end.

/// Goes on with `crc` over `data`.
pub fn crc(crc: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!crc, data)
}

/// The seeds that a file system's checksums begin with.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u32);

impl Seed {
    /// The file system's seed.
    pub fn new(uuid: &[u8; 16]) -> Seed {
        Seed(crc(!0, uuid))
    }

    /// Checksum over `data` with the file system's seed.
    pub fn over(self, data: &[u8]) -> u32 {
        crc(self.0, data)
    }

    /// The seed of what belongs to an inode (directory blocks, extent blocks, the inode itself); generation 0.
    pub fn inode(self, number: u32) -> Seed {
        Seed(crc(crc(self.0, &number.to_le_bytes()), &0u32.to_le_bytes()))
    }

    /// Goes on with more data first.
    pub fn with(self, data: &[u8]) -> Seed {
        Seed(crc(self.0, data))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_castagnoli_polynomial() {
        // RFC 3720 B.4: 32 bytes of zeros give 0x8a9136aa (inverted at the end there).
        assert_eq!(!super::crc(!0, &[0; 32]), 0x8a91_36aa);
    }
}
