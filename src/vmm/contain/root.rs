//! The root that a hypervisor sees: a small file system in memory in which everything that it gets is mounted at the path
//! that it has on the host, so that a command line means the same inside and outside. What was not mounted is not there.
//!
//! All of it happens in namespaces of a thread's own (mount_namespaces(7), ipc_namespaces(7), uts_namespaces(7)), which
//! end with whoever is in them. The thread is of no other use afterwards.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, chown, fchown, symlink};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, mknod, umask};
use nix::unistd::{chdir, chroot, pivot_root, sethostname};

use super::enclosure::{Access, Enclosure, MEMORY};
use super::error::Error;
use crate::host::tap;

/// The folder in the file system in memory that becomes the root.
const ROOT: &str = "enclosure";

/// Something of the host's that is to be there.
struct Source {
    /// Where, without `/` in front.
    place: PathBuf,
    /// It itself, whatever becomes of its path meanwhile.
    file: OwnedFd,
    is_folder: bool,
    flags: MsFlags,
}

impl Enclosure {
    /// Moves this thread, which is in the machine's network namespace if it has one, behind the enclosure's root, and has
    /// the next process that it starts be number 1 of its own.
    pub(super) fn enter(&self, has_network: bool) -> Result<(), Error> {
        for name in &self.taps {
            tap::give(name, self.owner.number()).map_err(Error::act("give the tap away"))?;
        }
        let mut own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
        if !has_network {
            own |= CloneFlags::CLONE_NEWNET;
        }
        unshare(own).map_err(Error::act("make namespaces"))?;
        // The thread's own since it has mounts of its own.
        umask(Mode::from_bits_truncate(0o022));
        sethostname("machine").map_err(Error::act("name its host"))?;
        change(Path::new("/"), MsFlags::MS_REC | MsFlags::MS_PRIVATE)
            .map_err(Error::act("part with the host's mounts"))?;
        let sources = self.sources()?;
        memory(&self.stage, MsFlags::MS_NODEV)?;
        let stage = &self.stage.join(ROOT);
        make_folders(stage, Path::new(""))?;
        for need in &self.needs {
            link(stage, need)?;
        }
        for source in &sources {
            source.mount(stage)?;
        }
        self.make_devices(stage)?;
        if let Some(size) = self.memory {
            self.make_memory(stage, size)?;
        }
        turn(&self.stage)?;
        unshare(CloneFlags::CLONE_NEWPID).map_err(Error::act("make a process namespace"))?;
        Ok(())
    }

    /// Everything that is to be mounted, folders before what lies in them.
    fn sources(&self) -> Result<Vec<Source>, Error> {
        // Nobody gets more by way of such a mount than he has.
        let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let read = plain | MsFlags::MS_RDONLY;
        let mut sources = Vec::new();
        for path in &self.needs {
            if !path.is_symlink() {
                sources.push(Source::open(path, read)?);
            }
        }
        for (path, access) in &self.files {
            let flags = match access {
                Access::Shared | Access::Private => read | MsFlags::MS_NOEXEC,
                Access::Writable => plain | MsFlags::MS_NOEXEC,
            };
            if !is_block_device(path) {
                sources.push(Source::open(path, flags)?);
            }
        }
        sources.sort_by(|a, b| a.place.cmp(&b.place));
        let mut folders: Vec<PathBuf> = Vec::new();
        sources.retain(|source| {
            let inside = folders.iter().any(|f| source.place.starts_with(f));
            if source.is_folder && !inside {
                folders.push(source.place.clone());
            }
            // What may be written, or belongs to the machine, is mounted by itself wherever it lies.
            !inside || source.flags.contains(MsFlags::MS_NOEXEC)
        });
        Ok(sources)
    }

    /// The devices: nodes of its own, so that nobody's permissions on the host's have to change.
    fn make_devices(&self, stage: &Path) -> Result<(), Error> {
        let folder = stage.join("dev");
        make_folders(stage, Path::new("dev"))?;
        memory(&folder, MsFlags::MS_NOEXEC)?;
        let blocks = self.files.iter().filter(|(path, _)| is_block_device(path));
        let blocks = blocks.map(|(path, access)| {
            let read_only = *access != Access::Writable;
            (path, SFlag::S_IFBLK, if read_only { 0o400 } else { 0o600 })
        });
        let characters = self
            .devices
            .iter()
            .map(|path| (path, SFlag::S_IFCHR, 0o600));
        for (path, kind, mode) in characters.chain(blocks) {
            let facts = fs::metadata(path).map_err(Error::path("find the device", path))?;
            let failed = Error::path("make the device", path);
            let place = place_of(path);
            if let Some(parent) = place.parent() {
                make_folders(stage, parent)?;
            }
            let node = stage.join(&place);
            mknod(&node, kind, Mode::from_bits_truncate(mode), facts.rdev())
                .map_err(|errno| failed(io::Error::from(errno)))?;
            let owner = Some(self.owner.number());
            chown(&node, owner, owner).map_err(failed)?;
        }
        // Nothing can be added. Nodes are written to all the same: they are not the file system's.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        change(&folder, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags)
            .map_err(Error::path("protect", &folder))
    }
}

