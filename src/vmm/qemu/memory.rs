//! What the memory of a machine under QEMU is made of, and its file in a saved state.
//!
//! Under software emulation it is shared, if the hypervisor is contained: a file in memory, behind the enclosure's root
//! ([`contain::MEMORY`]). A saved state has a copy of it in a file of its own then, with holes where there was nothing, and
//! a machine that goes on from there maps that file for itself alone: it is there at once however large it is, and what
//! its guest does not touch takes none of the host's memory. Such a machine's memory is no file's as a whole, so its own
//! states have it in QEMU's stream, page by page, as those of any other machine.
//!
//! With KVM memory is the kernel's to make: its large pages are worth more to a guest that runs than a fast start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::qmp::Qmp;
use crate::host::{space, sparse, untrusted};
use crate::value::ByteSize;
use crate::vmm::accelerator::Accelerator;
use crate::vmm::error::Error;
use crate::vmm::process::{Process, State};
use crate::vmm::{LaunchSpec, contain};

/// The name that QEMU has it by: the one that it has when nobody names it (`default_ram_id` in hw/i386/microvm.c), since
/// states are loaded by that name.
pub(super) const NAME: &str = "microvm.ram";
/// The file in a state's folder, and that of a machine in its run directory.
const FILE: &str = "memory";
/// How much is read at once, and what is left out when there is nothing in it: a page. In bytes.
const PIECE: usize = 1 << 20;
const PAGE: usize = 4 << 10;

/// What a machine's memory is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// Of what the kernel has, as QEMU makes it by itself.
    Anonymous,
    /// Of a file in memory, which can be read from outside.
    Shared,
    /// Of this file, as long as the guest has not written to it.
    Mapped(PathBuf),
}

impl Memory {
    /// For a machine that is about to be launched. A state whose file others need as well has it copied.
    pub(super) async fn of(spec: &LaunchSpec) -> Result<Memory, Error> {
        let Some(restore) = &spec.restore else {
            return Ok(match (spec.accelerator, spec.owner) {
                (Accelerator::Tcg, Some(_)) => Memory::Shared,
                _ => Memory::Anonymous,
            });
        };
        if !is_apart(&restore.folder) {
            return Ok(Memory::Anonymous);
        }
        let saved = file(&restore.folder);
        if restore.is_last {
            return Ok(Memory::Mapped(saved));
        }
        // It is opened for writing, and a hypervisor that was taken over would write.
        let own = file(&spec.run_dir);
        let (from, to) = (saved, own.clone());
        // Whoever waits for it may go.
        let cancel = CancellationToken::new();
        let _gone = cancel.clone().drop_guard();
        let copied = tokio::task::spawn_blocking(move || duplicate(&from, &to, &cancel)).await;
        let copied = copied.unwrap_or_else(|join| Err(io::Error::other(join)));
        copied.map_err(failed("copy the memory to", &own))?;
        Ok(Memory::Mapped(own))
    }

    /// The file that is mapped.
    pub(super) fn mapped(&self) -> Option<&Path> {
        match self {
            Memory::Mapped(path) => Some(path),
            _ => None,
        }
    }

    /// The object that QEMU makes of it, unless it makes its own.
    pub(super) fn object(&self, size: ByteSize) -> Result<Option<Value>, Error> {
        let (path, share) = match self {
            Memory::Anonymous => return Ok(None),
            Memory::Shared => (Path::new(contain::MEMORY), true),
            Memory::Mapped(path) => (&**path, false),
        };
        let path = path
            .to_str()
            .ok_or_else(|| Error::Unfit(format!("the path {} is not UTF-8", path.display())))?;
        Ok(Some(json!({
            "qom-type": "memory-backend-file",
            "id": NAME,
            "size": size.mib_up() << 20,
            "mem-path": path,
            "share": share,
        })))
    }
}

/// The file of memory in a state's folder, or of a machine's in its run directory.
fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Whether a state has its memory in a file.
pub(super) fn is_apart(folder: &Path) -> bool {
    file(folder).is_file()
}

/// How much of the disk a machine takes to go on from the state in that folder, beside its own disks, if others may as
/// well. In bytes; nothing where blocks can be shared, which is not known beforehand.
pub fn copied_to_load(folder: &Path) -> u64 {
    space::used(&file(folder))
}

/// Removes the copy that a machine had for itself: whoever maps it keeps it.
///
/// # Errors
///
/// As `unlink(2)`; that it is not there is none.
pub fn tidy(run_dir: &Path) -> Result<(), Error> {
    let path = file(run_dir);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(failed("tidy", &path)(source))
        }
        _ => Ok(()),
    }
}

/// A copy in this run directory that is removed in the end, however that comes.
pub(super) struct Passing<'a>(pub(super) &'a Path);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        // The next launch, and whoever sees the machine off, tries again.
        let _ = tidy(self.0);
    }
}

