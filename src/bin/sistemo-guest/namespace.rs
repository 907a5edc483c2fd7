//! A numbering of processes of its own for a program that insists on being number 1, as it would be in a container.
//!
//! Its `/proc` is its own too, in a view of the mounts that follows the machine's. All that it started ends with it
//! (pid_namespaces(7)).

use std::fs::File;
use std::io;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

/// The next process that this one starts begins a numbering; those after it again belong to this one's.
pub fn around<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let own = File::open("/proc/self/ns/pid")?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    let started = start();
    setns(own, CloneFlags::CLONE_NEWPID)?;
    started
}

/// In that process: shows it its own numbers. Makes system calls only.
pub fn show() -> io::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), "/proc", Some("proc"), flags, none)?)
}
