//! Everything up to the process, and what is to be called then.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

use nix::sys::stat::Mode;

use super::await_socket::Arrival;
use super::metrics::METRICS;
use super::plan::{self, Circumstances};
use super::{Begun, CONTROL, Firecracker, LOG, Version, disk_locks, io_engine, own_folder, state};
use crate::vmm::contain::Access;
use crate::vmm::error::Error;
use crate::vmm::launch::{enclosed, namespace};
use crate::vmm::run_dir::RunDir;
use crate::vmm::spawn::{Spawn, spawn};
use crate::vmm::{LaunchSpec, console, strays};

impl Firecracker {
    pub(super) fn begin(&self, spec: &LaunchSpec, version: Version) -> Result<Begun, Error> {
        let run_dir = RunDir::prepare(&spec.run_dir)?;
        let folder = own_folder(&spec.run_dir);
        let fail = |act| {
            let path = folder.clone();
            move |source| Error::RunDir { act, path, source }
        };
        let namespace = namespace(spec)?;
        let lock = run_dir.lock()?;
        let (log, metrics) = (folder.join(LOG), folder.join(METRICS));
        let calls = plan::calls(
            spec,
            &Circumstances {
                version,
                io_engine: io_engine::best(version.features(), spec.owner.is_some()),
                metrics: &metrics,
            },
        )?;
        let mut keep: Vec<OwnedFd> = disk_locks::take(&spec.disks)?;
        keep.push(lock.into());
        let console = console::begin(&spec.console).map_err(|source| Error::RunDir {
            act: "begin the console log",
            path: spec.console.clone(),
            source,
        })?;
        let output = run_dir.output()?;
        anew(&folder).map_err(fail("make the directory"))?;
        // Firecracker opens both and makes neither.
        (OpenOptions::new().create_new(true).write(true))
            .mode(0o600)
            .open(&log)
            .map_err(fail("begin a log in"))?;
        nix::unistd::mkfifo(&metrics, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| fail("make a pipe in")(errno.into()))?;
        for (index, disk) in spec.disks.iter().enumerate() {
            symlink(&disk.path, folder.join(plan::link(index))).map_err(fail("link a disk in"))?;
        }
        let own = [&folder, &log, &metrics].map(|path| (path.clone(), Access::Writable));
        let loaded = (spec.restore.iter())
            .flat_map(|restore| state::files(&restore.folder))
            .map(|path| (path, Access::Shared));
        let more = own.into_iter().chain(loaded).collect();
        let (program, enclosure) = enclosed(spec, self.program(), &[], more)?;
        let own = RunDir::open(&folder).map_err(fail("open the directory"))?;
        let arrival = Arrival::watch(&folder).map_err(fail("watch"))?;
        let process = spawn(Spawn {
            program: &program,
            directory: &folder,
            arguments: arguments(&spec.machine),
            namespace: namespace.as_ref(),
            output,
            console: Some(console),
            keep,
            enclosure,
        })
        .map_err(|source| Error::not_started(self.program(), source))?;
        Ok(Begun {
            process,
            run_dir,
            own,
            arrival,
            calls,
        })
    }
}

/// Has the folder be there and empty, whatever the last hypervisor has left in it.
fn anew(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(folder)
}

/// The command line. Everything else is said over the socket, whose path may not be long (unix(7)): like the log's, it is
/// a name in the working directory.
pub(super) fn arguments(machine: &str) -> Vec<OsString> {
    let id = strays::marker(machine);
    let words = [
        ("--id", id.as_str()),
        ("--api-sock", CONTROL),
        // What it says before it can be told anything; at this level it also says when it listens.
        ("--log-path", LOG),
        ("--level", "Info"),
    ];
    (words.into_iter())
        .flat_map(|(name, value)| [name.into(), value.into()])
        .collect()
}
