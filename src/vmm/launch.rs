//! What launching has in common, whichever hypervisor is launched.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::LaunchSpec;
use super::contain::{Access, Enclosure};
use super::error::Error;
use super::process::Process;

/// Hypervisors run in another directory than this program, so every path is made absolute.
pub(super) fn absolute(spec: &LaunchSpec) -> Result<LaunchSpec, Error> {
    let mut spec = spec.clone();
    let own = [
        &mut spec.kernel,
        &mut spec.initramfs,
        &mut spec.console,
        &mut spec.run_dir,
    ];
    for path in own
        .into_iter()
        .chain(spec.disks.iter_mut().map(|disk| &mut disk.path))
        .chain(spec.restore.iter_mut().map(|restore| &mut restore.folder))
    {
        *path = std::path::absolute(&*path).map_err(|source| Error::RunDir {
            act: "find the way to",
            path: path.clone(),
            source,
        })?;
    }
    Ok(spec)
}

/// Opens the network namespace to enter.
pub(super) fn namespace(spec: &LaunchSpec) -> Result<Option<File>, Error> {
    let open = |path: &PathBuf| {
        File::open(path).map_err(|source| Error::Namespace {
            path: path.clone(),
            source,
        })
    };
    spec.namespace.as_ref().map(open).transpose()
}

/// The program as it is executed, and what it gets of its host when it is contained: the folders `data` that it has under
/// `share`, and `more` beside what the machine is made of.
pub(super) fn enclosed(
    spec: &LaunchSpec,
    program: &Path,
    data: &[&str],
    more: Vec<(PathBuf, Access)>,
) -> Result<(PathBuf, Option<Enclosure>), Error> {
    let Some(owner) = spec.owner else {
        return Ok((program.into(), None));
    };
    // What is not there is said to be missing, as elsewhere.
    let Ok(program) = program.canonicalize() else {
        return Err(Error::Missing {
            program: program.display().to_string(),
        });
    };
    let enclosure = Enclosure::of(spec, owner, &program, data, more)?;
    Ok((program, Some(enclosure)))
}

/// Ends a hypervisor that did not come up.
pub(super) async fn end(process: &Process) -> Result<(), Error> {
    process.kill().await.map_err(|source| Error::Process {
        act: "end",
        pid: process.pid,
        source,
    })
}

/// A socket that the runtime waits for.
pub(super) fn into_tokio(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
