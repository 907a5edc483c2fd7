//! Archives as hostile as can be, laid over each other into an ext4 file system. Whatever they are, nothing panics and
//! nothing is asked of memory or time that the archives do not pay for; what is accepted is a file system without fault,
//! in which no name leads anywhere.
//!
//! The first byte says how the rest is to be read: as layers or as it is, with checksums made right or as they are, and
//! as one archive or as two.

#![no_main]

use std::process::{Command, Stdio};

use libfuzzer_sys::fuzz_target;
use sistemo::image::fuzzing::lay;

const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

fuzz_target!(|data: &[u8]| {
    let [how, second, archive @ ..] = data else {
        return;
    };
    let mut archive = archive.to_vec();
    if how & 2 != 0 {
        mend(&mut archive);
    }
    let cut = if how & 4 != 0 {
        (usize::from(*second) * BLOCK).min(archive.len())
    } else {
        0
    };
    let (lower, upper) = archive.split_at(cut);
    let disk = tempfile::NamedTempFile::new_in("/dev/shm").expect("room in memory");
    let file = disk.reopen().expect("the same file");
    let Ok(size) = lay(&[lower, upper], how & 1 != 0, file) else {
        return;
    };
    assert_eq!(size, disk.as_file().metadata().expect("its size").len());
    // The other program costs more than all the rest.
    if data.len() % 8 == 0 {
        let checked = Command::new("e2fsck")
            .args(["-f", "-n"])
            .arg(disk.path())
            .stdin(Stdio::null())
            .output()
            .expect("e2fsck");
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{said}");
    }
});

/// Gives every header the checksum that it should have: no mutation would.
fn mend(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = archive.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = std::str::from_utf8(&header[124..135]).unwrap_or_default();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        let Some(next) = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|size| size.checked_add(at + BLOCK))
        else {
            return;
        };
        at = next;
    }
}
