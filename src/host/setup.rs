//! Setup: what this computer lacks, as a list of actions that can be shown before they are carried out.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio_util::sync::CancellationToken;

use super::Error;
pub use super::packages::PackageManager;
use super::packages::find_program;
use crate::config::Config;
use crate::event::Progress;
use crate::guest::{kernel, keys};
use crate::machine::Paths;
use crate::vmm::{self, Choice};

/// Programs that machines need on this computer.
pub const PROGRAMS: [&str; 5] = [
    "qemu-system-x86_64",
    "mkfs.ext4",
    "nft",
    "depmod",
    "mmdebstrap",
];

/// What was seen of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub manager: Option<PackageManager>,
    /// Those of [`PROGRAMS`] that are not there.
    pub missing: Vec<&'static str>,
    pub has_kernel: bool,
    pub has_keys: bool,
    pub data_dir: PathBuf,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// In a line, for a person.
    pub what: String,
    /// The commands that it runs.
    pub commands: Vec<String>,
    kind: ActionKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ActionKind {
    Packages,
    Kernel,
    Keys,
}

/// Looks at this computer. Changes nothing.
pub fn facts(config: &Config) -> Result<Facts, Error> {
    let paths = Paths::new(&config.data_dir);
    Ok(Facts {
        manager: PackageManager::find(),
        missing: PROGRAMS
            .into_iter()
            .filter(|program| !find_program(program))
            .collect(),
        has_kernel: kernel::current(&paths.kernels(), config.kernel.as_deref()).is_ok(),
        has_keys: paths.keys().join("id_ed25519").exists(),
        data_dir: config.data_dir.clone(),
    })
}

/// What has to be done, in order; nothing when everything is there.
pub fn plan(facts: &Facts) -> Result<Vec<Action>, Error> {
    let mut actions = Vec::new();
    if !facts.missing.is_empty() {
        let manager = facts.manager.ok_or(Error::NoPackageManager)?;
        let mut packages: Vec<_> = facts
            .missing
            .iter()
            .map(|program| manager.package(program))
            .collect();
        packages.dedup();
        actions.push(Action {
            what: format!("install {} with the package manager", packages.join(", ")),
            commands: manager.install(&packages),
            kind: ActionKind::Packages,
        });
    }
    if !facts.has_kernel {
        let kernels = facts.data_dir.join("kernels");
        let (package, lines) = facts
            .manager
            .map(PackageManager::kernel)
            .unwrap_or_default();
        let what = match package {
            "" => "take this computer's own kernel for guests".to_string(),
            _ => format!(
                "unpack {package} into {} (it is not installed)",
                kernels.display()
            ),
        };
        let commands = lines.iter().map(ToString::to_string).collect();
        actions.push(Action {
            what,
            commands,
            kind: ActionKind::Kernel,
        });
    }
    if !facts.has_keys {
        let what = format!(
            "make an SSH key pair in {}",
            facts.data_dir.join("ssh").display()
        );
        actions.push(Action {
            what,
            commands: Vec::new(),
            kind: ActionKind::Keys,
        });
    }
    Ok(actions)
}

/// Does what was planned. What a killed run leaves is begun anew by the next.
pub async fn carry_out(
    plan: &[Action],
    config: &Config,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let paths = Paths::new(&config.data_dir);
    let log = paths.data_dir().join("setup.log");
    for action in plan {
        progress.step(action.what.clone());
        match action.kind {
            ActionKind::Packages => {
                for command in &action.commands {
                    shell(command, Path::new("/"), &log, cancel).await?;
                }
            }
            ActionKind::Kernel => {
                take_kernel(&action.commands, &paths.kernels(), &log, progress, cancel).await?;
            }
            ActionKind::Keys => {
                keys::ensure_key_pair(&paths.keys())?;
            }
        }
    }
    // Found out once, so that the first deploy need not.
    let probe = vmm::probe(paths.data_dir());
    if config.accelerator == Choice::Auto {
        progress.note(format!(
            "machines run on {}: {}",
            probe.accelerator, probe.reason
        ));
    }
    Ok(())
}

