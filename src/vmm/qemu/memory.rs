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

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use serde_json::{Value, json};

use super::qmp::Qmp;
use crate::value::ByteSize;
use crate::vmm::accelerator::Accelerator;
use crate::vmm::error::Error;
use crate::vmm::process::Process;
use crate::vmm::{LaunchSpec, contain};
use crate::volume;

/// The name that QEMU has it by.
pub(super) const NAME: &str = "memory";
/// The file in a state's folder, and that of a machine in its run directory.
const FILE: &str = "memory";
/// How much is read at once, and what is left out when there is nothing in it: a page. In bytes.
const PIECE: usize = 1 << 20;
const PAGE: usize = 4 << 10;

/// What a machine's memory is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// Of what the kernel has.
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
        let saved = file(&restore.folder);
        if !saved.is_file() {
            return Ok(Memory::Anonymous);
        }
        if restore.is_last {
            return Ok(Memory::Mapped(saved));
        }
        // It is opened for writing, and a hypervisor that was taken over would write.
        let own = file(&spec.run_dir);
        let (from, to, size) = (saved, own.clone(), spec.memory);
        let copied = tokio::task::spawn_blocking(move || {
            volume::clone_image(&from, &to, size, &|_| {}, &|| false)
        });
        let copied = copied.await.map_err(io::Error::other);
        let copied = copied.and_then(|copied| copied.map_err(io::Error::other));
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

    /// The object that QEMU makes of it; with KVM it makes its own.
    pub(super) fn object(
        &self,
        size: ByteSize,
        accelerator: Accelerator,
    ) -> Result<Option<Value>, Error> {
        let size = size.mib_up() << 20;
        let of_file = |path: &Path, share: bool| {
            let path = path
                .to_str()
                .ok_or_else(|| Error::Unfit(format!("the path {} is not UTF-8", path.display())))?;
            Ok::<Value, Error>(json!({
                "qom-type": "memory-backend-file",
                "id": NAME,
                "size": size,
                "mem-path": path,
                "share": share,
            }))
        };
        Ok(match (self, accelerator) {
            (Memory::Anonymous, Accelerator::Kvm) => None,
            // It has to have the same name in all states.
            (Memory::Anonymous, Accelerator::Tcg) => Some(json!({
                "qom-type": "memory-backend-ram",
                "id": NAME,
                "size": size,
            })),
            (Memory::Shared, _) => Some(of_file(Path::new(contain::MEMORY), true)?),
            (Memory::Mapped(path), _) => Some(of_file(path, false)?),
        })
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

/// Removes the copy that a machine had for itself: whoever maps it keeps it.
pub(super) fn tidy(run_dir: &Path) -> Result<(), Error> {
    let path = file(run_dir);
    for path in [volume::partial(&path), path] {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("tidy", &path)(source));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the memory of the QEMU at the other end is a file that others can read.
pub(super) async fn is_shared(qmp: &mut Qmp, act: &'static str) -> Result<bool, Error> {
    let share = json!({ "path": format!("/objects/{NAME}"), "property": "share" });
    match qmp.execute_with("qom-get", share, act).await {
        Ok(shared) => Ok(shared == Value::Bool(true)),
        // There is no such object.
        Err(Error::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies the memory of a process that is held still to a new file in `folder`.
pub(super) async fn save(process: &Process, folder: &Path) -> Result<(), Error> {
    let path = file(folder);
    let from = format!("/proc/{}/root{}", process.pid, contain::MEMORY);
    let from = File::open(&from).map_err(failed("read", Path::new(&from)))?;
    let to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed("write", &path))?;
    let saved = tokio::task::spawn_blocking(move || copy(&from, &to)).await;
    let saved = saved.unwrap_or_else(|join| Err(io::Error::other(join)));
    saved.map_err(failed("write", &path))
}

fn failed(act: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::RunDir {
        act,
        path: path.clone(),
        source,
    }
}

/// Copies what is there (`SEEK_DATA` of lseek(2)) and is not all zeros, to a file that is as long in the end.
fn copy(from: &File, to: &File) -> io::Result<()> {
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        let data = match lseek(from, at.cast_signed(), Whence::SeekData) {
            Ok(data) => data.cast_unsigned(),
            Err(Errno::ENXIO) => break, // only holes follow
            Err(errno) => return Err(errno.into()),
        };
        let hole = lseek(from, data.cast_signed(), Whence::SeekHole)?.cast_unsigned();
        at = data;
        while at < hole {
            let wanted = usize::try_from(hole - at).unwrap_or(PIECE).min(PIECE);
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
    let is_zero = |page: &[u8]| page.iter().all(|byte| *byte == 0);
    let pages: Vec<&[u8]> = piece.chunks(PAGE).collect();
    let mut offset = at;
    for run in pages.chunk_by(|a, b| is_zero(a) == is_zero(b)) {
        let length = run.iter().map(|page| page.len()).sum::<usize>();
        if !is_zero(run[0]) {
            let begin = usize::try_from(offset - at).unwrap_or(0);
            to.write_all_at(&piece[begin..begin + length], offset)?;
        }
        offset += length as u64;
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
        copy(&memory, &File::create(&path).unwrap()).unwrap();
        let mut whole = vec![0; usize::try_from(size).unwrap()];
        memory.read_exact_at(&mut whole, 0).unwrap();
        assert!(fs::read(&path).unwrap() == whole);
        let taken = path.metadata().unwrap().blocks() * 512;
        assert!(taken <= 16 * PAGE as u64, "{taken}");
    }
}
