//! Tap devices: the kernel's end of a guest's network card (Documentation/networking/tuntap.rst).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

nix::ioctl_write_ptr_bad!(tun_set_iff, libc::TUNSETIFF, libc::ifreq);
nix::ioctl_write_int_bad!(tun_set_persist, libc::TUNSETPERSIST);
nix::ioctl_write_int_bad!(tun_set_owner, libc::TUNSETOWNER);

/// Makes the tap `name` in this thread's namespace; it lasts as long as that. It has one queue, because whoever opens
/// it later must ask for as many as it was made with, and both Firecracker and QEMU ask for one; the `vnet_hdr` flag is
/// each opener's own choice. Owned by nobody: opening it takes `CAP_NET_ADMIN`. Making one that exists changes nothing;
/// it must not be in use. The returned file is one user of it.
pub fn make(name: &str) -> io::Result<File> {
    let file = attach(name)?;
    // SAFETY: the descriptor is open; the argument is a plain number.
    unsafe { tun_set_persist(file.as_raw_fd(), 1) }?;
    Ok(file)
}

/// Lets the user with that number open the tap `name` of this thread's namespace without any capability. Nobody has it
/// open.
pub fn give(name: &str, user: u32) -> io::Result<()> {
    let file = attach(name)?;
    // SAFETY: the descriptor is open; the argument is a plain number.
    unsafe { tun_set_owner(file.as_raw_fd(), user.cast_signed()) }?;
    Ok(())
}

/// Opens the tap `name`, making one that goes with the descriptor when there is none.
fn attach(name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let request = request(name, libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR)?;
    // SAFETY: the descriptor is open and `request` is a whole `ifreq` that outlives the call.
    unsafe { tun_set_iff(file.as_raw_fd(), &raw const request) }?;
    Ok(file)
}

/// The `ifreq` that asks for interface `name` with `flags` (the `IFF_…` of `linux/if_tun.h`).
pub(crate) fn request(name: &str, flags: libc::c_int) -> io::Result<libc::ifreq> {
    // SAFETY: an `ifreq` is plain data for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    Ok(request)
}
