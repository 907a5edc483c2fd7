//! Fetches a distribution's kernel package for virtual machines, without installing it.
//!
//! | manager | package | why that one |
//! |---|---|---|
//! | apt (Debian) | `linux-image-cloud-amd64` | built for virtual machines, small |
//! | apt (Ubuntu) | `linux-image-virtual` | Ubuntu's flavour for virtual machines |
//! | dnf | `kernel-core`, `kernel-modules-core`, `kernel-modules` | Fedora splits its one kernel |
//! | pacman | `linux` | Arch's one kernel |
//! | zypper | `kernel-default` | with virtio as modules; `kernel-kvmsmall` is not in every openSUSE |
//! | apk | `linux-virt` | Alpine's flavour for virtual machines |

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use crate::host::command::CommandLine;
use crate::host::packages::PackageManager;

/// What there is to do, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Run a command in the directory for packages.
    Run(CommandLine),
    /// Ask apt which real packages the first of these names that it knows stands for, and download them.
    ResolveApt { names: Vec<String> },
}

/// The commands by which one would fetch a kernel into `directory` by hand.
pub fn commands(manager: PackageManager, directory: &Path) -> Vec<CommandLine> {
    steps(manager, directory)
        .into_iter()
        .map(|step| match step {
            Step::Run(line) => line,
            Step::ResolveApt { names } => {
                let words = ["apt-get", "-q", "download"].map(String::from);
                CommandLine::new(words.into_iter().chain(names.into_iter().take(1)))
            }
        })
        .collect()
}

/// How `manager` fetches a kernel into `directory`.
fn steps(manager: PackageManager, directory: &Path) -> Vec<Step> {
    let here = directory.display().to_string();
    let run = |words: &[&str]| Step::Run(CommandLine::new(words.iter().copied()));
    match manager {
        PackageManager::Apt => vec![Step::ResolveApt {
            names: ["linux-image-cloud-amd64", "linux-image-virtual"]
                .map(Into::into)
                .to_vec(),
        }],
        PackageManager::Dnf => vec![run(&[
            "dnf",
            "-q",
            "-y",
            "download",
            "--destdir",
            &here,
            "kernel-core",
            "kernel-modules-core",
            "kernel-modules",
        ])],
        PackageManager::Pacman => vec![run(&[
            "pacman",
            "-Swdd",
            "--noconfirm",
            "--cachedir",
            &here,
            "linux",
        ])],
        PackageManager::Zypper => vec![run(&[
            "zypper",
            "--non-interactive",
            "--pkg-cache-dir",
            &here,
            "download",
            "kernel-default",
        ])],
        PackageManager::Apk => vec![run(&["apk", "fetch", "-o", &here, "linux-virt"])],
    }
}

/// Fetches the packages into `directory`, which should be empty, and returns the files. The output of programs goes to `log`.
pub async fn fetch(
    manager: PackageManager,
    directory: &Path,
    log: Option<&Path>,
) -> Result<Vec<PathBuf>, Error> {
    for step in steps(manager, directory) {
        match step {
            Step::Run(line) => {
                line.run(directory, log).await.map_err(Error::Fetch)?;
            }
            Step::ResolveApt { names } => download_with_apt(&names, directory, log).await?,
        }
    }
    let mut packages = Vec::new();
    collect(directory, &mut packages).map_err(|source| Error::Read {
        path: directory.into(),
        source,
    })?;
    packages.sort();
    if packages.is_empty() {
        return Err(Error::NoPackage {
            meta: "for virtual machines".into(),
        });
    }
    Ok(packages)
}

async fn download_with_apt(
    names: &[String],
    directory: &Path,
    log: Option<&Path>,
) -> Result<(), Error> {
    for name in names {
        let ask = CommandLine::new([
            "apt-cache",
            "depends",
            "--recurse",
            "--no-recommends",
            "--no-suggests",
            "--no-conflicts",
            "--no-breaks",
            "--no-replaces",
            "--no-enhances",
            name,
        ]);
        // apt-cache fails for a name that this distribution does not have; the next one may be its.
        let Ok(answer) = ask.run(directory, log).await else {
            continue;
        };
        let real = real_packages(&answer);
        if !real.is_empty() {
            let words = ["apt-get", "-q", "download"].map(String::from);
            let line = CommandLine::new(words.into_iter().chain(real));
            line.run(directory, log).await.map_err(Error::Fetch)?;
            return Ok(());
        }
    }
    Err(Error::NoPackage {
        meta: names.join(" or "),
    })
}

/// The packages with the kernel itself among all that a name depends on: those that carry a version in their name.
fn real_packages(answer: &str) -> Vec<String> {
    let mut found: Vec<String> = answer
        .lines()
        .filter(|line| !line.starts_with([' ', '|', '<']))
        .filter(|name| {
            ["linux-image-", "linux-modules-", "linux-binary-"]
                .iter()
                .filter_map(|prefix| name.strip_prefix(prefix))
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(Into::into)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Package files under `directory`; zypper puts them in directories by repository.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, found)?;
        } else if super::is_package(&path) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_packages_are_found_behind_a_meta_package() {
        let debian = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n\
            linux-image-6.1.0-56-cloud-amd64\n  Depends: kmod\n |Depends: linux-initramfs-tool\n\
            kmod\n<linux-initramfs-tool>\n";
        assert_eq!(real_packages(debian), ["linux-image-6.1.0-56-cloud-amd64"]);
        let ubuntu = "linux-image-virtual\n  Depends: linux-image-6.8.0-60-generic\n\
            linux-image-6.8.0-60-generic\n  Depends: linux-modules-6.8.0-60-generic\n\
            linux-modules-6.8.0-60-generic\nlinux-base\n";
        assert_eq!(
            real_packages(ubuntu),
            [
                "linux-image-6.8.0-60-generic",
                "linux-modules-6.8.0-60-generic"
            ]
        );
        assert!(real_packages("").is_empty());
    }

    #[test]
    fn each_manager_downloads_and_installs_nothing() {
        use PackageManager::{Apk, Apt, Dnf, Pacman, Zypper};
        let all: Vec<String> = [Apt, Dnf, Pacman, Zypper, Apk]
            .into_iter()
            .flat_map(|manager| steps(manager, Path::new("/d")))
            .map(|step| match step {
                Step::Run(line) => line.to_string(),
                Step::ResolveApt { names } => format!("apt: {}", names.join(" or ")),
            })
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}
