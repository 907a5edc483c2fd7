//! What is dear and does not change: the guest kernel and images, kept between runs outside the checkout.
//!
//! `SISTEMO_TEST_CACHE` says where; by default `/var/cache/sistemo-tests`. The first run on a fresh machine makes them,
//! under a lock, as a user would: with `sistemo setup`. Everything is made under a temporary name and renamed.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image to deploy from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// busybox with its init: boots in seconds.
    Tiny,
    /// An init that the kernel refuses to execute.
    NoInit,
    /// The real recipe: Debian with systemd.
    Debian,
    /// Debian with docker and what sets networks up.
    Docker,
}

impl Image {
    /// What it is called in a lab.
    pub fn name(self) -> &'static str {
        match self {
            Image::Tiny => "tiny",
            Image::NoInit => "no-init",
            Image::Debian => "debian",
            Image::Docker => "docker",
        }
    }
}

/// Puts the cached kernel into a data directory. Its files are the cache's; what is made of them is not.
pub fn lend_kernel(kernels: &Path) {
    let cached = data_dir().join("kernels");
    let release = std::fs::read_link(cached.join("current")).unwrap();
    let folder = kernels.join(&release);
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(cached.join(&release)).unwrap() {
        let entry = entry.unwrap();
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with("initramfs-")
        {
            symlink(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    symlink(&release, kernels.join("current")).unwrap();
}

/// The cache's data directory, with a kernel in it.
fn data_dir() -> PathBuf {
    let folder = folder();
    let data = folder.join("data");
    once(
        &folder.join("data.lock"),
        &|| data.join("kernels/current").exists(),
        &|| {
            let status = sistemo(&data).args(["setup", "--yes"]).status().unwrap();
            assert!(status.success(), "sistemo setup failed");
        },
    );
    data
}

/// The disk of an image.
pub fn disk(image: Image) -> PathBuf {
    let folder = folder();
    let (name, init) = match image {
        Image::Tiny => ("tiny-1", Init::Busybox),
        Image::NoInit => ("no-init-1", Init::Text("neither a script nor a program\n")),
        Image::Debian => return debian(),
        Image::Docker => return docker(),
    };
    let path = folder.join(format!("{name}.ext4"));
    once(&folder.join("images.lock"), &|| path.exists(), &|| {
        make_tiny(&path, &init);
    });
    path
}

/// Where everything is kept.
fn folder() -> PathBuf {
    let folder = match std::env::var_os("SISTEMO_TEST_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => "/var/cache/sistemo-tests".into(),
    };
    let folder = folder.join("program");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes something that is not there, unless another process does.
fn once(lock: &Path, there: &dyn Fn() -> bool, make: &dyn Fn()) {
    let lock = File::create(lock).unwrap();
    lock.lock().unwrap();
    if !there() {
        make();
    }
    assert!(there());
}

fn sistemo(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sistemo"));
    command.arg("--data-dir").arg(data);
    command
}

/// The Debian that the recipe makes, made by the program itself.
fn debian() -> PathBuf {
    let data = data_dir();
    let lock = folder().join("debian.lock");
    once(&lock, &|| shown(&data, "debian").is_some(), &|| {
        let status = sistemo(&data).args(["image", "build"]).status().unwrap();
        assert!(status.success(), "sistemo image build failed");
    });
    shown(&data, "debian").unwrap()
}

/// A Debian as someone makes it who wants containers in a machine.
fn docker() -> PathBuf {
    let data = data_dir();
    let lock = folder().join("docker.lock");
    once(&lock, &|| shown(&data, "docker").is_some(), &|| {
        let folder = tempfile::tempdir_in(folder()).unwrap();
        let archive = folder.path().join("docker.tar");
        let packages = "apparmor,busybox-static,dbus,docker.io,iproute2,iptables,kmod,login,nftables,passwd,systemd,\
             systemd-sysv,udev,wireguard-tools";
        let made = Command::new("mmdebstrap")
            .args(["--variant=minbase", "--format=tar"])
            .arg(format!("--include={packages}"))
            .arg("--aptopt=Apt::Install-Recommends \"false\"")
            .arg("bookworm")
            .arg(&archive)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let import = sistemo(&data)
            .args(["image", "import", "--name", "docker"])
            .arg(&archive)
            .status()
            .unwrap();
        assert!(import.success(), "sistemo image import failed");
    });
    shown(&data, "docker").unwrap()
}

/// The disk of an image of the cache's data directory.
fn shown(data: &Path, name: &str) -> Option<PathBuf> {
    let show = ["image", "show", name, "-o", "json"];
    let shown = sistemo(data).args(show).output().unwrap();
    let image: serde_json::Value = serde_json::from_slice(&shown.stdout).ok()?;
    image["path"].as_str().map(PathBuf::from)
}

/// The host's busybox, which is static.
pub fn busybox() -> PathBuf {
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    let found = places.into_iter().find(|path| path.exists());
    found.expect("busybox: apt-get install busybox-static")
}

enum Init {
    Busybox,
    Text(&'static str),
}

/// A root file system with busybox and two users, root and www.
fn make_tiny(path: &Path, init: &Init) {
    let folder = tempfile::tempdir_in(path.parent().unwrap()).unwrap();
    let root = folder.path().join("root");
    for name in [
        "bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "root", "mnt", "home/www",
    ] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    std::fs::set_permissions(root.join("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    chown(root.join("home/www"), Some(1000), Some(1000)).unwrap();
    let busybox = busybox();
    std::fs::copy(&busybox, root.join("bin/busybox")).unwrap();
    let applets = Command::new(&busybox).arg("--list").output().unwrap();
    for applet in String::from_utf8(applets.stdout).unwrap().lines() {
        if applet != "busybox" && applet != "init" {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
    }
    let files = [
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nwww:x:1000:1000:www:/home/www:/bin/sh\n",
        ),
        ("etc/group", "root:x:0:\nwww:x:1000:\n"),
        (
            "etc/inittab",
            "::sysinit:/bin/echo tiny: up\n::shutdown:/bin/umount -a -r\n",
        ),
    ];
    for (name, text) in files {
        std::fs::write(root.join(name), text).unwrap();
    }
    let at = root.join("sbin/init");
    match init {
        Init::Busybox => symlink("../bin/busybox", at).unwrap(),
        Init::Text(text) => {
            std::fs::write(&at, text).unwrap();
            std::fs::set_permissions(&at, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
    let partial = folder.path().join("disk");
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-d"])
        .arg(&root)
        .arg(&partial)
        .arg("24M")
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::rename(partial, path).unwrap();
}
