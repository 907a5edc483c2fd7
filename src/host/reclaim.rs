//! Removing a large file without waiting until its space is free again.
//!
//! Its name is gone at once. Its blocks, and its pages in memory, take the kernel a while, and whoever closes it last
//! waits for that (unlink(2)): a process of its own does, which has nothing else to do.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tokio::process::Command;
use tokio::runtime::Handle;

use super::background::background;
use super::untrusted;

/// What is smaller is gone faster than a process begins. In bytes of the disk.
const LARGE: u64 = 32 << 20;
/// A program that ends at once.
const CLOSES: &str = "true";

/// Removes a file; its space may be free only a moment later. Where no process can be started, or without a runtime, it
/// is when this comes back.
///
/// # Errors
///
/// As `unlink(2)`.
pub fn remove(path: &Path) -> io::Result<()> {
    let file = large(path);
    fs::remove_file(path)?;
    if let Some(file) = file
        && Handle::try_current().is_ok()
    {
        // Closed here if there is no such program.
        let _ = background(&mut Command::new(CLOSES), file);
    }
    Ok(())
}

/// The file, if waiting for it is worth avoiding.
fn large(path: &Path) -> Option<File> {
    let is_large = |meta: &fs::Metadata| meta.is_file() && meta.blocks() * 512 >= LARGE;
    path.symlink_metadata().ok().filter(is_large)?;
    untrusted::open(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    use nix::mount::{MsFlags, mount};

    fn free(path: &Path) -> u64 {
        let stat = nix::sys::statvfs::statvfs(path).unwrap();
        stat.blocks_free() * stat.fragment_size()
    }

    #[tokio::test]
    async fn a_large_file_goes_and_its_space_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        // A file system that nobody else writes to, mounted for this thread alone.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let place = folder.path();
        let flags = MsFlags::empty();
        mount(Some("test"), place, Some("tmpfs"), flags, None::<&str>).unwrap();
        let before = free(place);
        let path = place.join("disk");
        let size = 2 * LARGE;
        fs::write(&path, vec![7; usize::try_from(size).unwrap()]).unwrap();
        assert!(large(&path).is_some());
        assert!(free(place) <= before - size);
        remove(&path).unwrap();
        assert!(!path.exists());
        let begun = Instant::now();
        while free(place) < before {
            assert!(begun.elapsed() < Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(remove(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn without_a_runtime_and_for_small_files_and_links_it_is_a_removal() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        remove(&link).unwrap();
        assert!(target.exists());
        remove(&target).unwrap();
        assert!(!target.exists());
    }
}
