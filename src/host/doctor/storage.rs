//! Whether the data directory can be written, holds what it is told to, and has room; and its database is sound.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::Check;
use crate::host::sparse;
use crate::store::Store;
use crate::value::ByteSize;

/// Writes a file, waits until it is on the disk, reads it back, and removes it.
pub(super) fn data_directory(path: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = path.display();
    if !path.is_dir() {
        return Check::bad(NAME, format!("{shown} does not exist"), "sistemo setup");
    }
    let text = b"written by sistemo doctor";
    let round = || -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile_in(path)?;
        file.write_all(text)?;
        file.sync_all()?;
        file.rewind()?;
        let mut back = Vec::new();
        file.read_to_end(&mut back)?;
        Ok(back)
    };
    match round() {
        Ok(back) if back == text => {
            let check = Check::good(NAME, shown.to_string());
            match reflinks(path) {
                Ok(()) => check.with_remark("disks of new machines are clones that share blocks"),
                Err(_) => check.with_remark(
                    "this file system cannot share blocks, so disks of new machines are sparse copies; XFS and Btrfs can",
                ),
            }
        }
        Ok(_) => Check::bad(
            NAME,
            format!("{shown} does not give back what was written"),
            "check the disk: dmesg, smartctl",
        ),
        Err(error) => Check::bad(
            NAME,
            format!("cannot write in {shown}: {error}"),
            "check who owns it and whether its file system is full or read-only",
        ),
    }
}

fn reflinks(path: &Path) -> io::Result<()> {
    let mut from = tempfile::tempfile_in(path)?;
    from.write_all(&[1; 4096])?;
    let to: File = tempfile::tempfile_in(path)?;
    sparse::share(&from, &to)
}

/// Free space and inodes where the data directory is or will be.
pub(super) fn disk(path: &Path, least: ByteSize) -> Check {
    const NAME: &str = "disk";
    let existing = path.ancestors().find(|p| fs::metadata(p).is_ok());
    let facts = match existing.map(statvfs) {
        Some(Ok(facts)) => facts,
        Some(Err(error)) => {
            return Check::bad(
                NAME,
                format!("cannot look at it: {error}"),
                "is it mounted?",
            );
        }
        None => {
            return Check::bad(
                NAME,
                "the data directory's path does not exist",
                "sistemo setup",
            );
        }
    };
    let free = ByteSize::bytes(facts.blocks_available() * facts.fragment_size());
    let mend = format!(
        "delete machines, volumes or images that are no longer needed ({least} are to stay free), or move the data directory"
    );
    if free < least {
        return Check::bad(NAME, format!("only {free} free"), mend);
    }
    // A file system without a fixed number of inodes (Btrfs) says 0 of 0.
    if facts.files() > 0 && facts.files_available() < 1000 {
        return Check::bad(NAME, "hardly any inodes are free", mend);
    }
    Check::good(NAME, format!("{free} free"))
}

pub(super) fn database(path: &Path) -> Check {
    const NAME: &str = "database";
    if !path.exists() {
        return Check::good(NAME, "none yet: it is made with the first machine");
    }
    let mend = format!(
        "restore {} from a backup, or move it away to begin anew (disks are kept)",
        path.display()
    );
    let store = match Store::open(path) {
        Ok(store) => store,
        Err(error) => {
            return Check::bad(NAME, crate::error::Error::from(error).report(), mend);
        }
    };
    let verdict: Result<String, _> =
        (store.lock()).query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match verdict {
        Ok(text) if text == "ok" => Check::good(NAME, path.display().to_string()),
        Ok(text) => Check::bad(NAME, format!("{} is damaged: {text}", path.display()), mend),
        Err(error) => Check::bad(
            NAME,
            format!("{} is damaged: {error}", path.display()),
            mend,
        ),
    }
}