impl Enclosure {
    /// A file in memory of that size. There is room for it and nothing else.
    fn make_memory(&self, stage: &Path, size: u64) -> Result<(), Error> {
        let path = Path::new(MEMORY);
        let place = stage.join(place_of(path));
        let folder = place.parent().unwrap_or(stage);
        fs::create_dir_all(folder).map_err(Error::path("make the folder of", path))?;
        let options = format!("mode=755,size={size},nr_inodes=2");
        let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        let mount = |options: &str| {
            let (source, kind) = (Some("enclosure"), Some("tmpfs"));
            mount(source, folder, kind, flags, Some(options))
        };
        // With large pages, if the kernel has them (tmpfs(5)): QEMU asks for them.
        mount(&format!("{options},huge=advise"))
            .or_else(|_| mount(&options))
            .map_err(Error::path("mount a file system for", path))?;
        let failed = Error::path("make", path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&place)
            .map_err(&failed)?;
        file.set_len(size).map_err(&failed)?;
        let owner = Some(self.owner.number());
        fchown(&file, owner, owner).map_err(failed)
    }
}

impl Source {
    fn open(path: &Path, flags: MsFlags) -> Result<Source, Error> {
        let failed = Error::path("open", path);
        let how = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let file = open(path, how, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let facts = fs::metadata(path).map_err(failed)?;
        Ok(Source {
            place: place_of(path),
            file,
            is_folder: facts.is_dir(),
            flags,
        })
    }

    fn mount(&self, stage: &Path) -> Result<(), Error> {
        let target = stage.join(&self.place);
        if self.is_folder {
            make_folders(stage, &self.place)?;
        } else if fs::symlink_metadata(&target).is_err() {
            if let Some(parent) = self.place.parent() {
                make_folders(stage, parent)?;
            }
            let made = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&target);
            made.map_err(Error::path("make a place for", &self.place))?;
        }
        let shown = Path::new("/").join(&self.place);
        let from = PathBuf::from(format!("/proc/thread-self/fd/{}", self.file.as_raw_fd()));
        mount(
            Some(&from),
            &target,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .map_err(Error::path("mount", &shown))?;
        change(&target, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | self.flags)
            .map_err(Error::path("protect", &shown))
    }
}

/// Changes how something is mounted.
fn change(target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
}

/// Mounts an empty file system, in memory, for folders and nodes alone.
fn memory(target: &Path, flags: MsFlags) -> Result<(), Error> {
    mount(
        Some("enclosure"),
        target,
        Some("tmpfs"),
        flags | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some("mode=755,size=64k,nr_inodes=4096"),
    )
    .map_err(Error::path("mount a file system on", target))
}

/// Makes the link that the host has at `path`, if that is one.
fn link(stage: &Path, path: &Path) -> Result<(), Error> {
    if !path.is_symlink() {
        return Ok(());
    }
    let failed = Error::path("link", path);
    let target = fs::read_link(path).map_err(&failed)?;
    let place = place_of(path);
    if let Some(parent) = place.parent() {
        make_folders(stage, parent)?;
    }
    match symlink(target, stage.join(place)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Where a path leads that has no links on its way, without `/` in front. `..` does not lead out.
fn place_of(path: &Path) -> PathBuf {
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::ParentDir => {
                place.pop();
            }
            _ => {}
        }
    }
    place
}

fn make_folders(stage: &Path, place: &Path) -> Result<(), Error> {
    let folder = stage.join(place);
    match fs::create_dir_all(&folder) {
        Err(error) if !folder.is_dir() => Err(Error::path("make the folder", place)(error)),
        _ => Ok(()),
    }
}

fn is_block_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.file_type().is_block_device())
}

/// Has the folder in `stage` be the root, and nothing else be there (pivot_root(2), NOTES). That it is a folder of its
/// file system and not all of it is what keeps a process in it from making user namespaces, and so from having all
/// capabilities over something (user_namespaces(7): "in a chroot environment").
fn turn(stage: &Path) -> Result<(), Error> {
    let failed = Error::act("change the root");
    let here = Path::new(".");
    chdir(stage).map_err(&failed)?;
    pivot_root(here, here).map_err(&failed)?;
    umount2(here, MntFlags::MNT_DETACH).map_err(&failed)?;
    chdir("/").map_err(&failed)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    change(
        Path::new("/"),
        MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags,
    )
    .map_err(&failed)?;
    chroot(ROOT).map_err(&failed)?;
    chdir("/").map_err(failed)
}
