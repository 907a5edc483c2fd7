//! Doctor: checks each part of this host for real, and says how to mend what fails.
//!
//! Nothing of it changes the host: files are written to the data directory and removed again, network objects are made
//! in a namespace that nobody else sees and that is gone a moment later.

mod containment;
mod network;
mod software;
mod storage;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::setup::Hypervisors;
use crate::value::ByteSize;
use crate::vmm::{Accelerator, Choice, contain, probe};

/// Less free memory than this does not hold a machine of the default size.
const LEAST_MEMORY: ByteSize = ByteSize::mib(768);
/// A clock before this is wrong, in seconds since 1970: 2025-01-01, before this program was written.
const PAST: i64 = 1_735_689_600;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

    /// Adds a remark unless there is something to mend.
    fn or_remark(self, remark: String) -> Self {
        match self.ok {
            true => self.with_remark(remark),
            false => self,
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
    /// The `contain` setting.
    pub contain: contain::Choice,
    /// What the settings say of hypervisors.
    pub hypervisors: Hypervisors,
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
    checks.push(software::hypervisor(subject).await);
    checks.extend(off_thread.await.unwrap_or_default());
    checks
}

/// All that only looks at files and the kernel.
fn local(subject: &Subject) -> Vec<Check> {
    vec![
        accelerator(subject),
        containment::check(subject.contain),
        software::kernel(&subject.data_dir),
        software::guest_program(&subject.guest_program),
        software::tools(),
        storage::data_directory(&subject.data_dir),
        storage::disk(&subject.data_dir, subject.min_disk_free),
        storage::database(&subject.database),
        keys(&subject.key_file),
        memory(),
        network::check(),
        clock(),
        software::leftovers(&subject.data_dir),
    ]
}

fn accelerator(subject: &Subject) -> Check {
    const NAME: &str = "accelerator";
    let found = probe(&subject.data_dir);
    let slow = "machines run in software emulation, several times slower than with KVM; \
        KVM needs a processor with VT-x or AMD-V switched on, or a host that passes it on";
    match (subject.hypervisors.accelerator, found.accelerator) {
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
    let available = match crate::host::memory() {
        Ok(memory) => memory.available,
        Err(error) => return Check::bad(NAME, error.to_string(), "is /proc mounted?"),
    };
    if available >= LEAST_MEMORY {
        return Check::good(NAME, format!("{available} available"));
    }
    Check::bad(
        NAME,
        format!("only {available} available"),
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