/// The memory of the QEMU at the other end, which is `process`, if it is a file that this program can read.
pub(super) async fn shared(
    qmp: &mut Qmp,
    process: &Process,
    act: &'static str,
) -> Result<Option<File>, Error> {
    let share = json!({ "path": format!("/objects/{NAME}"), "property": "share" });
    match qmp.execute_with("qom-get", share, act).await {
        Ok(Value::Bool(true)) => {}
        // There is no such object in a QEMU that makes its own.
        Ok(_) | Err(Error::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    let path = PathBuf::from(format!("/proc/{}/root{}", process.pid, contain::MEMORY));
    let file = match untrusted::open(&path) {
        // Who may not look into another process (CAP_SYS_PTRACE) has QEMU write it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        file => file.map_err(failed("read", &path))?,
    };
    // Opened first and proved second: a number may be another process's by then.
    match process.current_state().map_err(failed("read", &path))? {
        State::Alive => Ok(Some(file)),
        State::Dead => Err(failed("read", &path)(io::ErrorKind::NotFound.into())),
    }
}

/// Copies the memory of a machine that is held still to a new file in `folder`.
pub(super) async fn save(memory: File, folder: &Path) -> Result<(), Error> {
    let path = file(folder);
    let length = size(&memory).map_err(failed("read", &path))?;
    let to = create(&path).map_err(failed("write", &path))?;
    let cancel = CancellationToken::new();
    let _gone = cancel.clone().drop_guard();
    let copied = tokio::task::spawn_blocking(move || copy(&memory, &to, length, &cancel)).await;
    let copied = copied.unwrap_or_else(|join| Err(io::Error::other(join)));
    copied.map_err(failed("write", &path))
}

/// How large it is: as its file system, which is not its hypervisor's to change. One that has it otherwise is not followed.
fn size(memory: &File) -> io::Result<u64> {
    let system = nix::sys::statvfs::fstatvfs(memory)?;
    let size = system.blocks() * system.fragment_size();
    let facts = memory.metadata()?;
    match facts.is_file() && facts.len() == size {
        true => Ok(size),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn failed(act: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::RunDir {
        act,
        path: path.clone(),
        source,
    }
}

/// Makes a file of what another has: its blocks, where the file system can share them, or copies.
fn duplicate(from: &Path, to: &Path, cancel: &CancellationToken) -> io::Result<()> {
    let (from, to) = (File::open(from)?, create(to)?);
    match sparse::share(&from, &to) {
        Ok(()) => Ok(()),
        Err(_) => copy(&from, &to, from.metadata()?.len(), cancel),
    }
}

/// A new file for nobody else.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Copies what is there and is not all zeros, to a file that is as long in the end. The other is a hypervisor's, which may
/// change it meanwhile.
fn copy(from: &File, to: &File, length: u64, cancel: &CancellationToken) -> io::Result<()> {
    to.set_len(length)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while let Some(data) = sparse::data(from, at, length)? {
        at = data.start;
        while at < data.end {
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let wanted = usize::try_from(data.end - at).unwrap_or(PIECE).min(PIECE);
            let count = from.read_at(&mut piece[..wanted], at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            write_pages(to, &piece[..count], at)?;
            at += count as u64;
        }
    }
    Ok(())
}

/// Writes the pages of `piece` that are not all zeros, neighbours at once.
fn write_pages(to: &File, piece: &[u8], at: u64) -> io::Result<()> {
    const ZEROS: [u8; PAGE] = [0; PAGE];
    // As one comparison, which the C library is fast at.
    let pages = piece.chunks(PAGE);
    let pages: Vec<_> = pages
        .map(|page| (page.len(), page == &ZEROS[..page.len()]))
        .collect();
    let mut begin = 0;
    for run in pages.chunk_by(|a, b| a.1 == b.1) {
        let end = begin + run.iter().map(|(length, _)| length).sum::<usize>();
        if !run[0].1 {
            to.write_all_at(&piece[begin..end], at + begin as u64)?;
        }
        begin = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_is_the_same_and_has_holes_for_zeros() {
        let memory = tempfile::tempfile_in("/dev/shm").unwrap();
        let size = 16_u64 << 20;
        memory.set_len(size).unwrap();
        // Untouched, zeros, single pages, a run over the border of pieces, the end.
        memory.write_all_at(&[0; 3 * PAGE], 0).unwrap();
        memory.write_all_at(&[1; 10], 5 * PAGE as u64 + 7).unwrap();
        let border = 4 * PIECE as u64;
        memory
            .write_all_at(&[2; 4 * PAGE], border - 2 * PAGE as u64)
            .unwrap();
        memory.write_all_at(b"end", size - 3).unwrap();
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = folder.path().join("copy");
        let (to, cancel) = (File::create(&path).unwrap(), CancellationToken::new());
        copy(&memory, &to, size, &cancel).unwrap();
        let mut whole = vec![0; usize::try_from(size).unwrap()];
        memory.read_exact_at(&mut whole, 0).unwrap();
        assert!(fs::read(&path).unwrap() == whole);
        let taken = path.metadata().unwrap().blocks() * 512;
        assert!(taken <= 16 * PAGE as u64, "{taken}");
        // No more than that, whatever is there; and no more at all once nobody waits.
        copy(&memory, &to, border, &cancel).unwrap();
        assert_eq!(path.metadata().unwrap().len(), border);
        cancel.cancel();
        assert!(copy(&memory, &to, size, &cancel).is_err());
        // A file system of another size than its file.
        assert!(super::size(&memory).is_err());
    }
}
