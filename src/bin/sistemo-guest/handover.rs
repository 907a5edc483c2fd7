//! Handing PID 1 over to the image's own init.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::execve;

/// Why the image's init does not run.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    #[error("cannot run the image's init {path}")]
    Exec {
        path: &'static str,
        #[source]
        source: nix::Error,
    },
}

/// Where an init may lie: the kernel's own list (init/main.c), systemd's and OpenRC's places.
const CANDIDATES: [&str; 8] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "/sbin/openrc-init",
    "/etc/init",
    "/bin/init",
    "/init",
];

/// Whether the image has an init to hand over to.
pub fn has_init() -> bool {
    CANDIDATES.iter().any(|path| is_init(Path::new(path)))
}

/// Becomes the image's init; returns when the image has none, or none that can be run.
pub fn exec_init() -> Result<(), HandOverError> {
    let mut failure = None;
    for path in CANDIDATES {
        if !is_init(Path::new(path)) {
            continue;
        }
        match exec(path) {
            Errno::ENOENT => {}
            source => failure = failure.or(Some(HandOverError::Exec { path, source })),
        }
    }
    failure.map_or(Ok(()), Err)
}

fn exec(path: &str) -> Errno {
    // A mask is inherited, and an init expects none.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    let Ok(program) = CString::new(path) else {
        return Errno::EINVAL;
    };
    // What the kernel gives the first process (init/main.c: envp_init).
    let environment: [&CStr; 2] = [c"HOME=/", c"TERM=linux"];
    match execve(&program, &[program.as_c_str()], &environment) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// Whether the program is there and can do an init's work. Container images of Alpine carry busybox's init with an
/// `/etc/inittab` for OpenRC, which they lack: it would do nothing but complain.
fn is_init(path: &Path) -> bool {
    if !path.metadata().is_ok_and(|meta| meta.is_file()) {
        return false;
    }
    let busybox = path.canonicalize().is_ok_and(|real| {
        real.file_name()
            .is_some_and(|name| name.as_bytes().starts_with(b"busybox"))
    });
    let inittab = std::fs::read_to_string("/etc/inittab").unwrap_or_default();
    !busybox || !wants_openrc(&inittab) || Path::new("/sbin/openrc").exists()
}

fn wants_openrc(inittab: &str) -> bool {
    inittab
        .lines()
        .any(|line| !line.trim_start().starts_with('#') && line.contains("/sbin/openrc"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_inittab_says_whether_it_is_openrc_s() {
        assert!(super::wants_openrc("# x\n::sysinit:/sbin/openrc sysinit\n"));
        assert!(!super::wants_openrc(
            "#::sysinit:/sbin/openrc sysinit\n::respawn:/bin/sh\n"
        ));
    }
}
