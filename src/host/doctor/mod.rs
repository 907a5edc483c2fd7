//! Doctor: checks each part of this host for real, and says how to mend what fails.
//!
//! Nothing of it changes the host: files are written to the data directory and removed again, network objects are made
//! in a namespace that nobody else sees and that is gone a moment later.

mod network;
mod storage;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::packages::{PackageManager, Tool};
use crate::guest::kernel::Kernels;
use crate::store::Store;
use crate::value::ByteSize;
use crate::vmm::qemu::Qemu;
use crate::vmm::{Accelerator, Choice, Vmm, probe};

/// QEMU's `microvm` machine has a power button and ACPI since 5.2, and all that the driver asks for since 6.0.
const OLDEST_QEMU: (u32, u32) = (6, 0);
/// Less free memory than this does not hold a machine of the default size, in MiB.
const LEAST_MEMORY: u64 = 768;
/// A clock before this is wrong, in seconds since 1970: 2025-01-01, before this program was written.
const PAST: i64 = 1_735_689_600;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, one or two words.
    #[serde(rename = "check")]
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub message: String,
    /// How to mend it, or a remark.
    pub hint: Option<String>,
}

impl Check {
    fn good(name: &'static str, message: impl Into<String>) -> Self {
        Check {
            name,
            ok: true,
            message: message.into(),
            hint: None,
        }
    }

    fn bad(name: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Check {
            name,
            ok: false,
            message: message.into(),
            hint: Some(mend.into()),
        }
    }

    fn with_remark(mut self, remark: impl Into<String>) -> Self {
        self.hint = Some(remark.into());
        self
    }
}

/// What the checks have to know.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The database file.
    pub database: PathBuf,
    /// The guest program, beside the running one by default.
    pub guest_program: PathBuf,
    /// The private key by which machines are entered.
    pub key_file: PathBuf,
    /// The `accelerator` setting.
    pub accelerator: Choice,
    /// The `min_disk_free` setting.
    pub min_disk_free: ByteSize,
}

/// Checks everything; takes a second or two.
pub async fn examine(subject: &Subject) -> Vec<Check> {
    let mut checks = Vec::new();
    let off_thread = {
        let subject = subject.clone();
        tokio::task::spawn_blocking(move || local(&subject))
    };
    checks.push(hypervisor().await);
    checks.extend(off_thread.await.unwrap_or_default());
    checks
}

/// All that only looks at files and the kernel.
fn local(subject: &Subject) -> Vec<Check> {
    vec![
        accelerator(subject),
        kernel(&subject.data_dir),
        guest_program(&subject.guest_program),
        tools(),
        storage::data_directory(&subject.data_dir),
        storage::disk(&subject.data_dir, subject.min_disk_free),
        database(&subject.database),
        keys(&subject.key_file),
        memory(),
        network::check(),
        clock(),
        leftovers(&subject.data_dir),
    ]
}

fn accelerator(subject: &Subject) -> Check {
    const NAME: &str = "accelerator";
    let found = probe(&subject.data_dir);
    let slow = "machines run in software emulation, several times slower than with KVM; \
        KVM needs a processor with VT-x or AMD-V switched on, or a host that passes it on";
    match (subject.accelerator, found.accelerator) {
        (Choice::Kvm, Accelerator::Tcg) => Check::bad(
            NAME,
            format!("the setting is kvm, but {}", found.reason),
            "set accelerator = \"auto\" in the settings",
        ),
        (_, Accelerator::Kvm) => Check::good(NAME, format!("kvm: {}", found.reason)),
        (_, Accelerator::Tcg) => {
            Check::good(NAME, format!("tcg: {}", found.reason)).with_remark(slow)
        }
    }
}

async fn hypervisor() -> Check {
    const NAME: &str = "hypervisor";
    let qemu = match Qemu::find() {
        Ok(qemu) => qemu,
        Err(error) => return Check::bad(NAME, error.to_string(), "sistemo setup"),
    };
    let program = qemu.program().display().to_string();
    match qemu.version().await {
        Ok(version) if new_enough(&version) => {
            Check::good(NAME, format!("QEMU {version} ({program})"))
        }
        Ok(version) => Check::bad(
            NAME,
            format!("QEMU {version} ({program}) is too old"),
            format!("install QEMU {}.{} or later", OLDEST_QEMU.0, OLDEST_QEMU.1),
        ),
        Err(error) => Check::bad(
            NAME,
            crate::error::Error::from(error).report(),
            "install QEMU again, with the host's package manager",
        ),
    }
}

fn new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= OLDEST_QEMU
}

fn kernel(data_dir: &Path) -> Check {
    const NAME: &str = "kernel";
    let Some(kernel) = Kernels::new(data_dir).current() else {
        return Check::bad(NAME, "no guest kernel is installed", "sistemo setup");
    };
    let dir = kernel.dir().display().to_string();
    let again = format!("remove {dir}, then: sistemo setup");
    let empty = |path: &Path| path.metadata().map_or(0, |facts| facts.len()) == 0;
    for path in [kernel.bzimage(), kernel.elf()] {
        if empty(&path) {
            return Check::bad(NAME, format!("{} is missing", path.display()), again);
        }
    }
    let modules = match kernel.boot_modules() {
        Ok(modules) => modules,
        Err(error) => return Check::bad(NAME, error.to_string(), again),
    };
    if let Some((name, _)) = modules.iter().find(|(_, path)| empty(path)) {
        return Check::bad(NAME, format!("its module {name} is missing"), again);
    }
    let rest = match kernel.modules_image() {
        Some(_) => "with its modules",
        None => "without modules",
    };
    Check::good(NAME, format!("{} {rest}", kernel.release))
}

