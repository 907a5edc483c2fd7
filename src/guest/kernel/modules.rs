//! Which modules the initramfs needs, and in which order they load.
//!
//! `depmod` wrote the answers down: `modules.dep` lists for each module all that it needs, to be loaded from right to
//! left, and `modules.builtin` what is in the kernel itself (modules.dep(5), Documentation/kbuild/kbuild.rst).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Error;

/// Without these, in the kernel or as a module, a machine does not reach its root disk or its network.
const NEEDED: [&str; 4] = ["virtio_mmio", "virtio_blk", "virtio_net", "ext4"];
/// Loaded as well when the kernel has them: entropy from the host, checksums for ext4, and what else makes ext4's
/// `crc32c` resolve (it asks for that by an alias, which `modules.dep` does not show).
const WELCOME: [&str; 3] = ["virtio_rng", "crc32c_generic", "crc32c_intel"];

/// A module of the initramfs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// Name as in `lsmod`, with underscores.
    pub(super) name: String,
    /// The file, possibly compressed.
    pub(super) path: PathBuf,
}

/// The modules to load from the tree `root` (the content of `/lib/modules/RELEASE`), in order.
pub(super) fn to_load(root: &Path) -> Result<Vec<Module>, Error> {
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).map_err(|source| Error::Read {
            path: root.join(name),
            source,
        })
    };
    let order = resolve(&read("modules.dep")?, &read("modules.builtin")?)?;
    Ok(order
        .into_iter()
        .map(|relative| Module {
            name: name_of(&relative),
            path: root.join(relative),
        })
        .collect())
}

fn resolve(dep: &str, builtin: &str) -> Result<Vec<String>, Error> {
    let built_in: BTreeSet<String> = builtin.lines().map(name_of).collect();
    let known: BTreeMap<String, (&str, &str)> = dep
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, needs)| (name_of(path), (path, needs)))
        .collect();
    let mut order: Vec<String> = Vec::new();
    for (wanted, needed) in
        (NEEDED.iter().map(|name| (*name, true))).chain(WELCOME.iter().map(|name| (*name, false)))
    {
        if built_in.contains(wanted) {
            continue;
        }
        let Some((path, needs)) = known.get(wanted) else {
            if needed {
                return Err(Error::ModuleMissing { name: wanted });
            }
            continue;
        };
        // Checksums are for ext4, which the kernel may have built in with all it needs.
        if wanted.starts_with("crc32c") && built_in.contains("ext4") {
            continue;
        }
        for path in needs.split_whitespace().rev().chain([*path]) {
            if !order.iter().any(|p| p == path) {
                order.push(path.into());
            }
        }
    }
    Ok(order)
}

/// `kernel/drivers/char/hw_random/virtio-rng.ko.xz` is `virtio_rng`.
fn name_of(path: &str) -> String {
    let file = path.trim().rsplit('/').next().unwrap_or_default();
    let name = file.split(".ko").next().unwrap_or_default();
    name.replace('-', "_")
}

/// A module's bytes, uncompressed: the guest's loader takes nothing else.
pub(super) fn uncompressed(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    let read = |reader: &mut dyn Read| -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        reader.read_to_end(&mut out)?;
        Ok(out)
    };
    let name = path.to_string_lossy();
    match name.rsplit('.').next() {
        Some("xz") => read(&mut lzma_rust2::XzReader::new(&bytes[..], true)),
        Some("zst") => zstd::decode_all(&bytes[..]),
        Some("gz") => read(&mut flate2::read::MultiGzDecoder::new(&bytes[..])),
        _ => return Ok(bytes),
    }
    .map_err(Error::Decompress)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
        kernel/drivers/virtio/virtio.ko.xz:\n\
        kernel/drivers/virtio/virtio_ring.ko.xz: kernel/drivers/virtio/virtio.ko.xz\n\
        kernel/drivers/virtio/virtio_mmio.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz\n\
        kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz\n\
        kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz\n\
        kernel/drivers/char/hw_random/virtio-rng.ko.xz:\n";

    #[test]
    fn each_module_comes_after_what_it_needs() {
        let order = resolve(DEP, "kernel/fs/ext4/ext4.ko\n").unwrap();
        let names: Vec<String> = order.iter().map(|p| name_of(p)).collect();
        assert_eq!(
            names,
            [
                "virtio",
                "virtio_ring",
                "virtio_mmio",
                "virtio_blk",
                "failover",
                "net_failover",
                "virtio_net",
                "virtio_rng"
            ]
        );
    }

    #[test]
    fn a_kernel_that_cannot_reach_its_disk_is_refused() {
        let error = resolve(DEP, "").unwrap_err();
        assert!(
            matches!(error, Error::ModuleMissing { name: "ext4" }),
            "{error}"
        );
    }

    #[test]
    fn what_is_built_in_is_not_loaded() {
        let all = "kernel/a/virtio_mmio.ko\nkernel/a/virtio_blk.ko\nkernel/a/virtio_net.ko\n\
            kernel/a/ext4.ko\nkernel/a/virtio-rng.ko\n";
        assert_eq!(resolve(DEP, all).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn modules_are_uncompressed_by_their_suffix() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("a.ko");
        fs::write(&plain, b"\x7fELF module").unwrap();
        for tool in ["xz", "zstd", "gzip"] {
            let made = std::process::Command::new(tool)
                .arg("-kq")
                .arg(&plain)
                .status();
            assert!(made.unwrap().success(), "{tool}");
        }
        for suffix in ["", ".xz", ".zst", ".gz"] {
            let path = dir.path().join(format!("a.ko{suffix}"));
            assert_eq!(uncompressed(&path).unwrap(), b"\x7fELF module", "{suffix}");
        }
    }
}
