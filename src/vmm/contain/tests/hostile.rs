//! The stand-in for a hypervisor that a guest has taken over: what it is told to do it does inside the enclosure, and says
//! of each attempt how it went. These are no tests by themselves and are run by those of the module above alone.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::kill;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{ForkResult, Pid, Uid, fork, setuid};
use serde::{Deserialize, Serialize};

/// What it goes for. It reads this from the file that its last argument names.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Prey {
    pub files: Vec<PathBuf>,
    pub disk: PathBuf,
    pub initramfs: PathBuf,
    pub pid: u32,
    pub port: u16,
    pub hidden: String,
    pub file_size: u64,
    pub data: u64,
    pub processes: u64,
    pub open_files: u64,
}

fn prey() -> Prey {
    let path = std::env::args().next_back().unwrap();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn said<T>(what: &str, outcome: io::Result<T>) {
    let how = match outcome {
        Ok(_) => "done".into(),
        Err(error) => match error.raw_os_error() {
            Some(number) => format!("{:?}", Errno::from_raw(number)),
            None => error.to_string(),
        },
    };
    println!("said: {what}: {how}");
}

/// Lists everything that is no folder.
#[test]
#[ignore = "runs inside the enclosure"]
fn lists() {
    fn walk(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => walk(&entry.path()),
                false => println!("said: {}", entry.path().display()),
            }
        }
    }
    println!();
    walk(Path::new("/"));
}

/// Makes the most of its file in memory.
#[test]
#[ignore = "runs inside the enclosure"]
fn remembers() {
    println!();
    let guest = "/memory/guest";
    let file = OpenOptions::new().read(true).write(true).open(guest);
    let file = file.unwrap();
    let piece = vec![1; 1 << 20];
    let filled = (0..u64::MAX).find_map(|at| {
        let written = file.write_all_at(&piece, at << 20);
        written.err().map(|error| (at, error))
    });
    let (pieces, error) = filled.unwrap();
    said(&format!("more than {pieces} MiB"), Err::<(), _>(error));
    said("another", fs::write("/memory/other", ""));
    said("remove", fs::remove_file(guest));
}

/// Works in a folder of its own, and goes for those around it.
#[test]
#[ignore = "runs inside the enclosure"]
fn settles() {
    println!();
    said("socket", std::os::unix::net::UnixListener::bind("control"));
    said("file", fs::write("state", "saved"));
    let disk = OpenOptions::new().read(true).write(true).open("disk0");
    said("disk", disk);
    said("above", fs::write("../state", ""));
    said(
        "disk's folder",
        fs::write("disk0.new", "").and_then(|()| {
            let target = fs::read_link("disk0")?;
            fs::rename("disk0.new", target.with_extension("new"))
        }),
    );
}

/// Goes for what is not its own. Nothing of it harms a host that lets it.
#[test]
#[ignore = "runs inside the enclosure"]
fn attacks() {
    let prey = prey();
    println!();
    let data = prey.disk.parent().and_then(Path::parent).unwrap();
    for file in &prey.files {
        let name = file.strip_prefix(data).unwrap().display();
        said(&format!("read {name}"), fs::read(file));
    }
    let write = |path: &Path| OpenOptions::new().append(true).open(path);
    said("write initramfs", write(&prey.initramfs));
    let mode = Permissions::from_mode(0o600);
    said(
        "change initramfs",
        fs::set_permissions(&prey.initramfs, mode),
    );
    let made = |path: &Path| {
        fs::write(path, "")?;
        fs::remove_file(path)
    };
    said(
        "make a file beside its disk",
        made(&prey.disk.with_extension("new")),
    );
    said("make a file in /dev", made(Path::new("/dev/sistemo-test")));
    let starter = Pid::from_raw(prey.pid.cast_signed());
    said(
        "signal the program that started it",
        from_nix(kill(starter, None)),
    );
    said("signal everybody", from_nix(kill(Pid::from_raw(-1), None)));
    said(
        "run a shell",
        std::process::Command::new("/bin/sh")
            .args(["-c", "exit"])
            .status(),
    );
    said(
        "connect to the host's loopback",
        TcpStream::connect(("127.0.0.1", prey.port)),
    );
    let hidden = SocketAddr::from_abstract_name(&prey.hidden).unwrap();
    said(
        "connect to the host's hidden socket",
        UnixStream::connect_addr(&hidden),
    );
    // Of TEST-NET-1 (RFC 5737): nobody gets it.
    let send = || UdpSocket::bind("0.0.0.0:0")?.send_to(b"x", "192.0.2.1:9");
    said("send to the internet", send());
    let packets = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::empty(),
        None,
    );
    said("listen to frames", from_nix(packets));
    said("become root", from_nix(setuid(Uid::from_raw(0))));
    let other = Uid::from_raw(super::Owner::FIRST);
    said("become somebody else", in_fork(|| setuid(other)));
    let mounted = in_fork(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?;
        mount(
            Some("x"),
            "/dev",
            Some("tmpfs"),
            MsFlags::empty(),
            None::<&str>,
        )
    });
    said("mount", mounted);
    said(
        "make a user namespace",
        in_fork(|| unshare(CloneFlags::CLONE_NEWUSER)),
    );
    let node = prey.disk.with_extension("node");
    let node = node.as_path();
    let made = mknod(node, SFlag::S_IFCHR, Mode::empty(), makedev(1, 1));
    let _ = fs::remove_file(node);
    said("make a device", from_nix(made));
    // SAFETY: the call (syslog(2), SYSLOG_ACTION_SIZE_UNREAD) takes numbers and a null pointer.
    let log = unsafe { libc::syscall(libc::SYS_syslog, 9, 0, 0) };
    said("read the kernel's log", from_nix(Errno::result(log)));
    said(
        "raise a limit",
        in_fork(|| setrlimit(Resource::RLIMIT_CORE, 1, 1)),
    );
}

