//! Which kernel modules a guest needs before it can reach its root disk, in the order in which they load.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::kernel::{Error, Kernel};

/// What the guest program cannot do without: virtio over memory-mapped I/O, disk, network and entropy, and ext4. What
/// a kernel has built in, or does not know under that name, is left out, but for those in [`REQUIRED`].
const WANTED: &[&str] = &[
    "virtio_mmio",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "ext4",
];
/// Without one of these, as a module or built in, no guest comes up.
const REQUIRED: &[&str] = &["virtio_mmio", "virtio_blk", "virtio_net", "ext4"];

/// A module to load.
#[derive(Debug)]
pub(super) struct Module {
    /// Name without path and suffix, as file names have it.
    pub(super) name: String,
    /// The uncompressed ELF object.
    pub(super) bytes: Vec<u8>,
}

/// The wanted modules with all that they depend on.
pub(super) fn needed(kernel: &Kernel) -> Result<Vec<Module>, Error> {
    let read = |name: &str| {
        let path = kernel.modules.join(name);
        std::fs::read_to_string(&path).map_err(|source| Error::File {
            what: "read",
            path,
            source,
        })
    };
    let dependencies = parse(&read("modules.dep")?);
    let built_in: BTreeSet<String> = read("modules.builtin")?.lines().map(name_of).collect();
    let order = order(WANTED, &dependencies);
    for name in REQUIRED {
        if !built_in.contains(*name) && !order.iter().any(|path| name_of(path) == *name) {
            return Err(Error::Module {
                release: kernel.release.clone(),
                name: name.to_string(),
            });
        }
    }
    order
        .iter()
        .map(|path| load(&kernel.modules.join(path)))
        .collect()
}

/// `modules.dep` (modules.dep(5)): a module's path, a colon, and all that it depends on, nearest first.
fn parse(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let lines = text.lines().filter_map(|line| {
        let (path, needs) = line.split_once(':')?;
        let needs = needs.split_whitespace().map(ToString::to_string).collect();
        Some((name_of(path), (path.to_string(), needs)))
    });
    lines.collect()
}

/// Paths in the order in which they load, none twice.
fn order(wanted: &[&str], known: &BTreeMap<String, (String, Vec<String>)>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for (path, needs) in wanted.iter().filter_map(|name| known.get(*name)) {
        // The farthest dependency loads first.
        for path in needs.iter().rev().chain([path]) {
            if !order.contains(path) {
                order.push(path.clone());
            }
        }
    }
    order
}

/// A module's name: the file's without suffixes; dashes and underscores are the same to the kernel.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

/// Reads a module, which distributions may have compressed.
fn load(path: &Path) -> Result<Module, Error> {
    let fail = |source| Error::File {
        what: "read",
        path: PathBuf::from(path),
        source,
    };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    let suffix = path
        .extension()
        .and_then(|suffix| suffix.to_str())
        .unwrap_or_default();
    match suffix {
        "xz" => liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes),
        "zst" => zstd::stream::read::Decoder::new(file).and_then(|mut d| d.read_to_end(&mut bytes)),
        "gz" => flate2::read::GzDecoder::new(file).read_to_end(&mut bytes),
        _ => std::io::BufReader::new(file).read_to_end(&mut bytes),
    }
    .map_err(fail)?;
    Ok(Module {
        name: name_of(&path.to_string_lossy()),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_load_before_what_needs_them_and_once() {
        let known = parse(
            "kernel/drivers/virtio/virtio.ko:\n\
             kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko\n\
             kernel/drivers/virtio/virtio_mmio.ko.xz: kernel/drivers/virtio/virtio_ring.ko \
             kernel/drivers/virtio/virtio.ko\n\
             kernel/net/core/failover.ko:\n\
             kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko\n\
             kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko \
             kernel/net/core/failover.ko kernel/drivers/virtio/virtio_ring.ko \
             kernel/drivers/virtio/virtio.ko\n",
        );
        let names: Vec<_> = order(&["virtio_mmio", "virtio_net", "ext4"], &known)
            .iter()
            .map(|p| name_of(p))
            .collect();
        assert_eq!(
            names,
            [
                "virtio",
                "virtio_ring",
                "virtio_mmio",
                "failover",
                "net_failover",
                "virtio_net"
            ]
        );
    }

    #[test]
    fn names_lose_path_suffix_and_dashes() {
        assert_eq!(
            name_of("kernel/drivers/char/hw_random/virtio-rng.ko.zst"),
            "virtio_rng"
        );
    }
}
