//! A data directory on a file system of its own that can be filled: in mounts that only the test sees.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::statvfs;

use super::lab::Lab;
use super::left;

/// What the file system is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// In memory.
    Tmpfs,
    /// On a loop device, without blocks that only root may have.
    Ext4,
}

/// A lab whose data directory is on a disk of its own.
#[derive(Debug)]
pub struct SmallDisk {
    pub lab: Lab,
    filler: PathBuf,
}

/// Does `work` with such a lab, on a thread with mounts of its own, which end with it.
pub fn on_small_disk(kind: Kind, mib: u64, work: impl FnOnce(&SmallDisk) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        // What is mounted elsewhere is seen here, and nothing the other way round.
        let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
        let mut lab = Lab::on(|data| make(kind, mib, data));
        // Else little would be written before it is refused.
        lab.set("SISTEMO_MIN_DISK_FREE", "1b");
        let filler = lab.data_dir().join("filler");
        work(&SmallDisk { lab, filler });
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn make(kind: Kind, mib: u64, data: &Path) {
    match kind {
        Kind::Tmpfs => {
            let size = format!("size={mib}m,mode=700");
            let no = MsFlags::empty();
            mount(Some("test"), data, Some("tmpfs"), no, Some(size.as_str())).unwrap();
        }
        Kind::Ext4 => {
            let disk = data.with_file_name("disk.img");
            File::create(&disk).unwrap().set_len(mib << 20).unwrap();
            let (disk, data) = (disk.display(), data.display());
            left::output(&format!("mkfs.ext4 -q -m 0 {disk}"));
            left::output(&format!("mount -o loop {disk} {data}"));
            left::output(&format!("rmdir {data}/lost+found"));
        }
    }
}

impl SmallDisk {
    /// Fills the disk until so many bytes are left.
    pub fn leave(&self, bytes: u64) {
        self.empty();
        let free = self.free();
        let filler = File::create(&self.filler).unwrap();
        let mut length = free.saturating_sub(bytes).cast_signed();
        if length > 0 {
            // The file system needs a few blocks to keep account of those of the file.
            let _ = fallocate(&filler, FallocateFlags::empty(), 0, length);
        }
        while self.free() < bytes && length > 0 {
            length -= 4096;
            filler.set_len(length.max(0).cast_unsigned()).unwrap();
        }
    }

    /// Takes away what fills it.
    pub fn empty(&self) {
        if let Ok(filler) = File::options().write(true).open(&self.filler) {
            // A child of another test that is about to become its program may still hold the file.
            filler.set_len(0).unwrap();
            std::fs::remove_file(&self.filler).unwrap();
        }
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let stat = statvfs(&self.lab.data_dir()).unwrap();
        stat.blocks_available() * stat.fragment_size()
    }
}
