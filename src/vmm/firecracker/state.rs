//! A machine's state: held still, written to files, loaded from them.
//!
//! ```text
//!            pause             save                         load
//!   running ───────► paused ─────────► paused      nothing ──────► running
//!      ▲               │ resume           │
//!      └───────────────┴──────────────────┘
//! ```
//!
//! Firecracker makes the files itself and may see no folder but its own, so they come to be there, beside its socket, and
//! are moved to where they are kept. A state names the disks by the paths that they were given, so these are names in the
//! working directory (docs/snapshotting/snapshot-support.md in Firecracker's source): whoever loads the state has links
//! of the same names to disks of its own. Memory is mapped from its file, which may be removed, but not written to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::body::VmState;
use super::client::Client;
use super::plan::Call;
use crate::host::untrusted;
use crate::vmm::error::Error;

/// How long saving may take. It is as fast as the disk; this is for 64 GiB on a slow one.
const MOVING: Duration = Duration::from_secs(15 * 60);

/// The files of a state, by their names in any folder: devices and processors, memory.
pub(super) const FILES: [&str; 2] = ["snapshot.state", "snapshot.memory"];

/// The files of a state in `folder`.
pub(super) fn files(folder: &Path) -> [PathBuf; 2] {
    FILES.map(|name| folder.join(name))
}

/// Holds the processors still.
pub(super) async fn pause(client: &mut Client) -> Result<(), Error> {
    client.call(&Call::vm(VmState::Paused)?).await
}

/// Goes on. It is answered after what is under way, which is a saving when whoever asked for that was killed.
/// What that was making in `run_dir` goes.
pub(super) async fn resume(client: &mut Client, run_dir: &Path) -> Result<(), Error> {
    let call = Call::vm(VmState::Resumed)?;
    client.call_within(&call, MOVING).await?;
    clear(run_dir)
}

/// Writes the state of a paused machine to `run_dir`, and moves it to `folder`.
pub(super) async fn save(client: &mut Client, run_dir: &Path, folder: &Path) -> Result<(), Error> {
    clear(run_dir)?;
    let written = client.call_within(&Call::save(FILES)?, MOVING).await;
    let kept = written.and_then(|()| keep(run_dir, folder));
    if kept.is_err() {
        clear(run_dir)?;
    }
    kept
}

/// Refuses to save what the same Firecracker could not load: memory is mapped from its file, which pages of hugetlbfs
/// cannot be (src/vmm/src/persist.rs in Firecracker's source). The answer comes after what is under way, as in [`resume`].
pub(super) async fn check(client: &mut Client) -> Result<(), Error> {
    if !client.machine_config(MOVING).await?.is_of_hugetlbfs() {
        return Ok(());
    }
    let version = client.version().await?;
    match version.features().other_huge_pages_on_load {
        true => Ok(()),
        false => Err(Error::NotLoadable { version }),
    }
}

/// Removes what a saving that was cut short left.
fn clear(run_dir: &Path) -> Result<(), Error> {
    for path in files(run_dir) {
        super::remove(&path).map_err(|source| Error::RunDir {
            act: "tidy",
            path,
            source,
        })?;
    }
    Ok(())
}

fn keep(run_dir: &Path, folder: &Path) -> Result<(), Error> {
    for (from, to) in files(run_dir).iter().zip(files(folder)) {
        take(from, &to).map_err(|source| Error::RunDir {
            act: "keep",
            path: to.clone(),
            source,
        })?;
    }
    Ok(())
}

/// Moves a file that Firecracker has made, makes it this program's, and has it outlast a loss of power. What is no file
/// is refused: it was made by whoever is on the other side.
pub(super) fn take(from: &Path, to: &Path) -> io::Result<()> {
    let file = untrusted::open(from)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    fchown(&file, Some(user.as_raw()), Some(group.as_raw()))?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let mut copy = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(to)?;
            io::copy(&mut &file, &mut copy)?;
            copy.sync_all()?;
            fs::remove_file(from)
        }
        moved => moved.and_then(|()| file.sync_all()),
    }
}