/// Takes more and more until it gets no more.
#[test]
#[ignore = "runs inside the enclosure"]
fn takes() {
    let prey = prey();
    println!();
    let disk = OpenOptions::new().write(true).open(&prey.disk).unwrap();
    disk.write_at(b"x", prey.file_size - 1).unwrap();
    disk.set_len(0).unwrap();
    said(
        "write beyond the largest file",
        disk.write_at(b"x", prey.file_size),
    );
    let mut files = Vec::new();
    let refused = loop {
        match fs::File::open(&prey.disk) {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    assert!((files.len() as u64) < prey.open_files);
    drop(files);
    said("open files", Err::<(), _>(refused));
    let piece = std::num::NonZero::new(16 << 20).unwrap();
    let mut had = 0;
    let refused = loop {
        // SAFETY: the kernel chooses where, and nothing is done with what comes back.
        let piece = unsafe {
            let (access, kind) = (ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE);
            mmap_anonymous(None, piece, access, kind)
        };
        match piece {
            Ok(_) => had += 16 << 20,
            Err(errno) => break errno,
        }
    };
    assert!(had <= prey.data && had > prey.data / 2, "{had}");
    said("memory", from_nix(Err::<(), _>(refused)));
    forks_until_refused(prey.processes);
}

/// Forks until it may not.
#[test]
#[ignore = "runs inside the enclosure"]
fn forks() {
    let prey = prey();
    println!();
    forks_until_refused(prey.processes);
}

/// Touches memory until it is ended.
#[test]
#[ignore = "runs inside the enclosure"]
fn swallows() {
    println!("\nsaid: begins");
    let piece = vec![1_u8; 128 << 20];
    println!(
        "said: had {}",
        piece.iter().map(|byte| usize::from(*byte)).sum::<usize>()
    );
}

fn forks_until_refused(most: u64) {
    let mut forked = 0;
    let refused = loop {
        // SAFETY: the child makes one system call, and waits to be ended.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => loop {
                nix::unistd::pause();
            },
            Ok(ForkResult::Parent { .. }) => forked += 1,
            Err(errno) => break errno,
        }
    };
    assert!(forked < most && forked > 8, "{forked}");
    said("processes", from_nix(Err::<(), _>(refused)));
}

fn from_nix<T>(outcome: nix::Result<T>) -> io::Result<T> {
    outcome.map_err(io::Error::from)
}

/// Does something in a process of its own, which it may spoil.
fn in_fork(work: impl FnOnce() -> nix::Result<()>) -> io::Result<()> {
    // SAFETY: the child makes system calls and ends.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let errno = work().err().map_or(0, |errno| errno as i32);
            // SAFETY: it ends this process, and runs nothing of its parent's on the way.
            unsafe { libc::_exit(errno) }
        }
        ForkResult::Parent { child } => match nix::sys::wait::waitpid(child, None)? {
            nix::sys::wait::WaitStatus::Exited(_, 0) => Ok(()),
            nix::sys::wait::WaitStatus::Exited(_, errno) => {
                Err(io::Error::from_raw_os_error(errno))
            }
            other => Err(io::Error::other(format!("{other:?}"))),
        },
    }
}
