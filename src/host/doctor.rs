//! Doctor: every part is tried for real, and each failure comes with its mend.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::packages::find_program;
use super::setup::PROGRAMS;
use crate::config::Config;
use crate::guest::{kernel, keys};
use crate::machine::Paths;
use crate::store::Store;
use crate::value::ByteSize;
use crate::vmm::{self, Accelerator, Choice};
use crate::{network, volume};

/// The least memory that leaves room for a machine.
const LEAST_MEMORY: ByteSize = ByteSize::mib(512);
/// No clock that is right shows less: this program is not older (2026-01-01, seconds since 1970).
const OLDEST: i64 = 1_767_225_600;

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub check: &'static str,
    pub ok: bool,
    pub message: String,
    /// How to mend it, when it failed.
    pub hint: Option<String>,
}

type Verdict = Result<String, (String, String)>;

fn bad(message: impl ToString, hint: impl Into<String>) -> Verdict {
    Err((message.to_string(), hint.into()))
}

/// Checks everything. Nothing that it makes stays.
pub async fn examine(config: &Config, guest_program: &Path) -> Vec<Check> {
    let paths = Paths::new(&config.data_dir);
    let mut checks = vec![
        check("root", root()),
        check("data directory", writable(&config.data_dir)),
        check("database", database(&paths)),
        check("disk space", space(config)),
        check("memory", memory()),
        check("clock", clock()),
        check("programs", programs()),
        check("hypervisor", hypervisor().await),
        check("accelerator", accelerator(config)),
        check("guest kernel", guest_kernel(config, &paths)),
        check("guest program", guest(guest_program)),
        check("SSH keys", ssh_keys(&paths)),
    ];
    checks.push(check("network", network().await));
    checks
}

fn check(name: &'static str, verdict: Verdict) -> Check {
    match verdict {
        Ok(message) => Check {
            check: name,
            ok: true,
            message,
            hint: None,
        },
        Err((message, hint)) => Check {
            check: name,
            ok: false,
            message,
            hint: Some(hint),
        },
    }
}

fn root() -> Verdict {
    match nix::unistd::Uid::effective().is_root() {
        true => Ok("running as root".into()),
        false => bad(
            "not running as root, which networks and taps need",
            "sudo sistemo doctor",
        ),
    }
}

fn writable(folder: &Path) -> Verdict {
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(b"sistemo")?;
        file.as_file().sync_all()
    });
    match written {
        Ok(()) => Ok(format!("{} can be written", folder.display())),
        Err(error) => bad(
            format!("{} cannot be written: {error}", folder.display()),
            "run as root, or name another folder with --data-dir",
        ),
    }
}

fn database(paths: &Paths) -> Verdict {
    match Store::open(&paths.database()).and_then(|store| store.machines()) {
        Ok(machines) => Ok(format!("opens, with {} machines", machines.len())),
        Err(error) => bad(
            crate::error::Error::from(error),
            format!(
                "restore {} from a backup, or move it away to begin anew",
                paths.database().display()
            ),
        ),
    }
}

fn space(config: &Config) -> Verdict {
    match volume::check_space(
        &config.data_dir,
        config.default_storage,
        config.min_disk_free,
    ) {
        Ok(()) => Ok(format!(
            "there is room for a machine with {}",
            config.default_storage
        )),
        Err(error) => bad(
            error,
            "free some space: sistemo image list, sistemo volume list",
        ),
    }
}

fn memory() -> Verdict {
    match super::memory() {
        Ok(memory) if memory.available >= LEAST_MEMORY => Ok(format!(
            "{} of {} available",
            memory.available, memory.total
        )),
        Ok(memory) => bad(
            format!("only {} of {} available", memory.available, memory.total),
            "stop a machine (sistemo machine list) or another program",
        ),
        Err(error) => bad(error, "mount /proc"),
    }
}

fn clock() -> Verdict {
    let now = jiff::Timestamp::now();
    match now.as_second() {
        seconds if seconds >= OLDEST => Ok(format!("shows {}", now.strftime("%Y-%m-%d %H:%M UTC"))),
        _ => bad(
            format!("shows {}, which cannot be", now.strftime("%Y-%m-%d")),
            "set it: timedatectl set-ntp true",
        ),
    }
}

fn programs() -> Verdict {
    let missing: Vec<_> = PROGRAMS
        .into_iter()
        .filter(|program| !find_program(program))
        .collect();
    match missing.is_empty() {
        true => Ok(format!("{} are there", PROGRAMS.join(", "))),
        false => bad(format!("{} missing", missing.join(", ")), "sistemo setup"),
    }
}

async fn hypervisor() -> Verdict {
    let driver = match vmm::driver() {
        Ok(driver) => driver,
        Err(error) => return bad(error, "sistemo setup"),
    };
    match driver.version().await {
        Ok(version) => Ok(format!("{} {version}", driver.name())),
        Err(error) => bad(crate::error::Error::from(error), "sistemo setup"),
    }
}

fn accelerator(config: &Config) -> Verdict {
    let probe = vmm::probe(&config.data_dir);
    match config.accelerator {
        Choice::Kvm if probe.accelerator == Accelerator::Tcg => bad(
            format!(
                "kvm was asked for, and does not work here: {}",
                probe.reason
            ),
            "let sistemo choose: accelerator = \"auto\" in config.toml",
        ),
        Choice::Auto => Ok(format!("{}: {}", probe.accelerator, probe.reason)),
        choice => Ok(format!("{choice}, as the settings say")),
    }
}

fn guest_kernel(config: &Config, paths: &Paths) -> Verdict {
    match kernel::current(&paths.kernels(), config.kernel.as_deref()) {
        Ok(kernel) => Ok(kernel.release),
        Err(error) => bad(error, "sistemo setup"),
    }
}

fn guest(program: &Path) -> Verdict {
    match program.is_file() {
        true => Ok(program.display().to_string()),
        false => bad(
            format!("{} is missing", program.display()),
            "install it beside sistemo: cargo install --locked --path .",
        ),
    }
}

fn ssh_keys(paths: &Paths) -> Verdict {
    if !paths.keys().join("id_ed25519").exists() {
        return bad("there is no key pair yet", "sistemo setup");
    }
    match keys::ensure_key_pair(&paths.keys()) {
        Ok(keys) => Ok(keys.path.display().to_string()),
        Err(error) => bad(
            crate::error::Error::from(error),
            "move the broken key away, then: sistemo setup",
        ),
    }
}

/// Makes a network with a machine's place in it inside a namespace that vanishes with its thread.
async fn network() -> Verdict {
    match network::rehearse().await {
        Ok(()) => Ok("a bridge, a tap and nftables rules can be made".into()),
        Err(error) => bad(
            crate::error::Error::from(error),
            "run as root; load what is missing: modprobe -a bridge tun veth nf_tables; then: sistemo setup",
        ),
    }
}