fn guest_program(path: &Path) -> Check {
    const NAME: &str = "guest program";
    let mend = "install sistemo again: sistemo-guest belongs beside it";
    let shown = path.display();
    let head = fs::File::open(path).and_then(|mut file| {
        let mut head = [0; 4];
        std::io::Read::read_exact(&mut file, &mut head).map(|()| head)
    });
    match head {
        Ok(head) if &head == b"\x7fELF" => Check::good(NAME, shown.to_string()),
        Ok(_) => Check::bad(NAME, format!("{shown} is not a program"), mend),
        Err(error) => Check::bad(NAME, format!("cannot read {shown}: {error}"), mend),
    }
}

fn tools() -> Check {
    const NAME: &str = "tools";
    let (optional, needed): (Vec<Tool>, Vec<Tool>) = (Tool::ALL.into_iter())
        .filter(|tool| *tool != Tool::Qemu && tool.find().is_none())
        .partition(|tool| tool.optional());
    let list = |tools: &[Tool]| {
        let each: Vec<String> = (tools.iter())
            .map(|tool| format!("{} ({})", tool.program(), tool.purpose()))
            .collect();
        each.join(", ")
    };
    if !needed.is_empty() {
        let mend = match PackageManager::detect() {
            Some(_) => "sistemo setup".into(),
            None => format!("install by hand: {}", list(&needed)),
        };
        return Check::bad(NAME, format!("missing: {}", list(&needed)), mend);
    }
    let check = Check::good(NAME, "all are installed");
    if optional.is_empty() {
        return check;
    }
    check.with_remark(format!(
        "without {}, images come from registries",
        list(&optional)
    ))
}

fn database(path: &Path) -> Check {
    const NAME: &str = "database";
    if !path.exists() {
        return Check::good(NAME, "none yet: it is made with the first machine");
    }
    let mend = format!(
        "restore {} from a backup, or move it away to begin anew (disks are kept)",
        path.display()
    );
    let store = match Store::open(path) {
        Ok(store) => store,
        Err(error) => {
            return Check::bad(NAME, crate::error::Error::from(error).report(), mend);
        }
    };
    let verdict: Result<String, _> =
        (store.lock()).query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match verdict {
        Ok(text) if text == "ok" => Check::good(NAME, path.display().to_string()),
        Ok(text) => Check::bad(NAME, format!("{} is damaged: {text}", path.display()), mend),
        Err(error) => Check::bad(
            NAME,
            format!("{} is damaged: {error}", path.display()),
            mend,
        ),
    }
}

fn keys(path: &Path) -> Check {
    const NAME: &str = "ssh keys";
    let shown = path.display();
    match path.metadata() {
        Ok(facts) if facts.permissions().mode() & 0o077 != 0 => Check::bad(
            NAME,
            format!("{shown} can be read by others"),
            format!("chmod 600 {shown}"),
        ),
        Ok(_) => Check::good(NAME, shown.to_string()),
        Err(error) => Check::bad(
            NAME,
            format!("cannot read {shown}: {error}"),
            "sistemo setup",
        ),
    }
}

fn memory() -> Check {
    const NAME: &str = "memory";
    // proc(5): MemAvailable is what can be had without swapping, in kB.
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text
            .lines()
            .find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let Some(mib) = available.map(|kib| kib / 1024) else {
        return Check::bad(NAME, "/proc/meminfo is not understood", "is /proc mounted?");
    };
    let size = ByteSize::mib(mib);
    if mib >= LEAST_MEMORY {
        return Check::good(NAME, format!("{size} available"));
    }
    Check::bad(
        NAME,
        format!("only {size} available"),
        "stop a machine or another program, or deploy with less --memory",
    )
}

/// A clock that is behind makes certificates and package lists look as if they came from the future.
fn clock() -> Check {
    const NAME: &str = "clock";
    let mend = "set the clock: timedatectl set-ntp true";
    let now = jiff::Timestamp::now();
    let says = now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let installed = std::env::current_exe()
        .and_then(fs::metadata)
        .and_then(|facts| facts.modified());
    let behind = installed.is_ok_and(|time| time.elapsed().is_err());
    if behind || now.as_second() < PAST {
        return Check::bad(NAME, format!("it says {says}, which is past"), mend);
    }
    Check::good(NAME, says)
}

fn leftovers(data_dir: &Path) -> Check {
    const NAME: &str = "leftovers";
    let found = Kernels::new(data_dir).leftovers();
    match &found[..] {
        [] => Check::good(NAME, "none"),
        [one, ..] => {
            Check::good(NAME, format!("{} half-made kernel(s)", found.len())).with_remark(format!(
                "the next setup removes {}; if none is running: rm -r {}",
                one.display(),
                one.display()
            ))
        }
    }
}
