//! Containment, proved from inside: the hypervisor is this very test program, which does its worst.

mod grouped;
mod hostile;

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use self::hostile::Prey;
use super::*;
use crate::value::ByteSize;
use crate::vmm::accelerator::Accelerator;
use crate::vmm::process::Stat;
use crate::vmm::run_dir::RunDir;
use crate::vmm::spawn::{Spawn, spawn};
use crate::vmm::{Disk, LaunchSpec};

/// A data directory with two machines, of which one is to be taken over.
struct Stage {
    dir: TempDir,
    spec: LaunchSpec,
}

impl Stage {
    fn new() -> Stage {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let data = dir.path().join("data");
        let (own, other) = (data.join("machines/own"), data.join("machines/other"));
        for folder in [&own, &other, &data.join("volumes"), &data.join("ssh")] {
            fs::create_dir_all(folder).unwrap();
        }
        for file in [
            "sistemo.db",
            "ssh/id_ed25519",
            "vmlinuz",
            "volumes/own.ext4",
            "volumes/other.ext4",
            "machines/own/initramfs",
            "machines/own/console.log",
            "machines/other/host_key",
        ] {
            let path = data.join(file);
            fs::write(&path, file).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let spec = LaunchSpec {
            machine: Uuid::new_v4().to_string(),
            kernel: data.join("vmlinuz"),
            initramfs: own.join("initramfs"),
            command_line: String::new(),
            disks: vec![Disk {
                path: data.join("volumes/own.ext4"),
                read_only: false,
                serial: "root".into(),
            }],
            taps: vec![],
            namespace: None,
            vcpus: 1,
            restore: None,
            huge_pages: crate::vmm::HugePages::None,
            iops: Some(1000),
            memory: ByteSize::mib(128),
            console: own.join("console.log"),
            run_dir: own.join("run"),
            accelerator: Accelerator::Tcg,
            owner: None,
        };
        let owner = Some(Owner::new(Owner::preferred(&spec.machine)));
        let spec = LaunchSpec { owner, ..spec };
        Stage { dir, spec }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn enclosure(&self) -> Option<Enclosure> {
        let program = std::env::current_exe().unwrap();
        let owner = self.spec.owner?;
        Some(Enclosure::of(&self.spec, owner, &program, &[], Vec::new()).unwrap())
    }

    /// Runs the stand-in, which does `what`, and gives what it has to say.
    async fn run(&self, what: &str, prey: &Prey) -> Vec<String> {
        let said = self.start(what, prey, self.enclosure()).await;
        assert!(said.contains("test result: ok. 1 passed"), "{said}");
        let lines = said.lines().filter_map(|line| line.split_once("said: "));
        lines.map(|(_, said)| said.to_string()).collect()
    }

    /// The same with an enclosure of the caller's; all that was printed until it had ended, in whichever way.
    async fn start(&self, what: &str, prey: &Prey, enclosure: Option<Enclosure>) -> String {
        fs::write(&self.spec.kernel, serde_json::to_vec(prey).unwrap()).unwrap();
        let run_dir = RunDir::prepare(&self.spec.run_dir).unwrap();
        let name = format!("vmm::contain::tests::hostile::{what}");
        let arguments = ["--exact", &name, "--ignored", "--nocapture", "--"];
        let mut arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        arguments.push(self.spec.kernel.clone().into());
        let own = self.spec.run_dir.join("own");
        let directory = match own.is_dir() {
            true => own.as_path(),
            false => Path::new("/"),
        };
        let process = spawn(Spawn {
            program: &std::env::current_exe().unwrap(),
            directory,
            arguments,
            namespace: None,
            output: run_dir.output().unwrap(),
            console: None,
            keep: Vec::new(),
            enclosure,
        })
        .unwrap();
        process.wait_exit().await.unwrap();
        fs::read_to_string(self.spec.run_dir.join("hypervisor.log")).unwrap()
    }
}

impl Drop for Stage {
    /// Its hypervisor has ended; its control group has not.
    fn drop(&mut self) {
        release(&self.spec.machine, self.dir.path(), &[]).unwrap();
    }
}

#[tokio::test]
async fn a_hypervisor_that_was_taken_over_sees_its_machine_and_nothing_else() {
    let stage = Stage::new();
    let data = stage.data();
    let mut seen = stage.run("lists", &Prey::default()).await;
    let own = std::env::current_exe().unwrap();
    let mut expected: Vec<String> = [
        "/dev/null".into(),
        "/dev/urandom".into(),
        own.display().to_string(),
    ]
    .into();
    let files = [
        "vmlinuz",
        "volumes/own.ext4",
        "machines/own/initramfs",
        "machines/own/console.log",
    ];
    expected.extend(files.map(|file| data.join(file).display().to_string()));
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
    // What it had is this program's again.
    let number = stage.spec.owner.unwrap().number();
    let owner = |file: &str| fs::metadata(data.join(file)).unwrap().uid();
    assert_eq!(owner("volumes/own.ext4"), number);
    assert_eq!(owner("machines/own/console.log"), number);
    assert_eq!(owner("volumes/other.ext4"), 0);
    for _ in 0..2 {
        let disks = [
            data.join("volumes/own.ext4"),
            data.join("volumes/gone.ext4"),
        ];
        release(&stage.spec.machine, &data.join("machines/own"), &disks).unwrap();
        for file in files {
            assert_eq!(owner(file), 0, "{file}");
        }
    }
    let mode = |file: &str| fs::metadata(data.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("vmlinuz"), 0o644, "what machines share is shared");
    assert_eq!(mode("machines/own/initramfs"), 0o600);
}

#[tokio::test]
async fn a_file_in_memory_is_as_large_as_the_guest_s_and_alone() {
    let stage = Stage::new();
    let mut enclosure = stage.enclosure().unwrap();
    enclosure.give_memory(stage.spec.memory);
    let said = async |what| {
        let prey = Prey::default();
        stage.start(what, &prey, Some(enclosure.clone())).await
    };
    let seen = said("lists").await;
    assert!(seen.contains("said: /memory/guest\n"), "{seen}");
    let tried = said("remembers").await;
    let tried: Vec<_> = tried
        .lines()
        .filter_map(|line| line.strip_prefix("said: "))
        .collect();
    assert_eq!(
        tried,
        [
            "more than 128 MiB: ENOSPC",
            "another: EACCES",
            "remove: EACCES"
        ]
    );
}

/// Firecracker makes its socket and its states by itself, beside links to its disks.
#[tokio::test]
async fn a_folder_of_its_own_is_all_that_it_can_write_to() {
    let stage = Stage::new();
    let own = stage.spec.run_dir.join("own");
    fs::create_dir_all(&own).unwrap();
    symlink(&stage.spec.disks[0].path, own.join("disk0")).unwrap();
    let program = std::env::current_exe().unwrap();
    let more = vec![(own.clone(), Access::Writable)];
    let owner = stage.spec.owner.unwrap();
    let enclosure = Enclosure::of(&stage.spec, owner, &program, &[], more).unwrap();
    let said = (stage.start("settles", &Prey::default(), Some(enclosure))).await;
    let lines: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("said: "))
        .collect();
    assert_eq!(
        lines,
        [
            "socket: done",
            "file: done",
            "disk: done",
            "above: EROFS",
            "disk's folder: EXDEV"
        ],
        "{said}"
    );
    // The host finds what was made, where it was made.
    let run_dir = RunDir::open(&own).unwrap();
    let gone = run_dir.connect("control").unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(fs::read_to_string(own.join("state")).unwrap(), "saved");
    let link = run_dir.connect("disk0").unwrap_err();
    assert_eq!(
        link.kind(),
        std::io::ErrorKind::InvalidInput,
        "it is not followed"
    );
}

/// What it tries, and with what result, contained and, for comparison, not.
#[tokio::test]
async fn what_a_hypervisor_tries_against_its_host_is_refused() {
    let mut stage = Stage::new();
    let data = stage.data();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hidden = Uuid::new_v4().to_string();
    let address = SocketAddr::from_abstract_name(&hidden).unwrap();
    let _abstract = UnixListener::bind_addr(&address).unwrap();
    let prey = Prey {
        files: [
            "volumes/other.ext4",
            "sistemo.db",
            "ssh/id_ed25519",
            "machines/other/host_key",
        ]
        .map(|file| data.join(file))
        .into(),
        disk: stage.spec.disks[0].path.clone(),
        initramfs: stage.spec.initramfs.clone(),
        pid: std::process::id(),
        port: listener.local_addr().unwrap().port(),
        hidden,
        ..Prey::default()
    };
    let contained = stage.run("attacks", &prey).await;
    stage.spec.owner = None;
    let free = stage.run("attacks", &prey).await;
    let expected = [
        ("read volumes/other.ext4", "ENOENT"),
        ("read sistemo.db", "ENOENT"),
        ("read ssh/id_ed25519", "ENOENT"),
        ("read machines/other/host_key", "ENOENT"),
        ("write initramfs", "EROFS"),
        ("change initramfs", "EROFS"),
        ("make a file beside its disk", "EROFS"),
        ("make a file in /dev", "EROFS"),
        ("signal the program that started it", "ESRCH"),
        ("signal everybody", "ESRCH"),
        ("run a shell", "ENOENT"),
        ("connect to the host's loopback", "ENETUNREACH"),
        ("connect to the host's hidden socket", "ECONNREFUSED"),
        ("send to the internet", "ENETUNREACH"),
        ("listen to frames", "EPERM"),
        ("become root", "EPERM"),
        ("become somebody else", "EPERM"),
        ("mount", "EPERM"),
        ("make a user namespace", "EPERM"),
        ("make a device", "EROFS"),
        ("read the kernel's log", "EPERM"),
        ("raise a limit", "EPERM"),
    ];
    let refused: Vec<_> = expected
        .iter()
        .map(|(what, errno)| format!("{what}: {errno}"))
        .collect();
    assert_eq!(contained, refused);
    // Without containment most of that can be done, so that it is the containment that refuses it.
    let done: Vec<_> = free
        .iter()
        .filter(|line| line.ends_with(": done"))
        .collect();
    assert!(done.len() >= 14, "{free:#?}");
    assert!(done.iter().any(|line| line.starts_with("read sistemo.db")));
}

#[tokio::test]
async fn a_hypervisor_that_takes_without_end_comes_to_its_limits() {
    let stage = Stage::new();
    let enclosure = stage.enclosure().unwrap();
    let prey = Prey {
        disk: stage.spec.disks[0].path.clone(),
        file_size: enclosure.limits.file_size,
        data: enclosure.limits.data,
        processes: enclosure.limits.processes,
        open_files: enclosure.limits.open_files,
        ..Prey::default()
    };
    let said = stage.run("takes", &prey).await;
    assert_eq!(
        said,
        [
            "write beyond the largest file: EFBIG",
            "open files: EMFILE",
            "memory: ENOMEM",
            "processes: EAGAIN",
        ]
    );
    // All that it forked has gone with it.
    assert_eq!(of_user(stage.spec.owner.unwrap().number()), 0);
    let grown = fs::metadata(&stage.spec.disks[0].path).unwrap().len();
    assert!(grown <= enclosure.limits.file_size);
}

/// How many processes a user has that have not ended.
fn of_user(number: u32) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let own = entries.filter(|entry| entry.metadata().is_ok_and(|facts| facts.uid() == number));
    let pids = own.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| Stat::of(*pid).unwrap().is_some_and(|stat| !stat.ended))
        .count()
}

