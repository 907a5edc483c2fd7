//! Homes, and guests that are whole Linux network stacks behind a machine's tap.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::host::tap::{request, tun_set_iff};
use crate::network::{
    Home, MachinePlan, NetworkPlan, mac_for, namespace, plan_machine, plan_network,
};
use crate::store::networks::Network;
use crate::value::MachineId;

/// A namespace mounted in a private place, with `lo` up. It ends with this.
pub struct Lab {
    pub home: Home,
    path: PathBuf,
    _directory: tempfile::TempDir,
    machines: Mutex<Vec<String>>,
}

impl Lab {
    pub fn new() -> Lab {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lab");
        File::create(&path).unwrap();
        let at = path.clone();
        let make = move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            sh("ip link set lo up");
            let mine = Path::new("/proc/thread-self/ns/net");
            mount(
                Some(mine),
                &at,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .unwrap();
        };
        std::thread::spawn(make).join().unwrap();
        let home = Home::open(path.to_str().unwrap()).unwrap();
        Lab {
            home,
            path,
            _directory: directory,
            machines: Mutex::default(),
        }
    }

    /// A fresh machine with the given last byte of its address. What a failed test leaves of it goes with the lab.
    pub fn machine(&self, network: &NetworkPlan, last: u8) -> MachinePlan {
        let [a, b, c, _] = network.subnet.network().octets();
        let ip = Ipv4Addr::new(a, b, c, last);
        let plan = plan_machine(&MachineId::new(), network, ip, mac_for(ip), Vec::new());
        self.machines.lock().unwrap().push(plan.namespace.clone());
        plan
    }

    /// Sends an ICMP echo request (RFC 792) until one is answered.
    pub fn ping(&self, ip: Ipv4Addr) {
        let ping = move || {
            let socket = socket(
                AddressFamily::Inet,
                SockType::Raw,
                SockFlag::empty(),
                SockProtocol::Icmp,
            );
            let socket = UdpSocket::from(socket.unwrap());
            socket
                .set_read_timeout(Some(Duration::from_millis(100)))
                .unwrap();
            let mut answer = [0; 2048];
            for _ in 0..100 {
                socket
                    .send_to(&[8, 0, 0xf7, 0xff, 0, 0, 0, 0], (ip, 0))
                    .unwrap();
                if socket.recv(&mut answer).is_ok() && answer[20] == 0 {
                    return true;
                }
            }
            false
        };
        assert!(self.home.run(ping).unwrap(), "{ip} answers no ping");
    }

    /// Runs a shell command inside; it must succeed.
    pub fn sh(&self, command: &str) -> String {
        let command = command.to_owned();
        self.home.run(move || sh(&command)).unwrap()
    }

    /// Joins this namespace to another by a veth pair, `name` here and `peer` there.
    pub fn link(&self, name: &str, other: &Lab, peer: &str) {
        let file = File::open(&other.path).unwrap();
        let pid = std::process::id();
        let at = format!("/proc/{pid}/fd/{}", file.as_raw_fd());
        self.sh(&format!(
            "ip link add {name} type veth peer name {peer} netns {at} && ip link set {name} up"
        ));
        other.sh(&format!("ip link set {peer} up"));
    }

    /// A TCP server on every address that says to each client what it sees the client as.
    pub fn serve(&self, port: u16) {
        let listener = self
            .home
            .run(move || TcpListener::bind(("0.0.0.0", port)).unwrap())
            .unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = write!(stream, "{}", stream.peer_addr().unwrap().ip());
            }
        });
    }

    /// What such a server sees this namespace as.
    pub fn ask(&self, ip: Ipv4Addr, port: u16) -> std::io::Result<String> {
        let asked = self.home.run(move || {
            let at = SocketAddr::from((ip, port));
            let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(5))?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        asked.unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in self.machines.lock().unwrap().iter() {
            namespace::remove(name).unwrap();
        }
        umount2(&self.path, MntFlags::MNT_DETACH).unwrap();
    }
}

pub fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A network's row, as the store would give it.
pub fn network(number: u8) -> NetworkPlan {
    let row = Network {
        name: format!("net{number}").parse().unwrap(),
        subnet: format!("10.{number}.0.0/16").parse().unwrap(),
        bridge: format!("sistemo{number}"),
        created_at: "2026-01-01T00:00:00.000Z".into(),
    };
    plan_network(&row, 1500, None)
}

/// Where the machine's own namespace can be looked into.
pub fn inside(machine: &MachinePlan) -> Home {
    Home::open(machine.namespace_path().to_str().unwrap()).unwrap()
}

/// Opens a tap in the calling thread's namespace as a hypervisor does, without headers.
pub fn open_tap(name: &str) -> File {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .unwrap();
    let request = request(name, libc::IFF_TAP | libc::IFF_NO_PI).unwrap();
    // SAFETY: the descriptor is open and `request` outlives the call.
    unsafe { tun_set_iff(file.as_raw_fd(), &request) }.unwrap();
    file
}

/// A guest: a namespace of its own whose `eth0` is wired to the machine's tap, as a hypervisor wires a virtual network
/// card to it.
pub struct Guest {
    pub lab: Lab,
    /// The machine's tap, for frames that no honest stack would send.
    pub tap: File,
    stop: Option<OwnedFd>,
    wire: Option<JoinHandle<()>>,
}

impl Guest {
    pub fn boot(machine: &MachinePlan) -> Guest {
        let name = machine.tap.clone();
        let tap = inside(machine).run(move || open_tap(&name)).unwrap();
        let lab = Lab::new();
        let card = lab.home.run(|| open_tap("eth0")).unwrap();
        lab.sh(&format!(
            "ip link set eth0 address {} mtu {} up && ip address add {}/{} dev eth0 && ip route add default via {}",
            machine.mac, machine.mtu, machine.ip, machine.prefix, machine.gateway
        ));
        let (stopped, stop) = nix::unistd::pipe().unwrap();
        let ends = [tap.try_clone().unwrap(), card];
        let wire = std::thread::spawn(move || wire(ends, stopped));
        Guest {
            lab,
            tap,
            stop: Some(stop),
            wire: Some(wire),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.wire.take().unwrap().join();
    }
}

/// Passes frames between two taps until the other end of `stopped` is closed.
fn wire(mut ends: [File; 2], stopped: OwnedFd) {
    let mut frame = [0; 65_536];
    loop {
        let events = PollFlags::POLLIN;
        let mut fds = [
            PollFd::new(ends[0].as_fd(), events),
            PollFd::new(ends[1].as_fd(), events),
            PollFd::new(stopped.as_fd(), events),
        ];
        poll(&mut fds, PollTimeout::NONE).unwrap();
        let ready = fds.map(|fd| fd.any().unwrap_or(true));
        if ready[2] {
            return;
        }
        for from in 0..2 {
            if ready[from] {
                let Ok(length) = ends[from].read(&mut frame) else {
                    return;
                };
                // A link that is down loses frames, as links do.
                let _ = ends[1 - from].write(&frame[..length]);
            }
        }
    }
}
