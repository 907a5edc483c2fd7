//! The calls that make a machine, in order: pure data, so that they are tested as such.
//!
//! The description has the order only as "pre-boot" and "post-boot"; what is made of several calls, or may be too much
//! for the host, comes early, so that what cannot be had is said before anything else is made.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::body::{
    Action, ActionType, BackendType, Balloon, BootSource, CacheType, Drive, Entropy, HugePages,
    IoEngine, LoadedPages, LogLevel, Logger, MachineConfig, MemoryBackend, Metrics,
    NetworkInterface, RateLimiter, Serial, SnapshotCreate, SnapshotLoad, SnapshotType, TokenBucket,
    Vm, VmState,
};
use super::state;
use super::version::{Features, Version};
use crate::vmm::error::Error;
use crate::vmm::{self, Disk, LaunchSpec, MOST_FIRECRACKER_VCPUS};

/// How many virtio devices a machine may have: interrupts 5 to 23 are theirs (src/vmm/src/arch/x86_64/layout.rs), less
/// those of VMGenID and of VMClock, which are made without being asked for.
const MOST_DEVICES: usize = 17;
/// What a guest may print in a second, and at once in the beginning: a boot prints some ten KiB as fast as it can, and
/// the rest is for floods, which are cut out of the log anyway (`console`). What is beyond is dropped, not waited for.
const SERIAL_BYTES: u64 = 1 << 20;
const SERIAL_BURST: u64 = 4 << 20;
/// A second, in milliseconds.
const SECOND: u64 = 1000;

/// A call: a body for a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// `PUT`, `PATCH` for what changes a part, `GET` for a question.
    pub(super) method: &'static str,
    pub(super) path: String,
    /// Null for a call without one.
    pub(super) body: Value,
}

impl Call {
    fn new(path: impl Into<String>, body: impl Serialize) -> Result<Call, Error> {
        Call::of("PUT", path.into(), body)
    }

    fn of(method: &'static str, path: String, body: impl Serialize) -> Result<Call, Error> {
        let body = serde_json::to_value(body).map_err(|error| Error::Broken {
            request: format!("{method} {path}"),
            source: error.into(),
        })?;
        Ok(Call { method, path, body })
    }

    /// Asks for Firecracker's version.
    pub(super) fn version() -> Call {
        Call::question("/version")
    }

    /// Asks for the machine's processors and memory.
    pub(super) fn machine_config() -> Call {
        Call::question("/machine-config")
    }

    fn question(path: &str) -> Call {
        Call {
            method: "GET",
            path: path.into(),
            body: Value::Null,
        }
    }

    /// Holds the guest's processors still, or lets them go on.
    pub(super) fn vm(state: VmState) -> Result<Call, Error> {
        Call::of("PATCH", "/vm".into(), Vm { state })
    }

    /// Writes the state of a paused machine to files of these names: devices and processors, memory.
    pub(super) fn save([state, memory]: [&str; 2]) -> Result<Call, Error> {
        let body = SnapshotCreate {
            snapshot_type: SnapshotType::Full,
            snapshot_path: state.into(),
            mem_file_path: memory.into(),
        };
        Call::new("/snapshot/create", body)
    }

    /// Loads a state from these files, and lets it go on.
    fn load([state, memory]: [PathBuf; 2], huge_pages: Option<LoadedPages>) -> Result<Call, Error> {
        let body = SnapshotLoad {
            snapshot_path: text(&state)?,
            mem_backend: MemoryBackend {
                backend_type: BackendType::File,
                backend_path: text(&memory)?,
            },
            resume_vm: true,
            huge_pages,
        };
        Call::new("/snapshot/load", body)
    }

    /// Starts the guest.
    pub(super) fn start() -> Result<Call, Error> {
        Call::action(ActionType::InstanceStart)
    }

    /// Presses Ctrl, Alt and Delete.
    pub(super) fn ctrl_alt_del() -> Result<Call, Error> {
        Call::action(ActionType::SendCtrlAltDel)
    }

