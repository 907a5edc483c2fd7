//! The hand-over: to the image's init, to the command it is for, or to nobody.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sistemo::guest::words::Config;

use crate::{Doing, Outcome, command};

/// Where images have their init, in the order in which the kernel and switch_root(8) look.
const INITS: &[&str] = &[
    "/sbin/init",
    "/usr/sbin/init",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "/etc/init",
    "/bin/init",
];

/// Becomes the image's init, or stays PID 1 and runs its command.
pub(crate) fn run(config: &Config) -> Outcome<Infallible> {
    let wanted = config
        .command
        .as_ref()
        .is_none_or(|command| !command.instead_of_init);
    if wanted && let Some(init) = INITS.iter().find(|path| is_program(path)) {
        let program = CString::new(*init).doing("naming the init")?;
        return nix::unistd::execv(&program, &[&program]).doing(format_args!("starting {init}"));
    }
    command::run(config)
}

/// Whether it is a file that may be executed. Links are followed: many images have /sbin/init as one.
fn is_program(path: &str) -> bool {
    Path::new(path)
        .metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
