//! The machine's network interface: found by its hardware address, given what the host says.

use std::io;
use std::path::Path;

use sistemo::guest::words::Network;

use crate::netlink::Netlink;
use crate::uevent::Uevents;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("no interface has the address {0}; is virtio_net among the modules?")]
    NoInterface(String),
    #[error("cannot hear of devices")]
    Uevents(#[source] io::Error),
    #[error("cannot speak netlink")]
    Open(#[source] io::Error),
    #[error("cannot {act} {name}")]
    Set {
        act: &'static str,
        name: String,
        #[source]
        source: io::Error,
    },
}

/// The loopback interface's index, fixed in the kernel (LOOPBACK_IFINDEX).
const LOOPBACK: u32 = 1;

const INTERFACES: &str = "/sys/class/net";

/// Whether the interface is there already.
pub fn is_present(network: &Network) -> bool {
    find(Path::new(INTERFACES), &network.mac).is_some()
}

/// Waits for the interface and sets it up, address, route and all.
pub fn up(network: &Network, uevents: &Uevents) -> Result<(), NetworkError> {
    let (name, index) = uevents
        .wait_for(|| find(Path::new(INTERFACES), &network.mac))
        .map_err(NetworkError::Uevents)?
        .ok_or_else(|| NetworkError::NoInterface(network.mac.clone()))?;
    let mut netlink = Netlink::open().map_err(NetworkError::Open)?;
    let failed = |act| {
        let name = name.clone();
        move |source| NetworkError::Set { act, name, source }
    };
    netlink
        .set_up(LOOPBACK, None)
        .map_err(failed("set up lo beside"))?;
    netlink
        .add_address(index, network.address, network.prefix)
        .map_err(failed("give an address to"))?;
    netlink
        .set_up(index, Some(network.mtu))
        .map_err(failed("set up"))?;
    netlink
        .add_default_route(index, network.gateway)
        .map_err(failed("route through"))
}

/// Name and index of the interface with this hardware address.
fn find(interfaces: &Path, mac: &str) -> Option<(String, u32)> {
    std::fs::read_dir(interfaces)
        .ok()?
        .flatten()
        .find_map(|entry| {
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
            if !read("address")?.trim().eq_ignore_ascii_case(mac) {
                return None;
            }
            let index = read("ifindex")?.trim().parse().ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), index))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_found_by_its_hardware_address() {
        let dir = tempfile::tempdir().unwrap();
        for (name, address, index) in [
            ("lo", "00:00:00:00:00:00", 1),
            ("eth0", "52:54:00:aa:bb:cc", 2),
        ] {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("address"), format!("{address}\n")).unwrap();
            std::fs::write(folder.join("ifindex"), format!("{index}\n")).unwrap();
        }
        assert_eq!(
            find(dir.path(), "52:54:00:AA:BB:CC"),
            Some(("eth0".into(), 2))
        );
        assert_eq!(find(dir.path(), "52:54:00:aa:bb:cd"), None);
    }
}