#[tokio::test]
async fn what_cannot_be_enclosed_is_not_started() {
    let mut stage = Stage::new();
    stage.spec.disks[0].path = stage.data().join("no-such.ext4");
    let run_dir = RunDir::prepare(&stage.spec.run_dir).unwrap();
    let error = spawn(Spawn {
        program: &std::env::current_exe().unwrap(),
        directory: Path::new("/"),
        arguments: Vec::new(),
        namespace: None,
        output: run_dir.output().unwrap(),
        console: None,
        keep: Vec::new(),
        enclosure: stage.enclosure(),
    })
    .unwrap_err();
    assert!(error.to_string().contains("no-such.ext4"), "{error}");
    assert!(Path::new("/proc/self").exists(), "this thread stays here");
}

#[test]
fn whether_it_is_wanted_follows_the_setting_and_the_host() {
    let able = Ability {
        obstacle: None,
        controllers: Ok(group::Controllers::of("cpu io memory pids")),
    };
    let ungrouped = Ability {
        controllers: Err("none".into()),
        ..able.clone()
    };
    let unable = Ability {
        obstacle: Some("not root".into()),
        ..able.clone()
    };
    let of = |choice, ability: &Ability| is_wanted(choice, ability).ok();
    for (choice, expected) in [
        (Choice::Auto, [Some(true), Some(true), Some(false)]),
        (Choice::Always, [Some(true), None, None]),
        (Choice::Never, [Some(false); 3]),
    ] {
        assert_eq!(
            [&able, &ungrouped, &unable].map(|a| of(choice, a)),
            expected
        );
    }
    for word in ["auto", "always", "never"] {
        assert!(word.parse::<Choice>().is_ok());
    }
    assert!("off".parse::<Choice>().is_err());
}
