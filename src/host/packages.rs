//! Package managers: which one this computer has, and what things are called in it.

use std::path::Path;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageManager {
    Apt,
    Dnf,
    Pacman,
    Zypper,
    Apk,
}

impl PackageManager {
    const ALL: [(PackageManager, &'static str); 5] = [
        (PackageManager::Apt, "apt-get"),
        (PackageManager::Dnf, "dnf"),
        (PackageManager::Pacman, "pacman"),
        (PackageManager::Zypper, "zypper"),
        (PackageManager::Apk, "apk"),
    ];

    /// The one that this computer has.
    pub fn find() -> Option<PackageManager> {
        Self::ALL
            .into_iter()
            .find(|(_, program)| find_program(program))
            .map(|(manager, _)| manager)
    }

    /// The package that has a program.
    pub(super) fn package(self, program: &str) -> &'static str {
        use PackageManager::{Apk, Apt, Dnf, Pacman, Zypper};
        match (program, self) {
            ("qemu-system-x86_64", Apt) => "qemu-system-x86",
            ("qemu-system-x86_64", Dnf) => "qemu-system-x86-core",
            ("qemu-system-x86_64", Pacman) => "qemu-system-x86",
            ("qemu-system-x86_64", Zypper) => "qemu-x86",
            ("qemu-system-x86_64", Apk) => "qemu-system-x86_64",
            ("mkfs.ext4", _) => "e2fsprogs",
            ("nft", _) => "nftables",
            ("depmod", _) => "kmod",
            (_, _) => "mmdebstrap",
        }
    }

    /// The commands that install packages.
    pub(super) fn install(self, packages: &[&str]) -> Vec<String> {
        let packages = packages.join(" ");
        match self {
            PackageManager::Apt => vec![
                "apt-get update".into(),
                format!("apt-get install --yes --no-install-recommends {packages}"),
            ],
            PackageManager::Dnf => vec![format!("dnf install --assumeyes {packages}")],
            PackageManager::Pacman => {
                vec![format!(
                    "pacman --sync --refresh --needed --noconfirm {packages}"
                )]
            }
            PackageManager::Zypper => vec![format!("zypper --non-interactive install {packages}")],
            PackageManager::Apk => vec![format!("apk add {packages}")],
        }
    }

    /// The package with a kernel for virtual machines, and shell lines that unpack it into `$DIR/root` without
    /// installing it. They run in an empty folder `$DIR`.
    pub(super) fn kernel(self) -> (&'static str, &'static [&'static str]) {
        match self {
            PackageManager::Apt => (
                "linux-image-cloud-amd64 or linux-image-virtual",
                &[
                    "meta=linux-image-cloud-amd64; apt-cache show \"$meta\" >/dev/null 2>&1 || meta=linux-image-virtual; \
                     image=$(apt-cache depends \"$meta\" | sed -n 's/^ *Depends: \\(linux-image-[0-9].*\\)/\\1/p' | head -n 1); \
                     modules=$(apt-cache depends \"$image\" | sed -n 's/^ *Depends: \\(linux-modules-[0-9].*\\)/\\1/p'); \
                     apt-get -o APT::Sandbox::User=root download $image $modules",
                    "for package in *.deb; do dpkg-deb -x \"$package\" root; done",
                ],
            ),
            PackageManager::Dnf => (
                "kernel-core and kernel-modules",
                &[
                    "dnf download kernel-core kernel-modules-core kernel-modules",
                    "mkdir root && for package in *.rpm; do rpm2cpio \"$package\" | (cd root && cpio -id --quiet); done",
                ],
            ),
            PackageManager::Pacman => (
                "linux",
                &[
                    "pacman --sync --downloadonly --noconfirm --cachedir . linux",
                    "mkdir root && tar -C root -xf linux-[0-9]*.pkg.tar.zst",
                ],
            ),
            PackageManager::Zypper => (
                "kernel-default-base",
                &[
                    "zypper --non-interactive --pkg-cache-dir . install --download-only --force kernel-default-base",
                    "mkdir root && find . -name 'kernel-default-base*.rpm' | while read -r package; do rpm2cpio \"$package\" | (cd root && cpio -id --quiet); done",
                ],
            ),
            PackageManager::Apk => (
                "linux-virt",
                &[
                    "apk fetch linux-virt",
                    "mkdir root && tar -C root -xzf linux-virt-*.apk",
                ],
            ),
        }
    }
}

/// Whether a program is on the path or where administrators' programs lie.
pub(super) fn find_program(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"])
        .any(|folder| !folder.is_empty() && Path::new(folder).join(program).is_file())
}