    fn action(action_type: ActionType) -> Result<Call, Error> {
        Call::new("/actions", Action { action_type })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What the calls depend on besides the machine.
#[derive(Clone, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) version: Version,
    pub(super) io_engine: IoEngine,
    /// The pipe that takes metrics.
    pub(super) metrics: &'a Path,
}

/// Refuses what Firecracker cannot do, before anything is made.
pub(super) fn check(spec: &LaunchSpec, version: Version) -> Result<(), Error> {
    vmm::check_vcpus(spec.vcpus)?;
    // Two more: entropy and balloon.
    let devices = spec.disks.len() + spec.taps.len() + 2;
    if devices > MOST_DEVICES {
        return Err(Error::Unfit(format!(
            "a machine under Firecracker has at most {MOST_DEVICES} devices, and this one would have {devices}"
        )));
    }
    let transparent = spec.huge_pages == vmm::HugePages::Transparent;
    if transparent && !version.features().transparent_huge_pages {
        return Err(Error::Unfit(format!(
            "Firecracker {version} has no transparent huge pages; they came with 1.17"
        )));
    }
    Ok(())
}

/// The calls for `spec`; with the last of them the guest runs.
pub(super) fn calls(
    spec: &LaunchSpec,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<Call>, Error> {
    check(spec, circumstances.version)?;
    let features = circumstances.version.features();
    let mut calls = vec![
        // Until now it has written down all it does, so that the log tells when it listens.
        Call::new(
            "/logger",
            Logger {
                level: LogLevel::Warning,
                show_level: true,
            },
        )?,
        Call::new(
            "/metrics",
            Metrics {
                metrics_path: text(circumstances.metrics)?,
            },
        )?,
    ];
    if let Some(restore) = &spec.restore {
        // All else is in the state but the limit of the serial port, and nothing else may be said before: the log of a
        // flood is cut all the same (`console`).
        let pages = features.other_huge_pages_on_load;
        let pages = pages.then(|| loaded_pages(spec.huge_pages));
        calls.push(Call::load(state::files(&restore.folder), pages)?);
        return Ok(calls);
    }
    calls.extend([
        Call::new("/machine-config", machine_config(spec)?)?,
        Call::new(
            "/boot-source",
            BootSource {
                kernel_image_path: text(&spec.kernel)?,
                initrd_path: text(&spec.initramfs)?,
                boot_args: spec.command_line.clone(),
            },
        )?,
    ]);
    let writable = spec.disks.iter().filter(|disk| !disk.read_only).count();
    let ops = spec.iops.map(|most| share(most, writable));
    for (index, disk) in spec.disks.iter().enumerate() {
        let drive = drive(index, disk, ops.clone(), circumstances.io_engine);
        calls.push(Call::new(format!("/drives/{}", drive.drive_id), drive)?);
    }
    for (index, tap) in spec.taps.iter().enumerate() {
        // Without limits of its own: those of bandwidth are on the host's links, the same for every hypervisor.
        let iface_id = format!("eth{index}");
        let path = format!("/network-interfaces/{iface_id}");
        let interface = NetworkInterface {
            iface_id,
            host_dev_name: tap.name.clone(),
            guest_mac: tap.mac.clone(),
            mtu: tap.mtu.filter(|_| features.mtu),
        };
        calls.push(Call::new(path, interface)?);
    }
    calls.push(Call::new("/entropy", Entropy {})?);
    // Pages of hugetlbfs cannot be given back in parts; some releases refuse both together.
    if spec.huge_pages != vmm::HugePages::TwoMebibytes {
        calls.push(Call::new("/balloon", balloon(features))?);
    }
    if features.serial_rate_limit {
        let rate_limiter = TokenBucket {
            size: SERIAL_BYTES,
            refill_time: SECOND,
            one_time_burst: Some(SERIAL_BURST),
        };
        calls.push(Call::new("/serial", Serial { rate_limiter })?);
    }
    calls.push(Call::start()?);
    Ok(calls)
}

fn machine_config(spec: &LaunchSpec) -> Result<MachineConfig, Error> {
    let (huge_pages, unit) = match spec.huge_pages {
        vmm::HugePages::None => (None, 1),
        // "Guest memory size must be a multiple of 2MB" for both (docs/hugepages.md).
        vmm::HugePages::Transparent => (Some(HugePages::Transparent), 2),
        vmm::HugePages::TwoMebibytes => (Some(HugePages::TwoMebibytes), 2),
    };
    let mib = spec.memory.mib_up().next_multiple_of(unit);
    let mem_size_mib = u32::try_from(mib)
        .map_err(|_| Error::Unfit(format!("{} of memory are too much", spec.memory)))?;
    Ok(MachineConfig {
        vcpu_count: spec.vcpus.min(MOST_FIRECRACKER_VCPUS),
        mem_size_mib,
        // It would want an even number of processors, and changes only how the guest counts them.
        smt: false,
        huge_pages,
    })
}

/// A disk. It cannot be given a serial number (Firecracker makes one of the file's device and inode), so the guest finds
/// it by its place. The guest's initramfs mounts its root, so that none is the root device here. Its path is a link in
/// the working directory (`state` says why).
fn drive(index: usize, disk: &Disk, ops: Option<TokenBucket>, io_engine: IoEngine) -> Drive {
    Drive {
        drive_id: link(index),
        path_on_host: link(index),
        is_root_device: false,
        is_read_only: disk.read_only,
        cache_type: CacheType::Writeback,
        io_engine,
        rate_limiter: ops.map(|ops| RateLimiter { ops }),
    }
}

/// The name of a disk, and of the link in the working directory that leads to it.
pub(super) fn link(index: usize) -> String {
    format!("disk{index}")
}

/// Firecracker limits each drive by itself and knows no limit of all. So the disks that the guest can write share the
/// limit evenly, and together they never have more; a read-only disk, of kernel modules, has as much as one of them on
/// top of that.
fn share(most: u32, writable: usize) -> TokenBucket {
    let size = u64::from(most) / (writable.max(1) as u64);
    TokenBucket {
        size: size.max(1),
        refill_time: SECOND,
        one_time_burst: None,
    }
}

/// Memory is mapped from a file when it is loaded, which pages of hugetlbfs cannot be.
fn loaded_pages(wished: vmm::HugePages) -> LoadedPages {
    match wished {
        vmm::HugePages::Transparent => LoadedPages::Transparent,
        vmm::HugePages::None | vmm::HugePages::TwoMebibytes => LoadedPages::None,
    }
}

/// It takes nothing from the guest by itself; what the guest frees goes back to the host. The guest is not asked for
/// statistics, which nobody reads, and which Firecracker before 1.14 stumbles over when its kernel is newer than that.
fn balloon(features: Features) -> Balloon {
    Balloon {
        amount_mib: 0,
        deflate_on_oom: true,
        free_page_reporting: features.free_page_reporting.then_some(true),
    }
}

/// A path as JSON can have it.
fn text(path: &Path) -> Result<String, Error> {
    let text = path
        .to_str()
        .ok_or_else(|| Error::Unfit(format!("the path {} is not UTF-8", path.display())))?;
    Ok(text.into())
}
