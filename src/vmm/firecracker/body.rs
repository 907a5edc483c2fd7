//! The bodies of requests to Firecracker's API, field by field as its description has them (`definitions` of
//! `src/firecracker/swagger/firecracker.yaml`, 1.17). What is `None` is left out, and so has the default there.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Logger {
    pub(super) level: LogLevel,
    pub(super) show_level: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum LogLevel {
    Warning,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Metrics {
    pub(super) metrics_path: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct MachineConfig {
    /// 1..=32.
    pub(super) vcpu_count: u8,
    pub(super) mem_size_mib: u32,
    pub(super) smt: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) huge_pages: Option<HugePages>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum HugePages {
    Transparent,
    #[serde(rename = "2M")]
    TwoMebibytes,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct BootSource {
    pub(super) kernel_image_path: String,
    pub(super) initrd_path: String,
    pub(super) boot_args: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Drive {
    pub(super) drive_id: String,
    pub(super) path_on_host: String,
    pub(super) is_root_device: bool,
    pub(super) is_read_only: bool,
    pub(super) cache_type: CacheType,
    pub(super) io_engine: IoEngine,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate_limiter: Option<RateLimiter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum CacheType {
    /// A guest's flush reaches the disk. `Unsafe`, the default there, drops flushes.
    Writeback,
}

/// How a drive reads and writes its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum IoEngine {
    /// One request after the other, on the thread of all devices.
    Sync,
    /// With io_uring.
    Async,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RateLimiter {
    pub(super) ops: TokenBucket,
}

/// `size` tokens, as many of which come back in `refill_time` milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TokenBucket {
    pub(super) size: u64,
    pub(super) refill_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) one_time_burst: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct NetworkInterface {
    pub(super) iface_id: String,
    pub(super) host_dev_name: String,
    pub(super) guest_mac: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mtu: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Entropy {}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Balloon {
    pub(super) amount_mib: u32,
    pub(super) deflate_on_oom: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) free_page_reporting: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Serial {
    pub(super) rate_limiter: TokenBucket,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Action {
    pub(super) action_type: ActionType,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum ActionType {
    InstanceStart,
    SendCtrlAltDel,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Vm {
    pub(super) state: VmState,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum VmState {
    Paused,
    Resumed,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct SnapshotCreate {
    pub(super) snapshot_type: SnapshotType,
    pub(super) snapshot_path: String,
    pub(super) mem_file_path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum SnapshotType {
    Full,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct SnapshotLoad {
    pub(super) snapshot_path: String,
    pub(super) mem_backend: MemoryBackend,
    pub(super) resume_vm: bool,
    /// Not known before 1.17. Left out: as they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) huge_pages: Option<LoadedPages>,
}

/// What memory that is loaded from a file can be of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum LoadedPages {
    None,
    Transparent,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct MemoryBackend {
    pub(super) backend_type: BackendType,
    pub(super) backend_path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum BackendType {
    File,
}

/// What is of interest in the answer to the question for a machine's configuration.
#[derive(Debug, Deserialize)]
pub(super) struct MachineConfigShown {
    /// Ordinary ones where it is missing.
    #[serde(default)]
    pub(super) huge_pages: Option<String>,
}

impl MachineConfigShown {
    /// Whether guest memory is of pages of hugetlbfs.
    pub(super) fn is_of_hugetlbfs(&self) -> bool {
        self.huge_pages.as_deref() == Some("2M")
    }
}

/// What the answer to the question for the version holds.
#[derive(Debug, Deserialize)]
pub(super) struct FirecrackerVersion {
    pub(super) firecracker_version: String,
}

/// What is in the body of an answer that refuses.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    pub(super) fault_message: String,
}
