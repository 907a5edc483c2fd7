//! A real kernel and a real busybox for tests, fetched once by the host's apt and kept outside the checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Kernel, Kernels, fetch};
use crate::host::packages::PackageManager;

/// Where tests keep what is dear to make: `SISTEMO_TEST_CACHE`, else a directory of the user's or the system's.
pub(crate) fn cache() -> PathBuf {
    let path = std::env::var_os("SISTEMO_TEST_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("XDG_CACHE_HOME")?).join("sistemo-tests")))
        .unwrap_or_else(|| "/var/cache/sistemo-tests".into());
    fs::create_dir_all(&path).unwrap();
    path
}

/// The distribution's kernel for virtual machines, installed in a store of the cache.
pub(crate) fn kernel() -> Kernel {
    let cache = cache();
    let lock = File::create(cache.join("kernel.lock")).unwrap();
    lock.lock().unwrap();
    let kernels = Kernels::new(&cache);
    if let Some(kernel) = kernels.current() {
        return kernel;
    }
    let packages = tempfile::tempdir_in(&cache).unwrap();
    let fetch = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let fetched = runtime.block_on(fetch(PackageManager::Apt, packages.path(), None));
        kernels.install_all(&fetched.unwrap()).unwrap()
    };
    // A thread of its own: whoever asks first may be within a runtime.
    std::thread::scope(|scope| scope.spawn(fetch).join().unwrap())
}

/// A statically linked busybox.
pub(crate) fn busybox() -> PathBuf {
    let cache = cache();
    let lock = File::create(cache.join("busybox.lock")).unwrap();
    lock.lock().unwrap();
    let place = cache.join("busybox");
    if !place.exists() {
        let work = tempfile::tempdir_in(&cache).unwrap();
        let run = |line: &str| {
            let ran = Command::new("sh")
                .args(["-ec", line])
                .current_dir(&work)
                .output();
            let ran = ran.unwrap();
            assert!(
                ran.status.success(),
                "{}",
                String::from_utf8_lossy(&ran.stderr)
            );
        };
        run("apt-get -q download busybox-static && dpkg-deb -x busybox-static_*.deb .");
        let found = ["bin/busybox", "usr/bin/busybox"].map(|path| work.path().join(path));
        fs::rename(found.iter().find(|p| p.exists()).unwrap(), &place).unwrap();
    }
    place
}

#[test]
fn a_distributions_kernel_becomes_one_that_boots_anywhere() {
    let kernel = kernel();
    assert!(fs::read(kernel.bzimage()).unwrap()[0x202..].starts_with(b"HdrS"));
    assert!(fs::read(kernel.elf()).unwrap().starts_with(b"\x7fELF"));
    let names: Vec<String> = (kernel.boot_modules().unwrap().into_iter())
        .map(|(name, path)| {
            assert!(fs::read(path).unwrap().starts_with(b"\x7fELF"), "{name}");
            name
        })
        .collect();
    assert!(names.contains(&"virtio_blk".to_string()), "{names:?}");
    let image = kernel.modules_image().unwrap();
    let check = Command::new("e2fsck")
        .args(["-fn"])
        .arg(&image)
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
    let list = debugfs(&image, "ls -p /");
    for index in ["modules.dep.bin", "modules.alias.bin", "modules.builtin"] {
        assert!(list.contains(&format!("/{index}/")), "{list}");
    }
    assert!(debugfs(&image, "stat /modules.dep").contains("User:     0   Group:     0"));
}

#[test]
fn an_installation_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kernels = Kernels::new(dir.path());
    let file = dir.path().join("a.deb");
    fs::write(&file, "no package").unwrap();
    assert!(kernels.install(&file).is_err());
    let text = dir.path().join("vmlinuz");
    fs::write(&text, "no kernel").unwrap();
    assert!(matches!(
        kernels.install(&text),
        Err(super::Error::NotAKernel)
    ));
    assert!(matches!(
        kernels.install(Path::new("/no/such/kernel")),
        Err(super::Error::Read { .. })
    ));
    assert!(kernels.current().is_none());
    assert_eq!(fs::read_dir(dir.path().join("kernels")).unwrap().count(), 0);
}

#[test]
fn leftovers_of_a_killed_installation_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let kernels = Kernels::new(dir.path());
    kernels.sweep().unwrap();
    let store = dir.path().join("kernels");
    for name in [".new-abc/tree", ".old-x", "6.1"] {
        fs::create_dir_all(store.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("6.1", store.join(".current-1")).unwrap();
    kernels.sweep().unwrap();
    let left: Vec<_> = fs::read_dir(&store)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["6.1"]);
}

fn debugfs(image: &Path, request: &str) -> String {
    let ran = Command::new("debugfs")
        .args(["-R", request])
        .arg(image)
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}
