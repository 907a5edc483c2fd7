//! The package managers of Linux distributions, as far as setup needs them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::command::CommandLine;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageManager {
    /// Debian, Ubuntu and their kin.
    Apt,
    /// Fedora and its kin.
    Dnf,
    /// Arch.
    Pacman,
    /// openSUSE.
    Zypper,
    /// Alpine.
    Apk,
}

/// A program that Sistemo runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// The hypervisor, `qemu-system-x86_64`.
    Qemu,
    /// Makes images of Debian and Ubuntu.
    Mmdebstrap,
    /// Makes and grows file systems: `mkfs.ext4`.
    Mkfs,
    /// Checks file systems: `e2fsck`.
    E2fsck,
    /// Grows file systems: `resize2fs`.
    Resize2fs,
    /// Packet filter: `nft`.
    Nft,
    /// Indexes kernel modules: `depmod`.
    Depmod,
}

impl Tool {
    /// Every tool.
    pub const ALL: [Tool; 7] = [
        Tool::Qemu,
        Tool::Mmdebstrap,
        Tool::Mkfs,
        Tool::E2fsck,
        Tool::Resize2fs,
        Tool::Nft,
        Tool::Depmod,
    ];

    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Tool::Qemu => "qemu-system-x86_64",
            Tool::Mmdebstrap => "mmdebstrap",
            Tool::Mkfs => "mkfs.ext4",
            Tool::E2fsck => "e2fsck",
            Tool::Resize2fs => "resize2fs",
            Tool::Nft => "nft",
            Tool::Depmod => "depmod",
        }
    }

    /// What it is for, in a few words.
    pub fn purpose(self) -> &'static str {
        match self {
            Tool::Qemu => "the hypervisor",
            Tool::Mmdebstrap => "makes Debian and Ubuntu images",
            Tool::Mkfs | Tool::E2fsck | Tool::Resize2fs => "makes and mends file systems",
            Tool::Nft => "packet filter",
            Tool::Depmod => "indexes kernel modules",
        }
    }

    /// Whether Sistemo's main job can be done without it. Images other than Debian and Ubuntu need no mmdebstrap, which
    /// not every distribution has.
    pub fn optional(self) -> bool {
        self == Tool::Mmdebstrap
    }

    /// Where the program is, if anywhere in `PATH` or the usual directories for administrators.
    pub fn find(self) -> Option<PathBuf> {
        find(self.program())
    }
}

impl PackageManager {
    /// All of them, the native one of a distribution before ones that may be installed on top.
    const ALL: [PackageManager; 5] = [
        PackageManager::Apt,
        PackageManager::Dnf,
        PackageManager::Pacman,
        PackageManager::Zypper,
        PackageManager::Apk,
    ];

    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            PackageManager::Apt => "apt-get",
            PackageManager::Dnf => "dnf",
            PackageManager::Pacman => "pacman",
            PackageManager::Zypper => "zypper",
            PackageManager::Apk => "apk",
        }
    }

    /// The one that this host has.
    pub fn detect() -> Option<Self> {
        PackageManager::ALL
            .into_iter()
            .find(|manager| find(manager.program()).is_some())
    }

    /// The package that has `tool`; `None` when the distribution has none.
    pub fn package(self, tool: Tool) -> Option<&'static str> {
        use PackageManager::{Apk, Apt, Dnf, Pacman, Zypper};
        Some(match (tool, self) {
            (Tool::Qemu, Apt) => "qemu-system-x86",
            (Tool::Qemu, Dnf) => "qemu-system-x86-core",
            (Tool::Qemu, Pacman) => "qemu-system-x86",
            (Tool::Qemu, Zypper) => "qemu-x86",
            (Tool::Qemu, Apk) => "qemu-system-x86_64",
            (Tool::Mmdebstrap, Apt | Dnf | Apk) => "mmdebstrap",
            (Tool::Mmdebstrap, Pacman | Zypper) => return None,
            (Tool::Resize2fs, Apk) => "e2fsprogs-extra",
            (Tool::Mkfs | Tool::E2fsck | Tool::Resize2fs, _) => "e2fsprogs",
            (Tool::Nft, _) => "nftables",
            (Tool::Depmod, _) => "kmod",
        })
    }

    /// Brings the list of packages up to date.
    pub fn refresh(self) -> CommandLine {
        CommandLine::new(match self {
            PackageManager::Apt => vec!["apt-get", "-q", "update"],
            PackageManager::Dnf => vec!["dnf", "-q", "-y", "makecache"],
            PackageManager::Pacman => vec!["pacman", "-Sy", "--noconfirm"],
            PackageManager::Zypper => vec!["zypper", "--non-interactive", "refresh"],
            PackageManager::Apk => vec!["apk", "update"],
        })
    }

    /// Installs packages without asking.
    pub fn install(self, packages: &[&str]) -> CommandLine {
        let begin: &[&str] = match self {
            PackageManager::Apt => &["apt-get", "-q", "-y", "--no-install-recommends", "install"],
            PackageManager::Dnf => &[
                "dnf",
                "-q",
                "-y",
                "--setopt=install_weak_deps=False",
                "install",
            ],
            PackageManager::Pacman => &["pacman", "-S", "--noconfirm", "--needed"],
            PackageManager::Zypper => {
                &["zypper", "--non-interactive", "install", "--no-recommends"]
            }
            PackageManager::Apk => &["apk", "add"],
        };
        CommandLine::new(begin.iter().chain(packages).copied())
    }
}

/// A program by name: in `PATH`, then where programs for administrators are, which is not in every user's `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .chain(usual.map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| {
            file.metadata()
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_needed_tool_has_a_package_everywhere() {
        for manager in PackageManager::ALL {
            for tool in Tool::ALL {
                assert!(
                    tool.optional() || manager.package(tool).is_some(),
                    "{manager:?} {tool:?}"
                );
            }
        }
    }

    #[test]
    fn commands_ask_nothing() {
        let lines: Vec<String> = PackageManager::ALL
            .into_iter()
            .flat_map(|m| [m.refresh(), m.install(&["a", "b"])])
            .map(|line| line.to_string())
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
