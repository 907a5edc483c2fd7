//! A machine that goes on from a snapshot becomes another, or itself at another time.
//!
//! ```text
//!   host says who ─▶ take: seed, names, machine-id, clock ─▶ answered ─▶ connection ends
//!        ─▶ address, host key, whom it lets in ─▶ READY_LINE ─▶ afterwards: the image's own daemons
//! ```

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use sistemo::guest::words::Renewal;

use crate::{clock, console, handover, identity, machine_id, seed};

/// Where OpenSSH has its host keys.
const SSH: &str = "/etc/ssh";
/// Where a listening sshd writes its number down (sshd_config(5), PidFile).
const SSHD_PID: &str = "/run/sshd.pid";
/// There while systemd-networkd runs.
const NETWORKD: &str = "/run/systemd/netif/state";

/// What became of it.
pub struct Taken {
    /// A line for each part that could not be had: the machine goes on without it.
    pub notes: Vec<String>,
    /// The kinds of an OpenSSH server's host keys that were another machine's, and are gone.
    pub lost_keys: Vec<String>,
}

/// Takes what needs no new connection, told of it at `told`. `other` says whether it is another machine from now on.
pub fn take(renewal: &Renewal, told: Instant, other: bool) -> Taken {
    let config = &renewal.config;
    let mut notes = Vec::new();
    let mut note = |failed: &dyn std::error::Error| {
        let line = format!("sistemo-guest: {}", console::report(failed));
        console::say(&line);
        notes.push(line);
    };
    if let Err(error) = seed::mix_in(&renewal.seed) {
        note(&error);
    }
    let command = config.command.as_ref();
    let hands_over = command.is_none_or(|command| !command.instead_of_init) && handover::has_init();
    for error in identity::write(config, hands_over) {
        note(&error);
    }
    if hands_over
        && !config.root.read_only
        && let Err(error) = machine_id::own(Path::new("/"), config)
    {
        note(&error);
    }
    let mut lost_keys = Vec::new();
    if other && let Err(error) = forget_host_keys(Path::new(SSH), &mut lost_keys) {
        note(&error);
    }
    // Last: half of what runs in an operating system wakes up when the clock jumps.
    if let Err(error) = clock::set(renewal.time_ns, told) {
        note(&error);
    }
    Taken { notes, lost_keys }
}

/// Does what nobody waits for, and has daemons of the image follow: making keys takes an emulated processor seconds.
pub fn afterwards(lost_keys: Vec<String>) {
    std::thread::spawn(move || {
        if let Err(error) = seed::renew_kept() {
            console::say(&format!("sistemo-guest: {}", console::report(&error)));
        }
        if Path::new(NETWORKD).exists() {
            let _ = Command::new("networkctl").arg("reload").status();
        }
        let mut made = false;
        for kind in &lost_keys {
            let file = format!("{SSH}/ssh_host_{kind}_key");
            made |= makes_keys(&["-q", "-N", "", "-t", kind, "-f", &file]);
        }
        // Kinds that there are no more.
        if !made && !lost_keys.is_empty() {
            made = makes_keys(&["-A"]);
        }
        if made {
            // sshd reads its keys when it begins, and begins anew at this signal (sshd(8)).
            let pid = std::fs::read_to_string(SSHD_PID).unwrap_or_default();
            if let Ok(pid) = pid.trim().parse() {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP);
            }
        }
    });
}

/// Whether ssh-keygen(1) makes what it is asked for. It asks nobody whether to overwrite a key that somebody else has made.
fn makes_keys(arguments: &[&str]) -> bool {
    let mut command = Command::new("ssh-keygen");
    let status = command.args(arguments).stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Removes the host keys of an OpenSSH server, `ssh_host_KIND_key` and `ssh_host_KIND_key.pub`: the machine that they were
/// copied from has them. Their kinds are added to `lost`; that of RSA, which takes longest to be made anew, comes last.
fn forget_host_keys(folder: &Path, lost: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix("ssh_host_") else {
            continue;
        };
        let Some(kind) = rest.trim_end_matches(".pub").strip_suffix("_key") else {
            continue;
        };
        std::fs::remove_file(entry.path())?;
        if rest.ends_with("_key") {
            lost.push(kind.into());
        }
    }
    lost.sort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_go_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "ssh_host_rsa_key",
            "ssh_host_rsa_key.pub",
            "ssh_host_ed25519_key",
            "sshd_config",
            "moduli",
        ];
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut lost = Vec::new();
        forget_host_keys(folder.path(), &mut lost).unwrap();
        assert_eq!(lost, ["ed25519", "rsa"]);
        forget_host_keys(folder.path(), &mut lost).unwrap();
        assert_eq!(lost.len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(
            names[3..]
                .iter()
                .all(|name| folder.path().join(name).exists())
        );
    }
}
