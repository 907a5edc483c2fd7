//! Finds the hypervisor of a machine when nobody wrote its identity down.
//!
//! A starter may be killed between the moment its child exists and the moment it has recorded it. The child then has
//! the machine's marker on its command line; or, when it has not been executed yet, the lock of its run directory open.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::process::{Process, State};
use super::run_dir::lock_path;

/// What stands on a hypervisor's command line for a machine, behind `-name` (QEMU) or `--id` (Firecracker).
pub(super) fn marker(machine: &str) -> String {
    format!("sistemo-{machine}")
}

/// Every process that is the hypervisor of `machine`, or is about to become it in `run_dir`. Needs no privilege for
/// processes of the same user.
pub fn find_strays(machine: &str, run_dir: &Path) -> io::Result<Vec<Process>> {
    let marker = marker(machine);
    let named = processes(|pid| has_marker(pid, &marker))?;
    if !named.is_empty() {
        return Ok(named);
    }
    let Ok(lock) = fs::canonicalize(lock_path(run_dir)) else {
        return Ok(Vec::new());
    };
    let held = fs::File::open(&lock).is_ok_and(|file| file.try_lock_shared().is_err());
    if !held {
        return Ok(Vec::new());
    }
    let own = std::process::id();
    let holders = processes(|pid| pid != own && has_open(pid, &lock))?;
    // It may have been executed between the two looks.
    Ok(holders)
}

/// Processes that `wanted` says yes to and that are still alive.
fn processes(wanted: impl Fn(u32) -> bool) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        // The identity is read first: what has the marker afterwards is that process or a program executed by it.
        let Ok(process) = Process::with_pid(pid) else {
            continue;
        };
        if wanted(pid) && process.current_state()? == State::Alive {
            found.push(process);
        }
    }
    Ok(found)
}

fn has_marker(pid: u32, marker: &str) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let arguments: Vec<&[u8]> = line.split(|b| *b == 0).collect();
    arguments.windows(2).any(|pair| {
        let names = pair[0] == b"-name" || pair[0] == b"--id";
        let value = pair[1].split(|b| *b == b',').next();
        names && value == Some(marker.as_bytes())
    })
}

fn has_open(pid: u32, path: &Path) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|d| fs::read_link(d.path()).ok())
        .any(|target| target.as_os_str().as_bytes() == path.as_os_str().as_bytes())
}
