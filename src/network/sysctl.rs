//! Kernel settings under `/proc/sys/net`, which shows each thread those of its own network namespace.

use std::path::PathBuf;
use std::{fs, io};

use super::error::Error;

/// Lets packets pass between interfaces of this thread's namespace. Writes only when that is not so already: a write
/// resets the setting of every single interface (Documentation/networking/ip-sysctl.rst, `ip_forward`).
pub(super) fn forward() -> Result<(), Error> {
    let path = PathBuf::from("/proc/sys/net/ipv4/ip_forward");
    if fs::read_to_string(&path).is_ok_and(|text| text.trim() == "1") {
        return Ok(());
    }
    write(path, "1")
}

/// Lets packets from and to 127.0.0.0/8 pass by an interface of this thread's namespace, so that a published port answers
/// on localhost. The rules see to it that no guest reaches such an address of the home.
pub(super) fn route_localhost(interface: &str) -> Result<(), Error> {
    let path = PathBuf::from(format!(
        "/proc/sys/net/ipv4/conf/{interface}/route_localnet"
    ));
    write(path, "1")
}

/// Takes IPv6 off an interface of this thread's namespace; `all` and `default` mean every one. Nothing to do in a
/// kernel without IPv6.
pub(super) fn without_ipv6(interface: &str) -> Result<(), Error> {
    let path = PathBuf::from(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"));
    match write(path, "1") {
        Err(Error::Sysctl { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn write(path: PathBuf, value: &'static str) -> Result<(), Error> {
    fs::write(&path, value).map_err(|source| Error::Sysctl {
        path,
        value,
        source,
    })
}
