//! As much of rtnetlink(7) as bringing one interface up takes: links, addresses, routes.
//!
//! By hand, because this program has a budget of 3 MiB: `rtnetlink` with the message types behind it adds a fifth of
//! that to say three things. Formats: netlink(7), rtnetlink(7), `linux/rtnetlink.h`.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// A socket to the kernel's routing tables.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// Every part of a message begins at a multiple of this (NLMSG_ALIGNTO, RTA_ALIGNTO).
const ALIGNMENT: usize = 4;

/// `struct nlmsghdr`.
const HEADER: usize = 16;

impl Netlink {
    pub fn open() -> io::Result<Netlink> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        Ok(Netlink {
            socket,
            sequence: 0,
        })
    }

    /// Sets an interface up, with an MTU if one is given.
    pub fn set_up(&mut self, index: u32, mtu: Option<u32>) -> io::Result<()> {
        let up = u32::try_from(libc::IFF_UP).unwrap_or(1);
        // struct ifinfomsg: family, padding, type, index, flags, mask of the flags to change.
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(up.to_ne_bytes());
        body.extend(up.to_ne_bytes());
        if let Some(mtu) = mtu {
            attribute(&mut body, libc::IFLA_MTU, &mtu.to_ne_bytes());
        }
        self.ask(libc::RTM_NEWLINK, 0, &body)
    }

    /// Gives an interface another hardware address.
    pub fn set_hardware(&mut self, index: u32, mac: [u8; 6]) -> io::Result<()> {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend([0; 8]);
        attribute(&mut body, libc::IFLA_ADDRESS, &mac);
        self.ask(libc::RTM_NEWLINK, 0, &body)
    }

    /// Takes an address from an interface, and with its last the routes that go by it.
    pub fn remove_address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut body = vec![INET, prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        attribute(&mut body, libc::IFA_LOCAL, &address.octets());
        self.ask(libc::RTM_DELADDR, 0, &body)
    }

    /// Gives an interface an address, with the broadcast address that goes with it.
    pub fn add_address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        // struct ifaddrmsg: family, prefix length, flags, scope (universe), index.
        let mut body = vec![INET, prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        attribute(&mut body, libc::IFA_LOCAL, &address.octets());
        attribute(&mut body, libc::IFA_ADDRESS, &address.octets());
        attribute(
            &mut body,
            libc::IFA_BROADCAST,
            &broadcast(address, prefix).octets(),
        );
        self.ask(
            libc::RTM_NEWADDR,
            libc::NLM_F_CREATE | libc::NLM_F_REPLACE,
            &body,
        )
    }

    /// Routes everything else to `gateway`.
    pub fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        // struct rtmsg: family, destination length 0, source length, TOS, table, protocol, scope, type, flags.
        let (table, protocol, kind) = (libc::RT_TABLE_MAIN, libc::RTPROT_BOOT, libc::RTN_UNICAST);
        let mut body = vec![
            INET,
            0,
            0,
            0,
            table,
            protocol,
            libc::RT_SCOPE_UNIVERSE,
            kind,
            0,
            0,
            0,
            0,
        ];
        attribute(&mut body, libc::RTA_GATEWAY, &gateway.octets());
        attribute(&mut body, libc::RTA_OIF, &index.to_ne_bytes());
        self.ask(
            libc::RTM_NEWROUTE,
            libc::NLM_F_CREATE | libc::NLM_F_REPLACE,
            &body,
        )
    }

    /// Sends a request and waits for the kernel's word on it.
    fn ask(&mut self, kind: u16, flags: libc::c_int, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let flags =
            u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or_default();
        let message = message(kind, flags, self.sequence, body);
        sendto(
            self.socket.as_raw_fd(),
            &message,
            &NetlinkAddr::new(0, 0),
            MsgFlags::empty(),
        )?;
        let mut answer = [0; 4096];
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
            if let Some(result) = verdict(&answer[..length], self.sequence) {
                return result;
            }
        }
    }
}

/// `AF_INET` in the one byte that messages have for it.
const INET: u8 = libc::AF_INET as u8;

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

/// Appends a `struct rtattr` with its value.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(ALIGNMENT), 0);
}

/// What an `NLMSG_ERROR` that answers `sequence` says; `None` for any other message.
fn verdict(answer: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let word = |at: usize| {
        answer
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_ne_bytes)
    };
    let kind = answer
        .get(4..6)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u16::from_ne_bytes)?;
    if i32::from(kind) != libc::NLMSG_ERROR || word(8)? != sequence {
        return None;
    }
    // A negative errno, or 0.
    let error = word(HEADER)?.cast_signed();
    Some(if error == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(-error))
    })
}

fn broadcast(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    Ipv4Addr::from(u32::from(address) | hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned() {
        let mut body = Vec::new();
        attribute(&mut body, 3, b"lo\0");
        assert_eq!(body, [7, 0, 3, 0, b'l', b'o', 0, 0]);
    }

    #[test]
    fn the_broadcast_address_is_the_last_of_the_network() {
        assert_eq!(
            broadcast([10, 200, 3, 7].into(), 16),
            Ipv4Addr::new(10, 200, 255, 255)
        );
        assert_eq!(
            broadcast([10, 0, 0, 1].into(), 30),
            Ipv4Addr::new(10, 0, 0, 3)
        );
    }

    #[test]
    fn a_verdict_is_for_the_request_it_answers() {
        let mut body = (-libc::EEXIST).to_ne_bytes().to_vec();
        body.extend([0; 16]);
        let kind = u16::try_from(libc::NLMSG_ERROR).unwrap();
        let refused = message(kind, 0, 5, &body);
        assert!(verdict(&refused, 4).is_none());
        let error = verdict(&refused, 5).unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        assert!(verdict(&message(kind, 0, 6, &[0; 20]), 6).unwrap().is_ok());
        assert!(verdict(&[0; 3], 6).is_none());
    }

    /// Against the kernel: an interface that cannot exist is refused by name of the error.
    #[test]
    fn the_kernel_answers() {
        let mut netlink = Netlink::open().unwrap();
        let error = netlink
            .add_address(u32::MAX >> 1, [192, 0, 2, 1].into(), 24)
            .unwrap_err();
        assert!(
            matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EPERM)),
            "{error}"
        );
    }
}
