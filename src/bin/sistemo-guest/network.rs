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
    #[error("{0:?} is no hardware address")]
    Hardware(String),
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

/// Turns the interface from what it was told to be into what it is to be from now on. What it has already is left alone.
pub fn change(was: &Network, now: &Network) -> Result<(), NetworkError> {
    let interfaces = Path::new(INTERFACES);
    let (name, index) = find(interfaces, &was.mac)
        .or_else(|| find(interfaces, &now.mac))
        .ok_or_else(|| NetworkError::NoInterface(was.mac.clone()))?;
    let mut netlink = Netlink::open().map_err(NetworkError::Open)?;
    let failed = |act| {
        let name = name.clone();
        move |source| NetworkError::Set { act, name, source }
    };
    if was.mac != now.mac {
        let mac = hardware(&now.mac).ok_or_else(|| NetworkError::Hardware(now.mac.clone()))?;
        let set = netlink.set_hardware(index, mac);
        set.map_err(failed("give a hardware address to"))?;
    }
    if (was.address, was.prefix) != (now.address, now.prefix) {
        match netlink.remove_address(index, was.address, was.prefix) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            removed => removed.map_err(failed("take the address from"))?,
        }
    }
    netlink
        .add_address(index, now.address, now.prefix)
        .map_err(failed("give an address to"))?;
    netlink
        .set_up(index, Some(now.mtu))
        .map_err(failed("set up"))?;
    netlink
        .add_default_route(index, now.gateway)
        .map_err(failed("route through"))
}

/// The six bytes of `aa:bb:cc:dd:ee:ff`.
fn hardware(text: &str) -> Option<[u8; 6]> {
    let bytes = text.split(':').map(|part| u8::from_str_radix(part, 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().ok()?;
    bytes.try_into().ok()
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
    fn a_hardware_address_has_six_bytes() {
        assert_eq!(hardware("06:00:0a:c8:00:02"), Some([6, 0, 10, 200, 0, 2]));
        for wrong in [
            "",
            "06:00:0a:c8:00",
            "06:00:0a:c8:00:02:03",
            "06:00:0a:c8:00:xx",
        ] {
            assert_eq!(hardware(wrong), None);
        }
    }

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
