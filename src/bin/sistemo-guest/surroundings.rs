//! What an application finds around it where no init has seen to it: as in a container, since its image was made for one.

use std::io;
use std::os::unix::fs::symlink;

use nix::sys::resource::{Resource, setrlimit};

use crate::mounts;

/// Names of a program's own streams (proc_pid_fd(5)).
const LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Anyone may listen on any port and may ping: there is nobody else on this machine's network.
const SETTINGS: [(&str, &str); 2] = [
    ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
    ("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"),
];

/// How many files an application may have open, and how many it may ask for: what systemd gives a service (systemd.exec(5),
/// `LimitNOFILE=`).
const FILES: (u64, u64) = (1024, 524_288);

/// Prepares the machine. What cannot be is missed by whoever needs it.
pub fn prepare() {
    mounts::cgroups();
    for (target, link) in LINKS {
        let _ = symlink(target, link);
    }
    for (path, value) in SETTINGS {
        let _ = std::fs::write(path, value);
    }
}

/// Sets the limits of this process. Makes system calls only.
pub fn limit() -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NOFILE, FILES.0, FILES.1)?)
}
