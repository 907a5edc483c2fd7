//! Setup: brings what this host lacks.
//!
//! ```text
//! Facts::gather ─► plan (pure) ─► actions, in order ─► carry_out
//!                                 data directory → package lists → packages → Firecracker → kernel → key pair
//! ```
//!
//! What is there is not made again, so that a second run has nothing to do. One setup runs at a time in a data
//! directory; what one that was killed has left behind, the next one sweeps.

mod carry_out;
mod facts;
pub mod firecracker;
mod hypervisors;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use self::carry_out::{Error, KeyMaker, carry_out};
pub use self::facts::Facts;
use self::firecracker::Release;
pub use self::hypervisors::{Firecracker, Hypervisors};
use super::command::CommandLine;
use super::packages::{PackageManager, Tool};
use crate::guest::kernel;

/// One thing that setup does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What it does, in one line for a person.
    pub says: String,
    /// The commands that do it, as one could type them.
    pub commands: Vec<CommandLine>,
    /// Whether only root can do it.
    pub needs_root: bool,
    /// What is done.
    pub act: Act,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Makes the data directory.
    DataDirectory,
    /// Brings the package manager's lists up to date.
    Refresh(PackageManager),
    /// Installs packages.
    Install {
        manager: PackageManager,
        packages: Vec<&'static str>,
    },
    /// Installs Firecracker in the data directory. Without it machines run under QEMU, unless it is `required`.
    Firecracker { release: Release, required: bool },
    /// Gets a kernel ready.
    Kernel(KernelSource),
    /// Makes the key pair by which machines are entered.
    KeyPair,
    /// Nothing that setup could do: the user has to.
    ByHand { missing: Vec<Tool> },
}

/// Where a kernel comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelSource {
    /// The distribution's package, fetched by its package manager; else the host's own kernel.
    Packages(PackageManager),
    /// The kernel that this host runs.
    Host,
    /// A configured file or tree.
    Path(PathBuf),
}

/// What has to be done on a host of which `facts` are known; nothing when it has all.
pub fn plan(facts: &Facts) -> Vec<Action> {
    let mut actions = Vec::new();
    if !facts.data_dir_exists {
        let path = facts.data_dir.display().to_string();
        actions.push(Action {
            says: format!("make the data directory {path}"),
            commands: vec![CommandLine::new(["install", "-d", "-m", "700", &path])],
            needs_root: !facts.data_dir_writable,
            act: Act::DataDirectory,
        });
    }
    actions.extend(packages(facts));
    actions.extend(firecracker_action(facts));
    actions.extend(kernel_action(facts));
    if !facts.has_keys {
        let path = facts.key_file.display().to_string();
        actions.push(Action {
            says: format!("make an SSH key pair for entering machines: {path}"),
            commands: vec![CommandLine::new([
                "ssh-keygen",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                &path,
            ])],
            needs_root: !facts.data_dir_writable,
            act: Act::KeyPair,
        });
    }
    actions
}

fn packages(facts: &Facts) -> Vec<Action> {
    let mut actions = Vec::new();
    let needs_lists = facts.kernel_from_packages();
    let Some(manager) = facts.manager else {
        let missing: Vec<Tool> = (facts.missing.iter().copied())
            .filter(|tool| !tool.optional())
            .collect();
        if !missing.is_empty() {
            actions.push(Action {
                says: format!("install by hand: {}", programs(&missing)),
                commands: Vec::new(),
                needs_root: true,
                act: Act::ByHand { missing },
            });
        }
        return actions;
    };
    let (tools, mut names): (Vec<Tool>, Vec<&'static str>) = facts
        .missing
        .iter()
        .filter_map(|tool| Some((*tool, manager.package(*tool)?)))
        .unzip();
    names.sort_unstable();
    names.dedup();
    if facts.lists_old && (needs_lists || !names.is_empty()) {
        actions.push(Action {
            says: format!("bring {}'s package lists up to date", manager.program()),
            commands: vec![manager.refresh()],
            needs_root: true,
            act: Act::Refresh(manager),
        });
    }
    if !names.is_empty() {
        actions.push(Action {
            says: format!("install {} (for {})", names.join(", "), programs(&tools)),
            commands: vec![manager.install(&names)],
            needs_root: true,
            act: Act::Install {
                manager,
                packages: names,
            },
        });
    }
    actions
}

fn firecracker_action(facts: &Facts) -> Option<Action> {
    let Firecracker::Lacking { release, required } = &facts.firecracker else {
        return None;
    };
    let place = facts.data_dir.join("bin").display().to_string();
    Some(Action {
        says: format!("install Firecracker {} in {place}", firecracker::VERSION),
        commands: vec![CommandLine::new(["curl", "-fLO", &release.url])],
        needs_root: !facts.data_dir_writable,
        act: Act::Firecracker {
            release: release.clone(),
            required: *required,
        },
    })
}

fn kernel_action(facts: &Facts) -> Option<Action> {
    let source = facts.kernel_source()?;
    let place = facts.data_dir.join("kernels").display().to_string();
    let (says, commands) = match &source {
        KernelSource::Packages(manager) => (
            format!("unpack the distribution's kernel into {place} (nothing is installed)"),
            kernel::commands(*manager, &facts.data_dir.join("kernels")),
        ),
        KernelSource::Host => (
            format!(
                "copy this host's kernel {} into {place}",
                kernel::host_release()
            ),
            Vec::new(),
        ),
        KernelSource::Path(path) => (
            format!("copy the kernel {} into {place}", path.display()),
            Vec::new(),
        ),
    };
    Some(Action {
        says,
        commands,
        needs_root: !facts.data_dir_writable,
        act: Act::Kernel(source),
    })
}

fn programs(tools: &[Tool]) -> String {
    let names: Vec<&str> = tools.iter().map(|tool| tool.program()).collect();
    names.join(", ")
}
