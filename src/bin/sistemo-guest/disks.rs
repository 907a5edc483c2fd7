//! From what the host calls a disk to its device: by serial number, else by place.

use std::io;
use std::path::{Path, PathBuf};

use sistemo::guest::words::Disk;

use crate::uevent::Uevents;

/// Why a disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("cannot hear of devices")]
    Uevents(#[source] io::Error),
    #[error("no disk has the serial number {serial:?} or is number {index}; there are: {there}")]
    NotFound {
        serial: String,
        index: usize,
        there: String,
    },
}

/// VIRTIO 1.2 §5.2.6: a serial number is cut at this many bytes.
const SERIAL_LENGTH: usize = 20;

/// Waits for the disk; its device node.
pub fn find(disk: &Disk, uevents: &Uevents) -> Result<PathBuf, DiskError> {
    let found = uevents
        .wait_for(|| choose(disk, &list(Path::new("/sys/block"))))
        .map_err(DiskError::Uevents)?;
    let name = found.ok_or_else(|| {
        let there: Vec<_> = list(Path::new("/sys/block"))
            .into_iter()
            .map(|found| found.name)
            .collect();
        let there = if there.is_empty() {
            "none (is virtio_blk among the modules?)".into()
        } else {
            there.join(", ")
        };
        DiskError::NotFound {
            serial: disk.serial.clone(),
            index: disk.index,
            there,
        }
    })?;
    Ok(Path::new("/dev").join(name))
}

#[derive(Debug)]
pub struct Found {
    pub name: String,
    pub serial: String,
}

/// The virtio disks in the order of their names: `vda` … `vdz`, `vdaa` ….
fn list(block: &Path) -> Vec<Found> {
    let entries = std::fs::read_dir(block).into_iter().flatten().flatten();
    let mut disks: Vec<Found> = entries
        .filter_map(|entry| {
            let name = entry
                .file_name()
                .into_string()
                .ok()
                .filter(|name| name.starts_with("vd"))?;
            let serial = std::fs::read_to_string(entry.path().join("serial")).unwrap_or_default();
            Some(Found {
                name,
                serial: serial.trim_end().to_owned(),
            })
        })
        .collect();
    disks.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    disks
}

pub fn choose(disk: &Disk, disks: &[Found]) -> Option<String> {
    let wanted = disk.serial.get(..SERIAL_LENGTH).unwrap_or(&disk.serial);
    disks
        .iter()
        .find(|found| !wanted.is_empty() && found.serial == wanted)
        .or_else(|| disks.get(disk.index))
        .map(|found| found.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(serial: &str, index: usize) -> Disk {
        Disk {
            serial: serial.into(),
            index,
            read_only: false,
        }
    }

    #[test]
    fn the_serial_number_goes_before_the_place() {
        let dir = tempfile::tempdir().unwrap();
        for (name, serial) in [
            ("vda", "data"),
            ("vdb", "root\n"),
            ("vdaa", ""),
            ("loop0", "root"),
            ("vdz", "x"),
        ] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("serial"), serial).unwrap();
        }
        let disks = list(dir.path());
        let names: Vec<_> = disks.iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(names, ["vda", "vdb", "vdz", "vdaa"]);
        assert_eq!(choose(&disk("root", 0), &disks).as_deref(), Some("vdb"));
        assert_eq!(choose(&disk("unknown", 2), &disks).as_deref(), Some("vdz"));
        assert_eq!(choose(&disk("", 3), &disks).as_deref(), Some("vdaa"));
        assert_eq!(choose(&disk("unknown", 9), &disks), None);
    }

    #[test]
    fn a_long_serial_number_is_compared_as_far_as_virtio_carries_it() {
        let disks = [Found {
            name: "vda".into(),
            serial: "0123456789abcdefghij".into(),
        }];
        assert_eq!(
            choose(&disk("0123456789abcdefghijKLM", 7), &disks).as_deref(),
            Some("vda")
        );
    }
}