/// Fetches and unpacks the kernel package; failing that, takes the kernel that this computer runs.
async fn take_kernel(
    lines: &[String],
    kernels: &Path,
    log: &Path,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let make = |source| Error::File {
        what: "make",
        path: kernels.into(),
        source,
    };
    let folder = tempfile::Builder::new()
        .prefix("fetch-")
        .tempdir_in(kernels)
        .map_err(make)?;
    let mut fetched = Ok(());
    for line in lines {
        fetched = shell(line, folder.path(), log, cancel).await;
        if fetched.is_err() {
            break;
        }
    }
    if let Err(Error::Cancelled) = fetched {
        return Err(Error::Cancelled);
    }
    let root = match &fetched {
        Ok(()) if !lines.is_empty() => folder.path().join("root"),
        _ => PathBuf::from("/"),
    };
    if let Err(error) = &fetched {
        progress.note(format!("{error}; taking this computer's own kernel"));
    }
    let kernels = kernels.to_path_buf();
    let adopted = tokio::task::spawn_blocking(move || kernel::adopt(&kernels, &root)).await;
    match (adopted, fetched) {
        (Ok(Ok(_)), _) => Ok(()),
        (_, Err(error)) => Err(error),
        (Ok(Err(error)), Ok(())) => Err(error.into()),
        (Err(join), Ok(())) => Err(Error::NoKernel(join.to_string())),
    }
}

/// Runs a shell line and appends what it says to the log.
async fn shell(
    line: &str,
    folder: &Path,
    log: &Path,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let fail = |source| Error::File {
        what: "write",
        path: log.into(),
        source,
    };
    let mut child = tokio::process::Command::new("sh")
        .args(["-ec", line])
        .current_dir(folder)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Error::Command {
            command: line.into(),
            said: error.to_string(),
            log: log.into(),
        })?;
    let output = {
        use tokio::io::AsyncReadExt;
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let reading = async {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let read_out = async {
                if let Some(stdout) = &mut stdout {
                    let _ = stdout.read_to_end(&mut out).await;
                }
            };
            let read_err = async {
                if let Some(stderr) = &mut stderr {
                    let _ = stderr.read_to_end(&mut err).await;
                }
            };
            tokio::join!(read_out, read_err);
            (out, err, child.wait().await)
        };
        tokio::select! {
            output = reading => output,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        }
    };
    let (out, err, status) = output;
    let said = [format!("$ {line}\n").into_bytes(), out, err.clone()].concat();
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &said))
        .map_err(fail)?;
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let err = String::from_utf8_lossy(&err);
    let last: Vec<_> = err
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(3)
        .collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join("; ");
    let command = line
        .split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ");
    Err(Error::Command {
        command,
        said,
        log: log.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(manager: Option<PackageManager>, missing: &[&'static str], rest: bool) -> Facts {
        Facts {
            manager,
            missing: missing.to_vec(),
            has_kernel: rest,
            has_keys: rest,
            data_dir: "/data".into(),
        }
    }

    #[test]
    fn nothing_is_planned_when_everything_is_there() {
        assert_eq!(plan(&facts(None, &[], true)).unwrap(), []);
    }

    #[test]
    fn what_is_missing_is_installed_by_the_computers_own_package_manager() {
        let names = ["qemu-system-x86_64", "nft"];
        for (manager, first) in [
            (PackageManager::Apt, "apt-get update"),
            (
                PackageManager::Dnf,
                "dnf install --assumeyes qemu-system-x86-core nftables",
            ),
            (
                PackageManager::Pacman,
                "pacman --sync --refresh --needed --noconfirm qemu-system-x86 nftables",
            ),
            (
                PackageManager::Zypper,
                "zypper --non-interactive install qemu-x86 nftables",
            ),
            (PackageManager::Apk, "apk add qemu-system-x86_64 nftables"),
        ] {
            let actions = plan(&facts(Some(manager), &names, true)).unwrap();
            assert_eq!(actions.len(), 1);
            assert_eq!(actions[0].commands[0], first);
        }
    }

    #[test]
    fn without_a_package_manager_only_missing_programs_are_a_failure() {
        assert!(matches!(
            plan(&facts(None, &["nft"], true)),
            Err(Error::NoPackageManager)
        ));
        let actions = plan(&facts(None, &[], false)).unwrap();
        let said: Vec<_> = actions.iter().map(|action| action.what.as_str()).collect();
        assert_eq!(
            said,
            [
                "take this computer's own kernel for guests",
                "make an SSH key pair in /data/ssh"
            ]
        );
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let cancel = CancellationToken::new();
        shell("echo fine", dir.path(), &log, &cancel).await.unwrap();
        let error = shell("echo no such thing >&2; exit 3", dir.path(), &log, &cancel)
            .await
            .unwrap_err();
        assert!(error.to_string().ends_with("no such thing"), "{error}");
        assert!(
            std::fs::read_to_string(&log)
                .unwrap()
                .contains("$ echo fine\nfine\n")
        );
    }
}
