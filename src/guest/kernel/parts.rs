//! The parts of a kernel: found in an unpacked package or on the host, and put together for the store.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Error, Needs, bzimage, config, modules, modules_image};

/// Where a kernel's parts lie before they are installed.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) release: String,
    image: PathBuf,
    /// The content of `/lib/modules/RELEASE`.
    modules: Option<PathBuf>,
    /// What the kernel was built with.
    config: Option<PathBuf>,
}

impl Parts {
    /// Parts of an unpacked package. Of several releases the last counts, by name.
    pub(super) fn of_tree(tree: &Path) -> Result<Self, Error> {
        let none = || Error::NoKernel { path: tree.into() };
        let mut found: Vec<Parts> = Vec::new();
        let modules = ["lib/modules", "usr/lib/modules"]
            .iter()
            .filter_map(|place| fs::read_dir(tree.join(place)).ok())
            .flat_map(|entries| entries.flatten());
        for entry in modules {
            let release = entry.file_name().to_string_lossy().into_owned();
            let flavour = release.rsplit('-').next().unwrap_or_default();
            let image = [
                tree.join(format!("boot/vmlinuz-{release}")),
                entry.path().join("vmlinuz"),
                // Alpine names the image after the flavour alone.
                tree.join(format!("boot/vmlinuz-{flavour}")),
            ]
            .into_iter()
            .find(|path| path.is_file());
            if let Some(image) = image {
                let config = [
                    tree.join(format!("boot/config-{release}")),
                    entry.path().join("config"),
                    tree.join(format!("boot/config-{flavour}")),
                ];
                found.push(Parts {
                    image,
                    modules: Some(entry.path()),
                    config: config.into_iter().find(|path| path.is_file()),
                    release,
                });
            }
        }
        found.sort_by(|a, b| a.release.cmp(&b.release));
        found.pop().ok_or_else(none)
    }

    /// A kernel image by itself.
    pub(super) fn of_image(image: &Path) -> Result<Self, Error> {
        let bytes = fs::read(image).map_err(|source| Error::Read {
            path: image.into(),
            source,
        })?;
        let release = match bzimage::release(&bytes) {
            Some(release) => release,
            None if bzimage::is_elf(&bytes) => "custom".into(),
            None => return Err(Error::NotAKernel),
        };
        let modules = PathBuf::from("/lib/modules").join(&release);
        let config = [
            PathBuf::from(format!("/boot/config-{release}")),
            modules.join("config"),
        ];
        Ok(Parts {
            release,
            image: image.into(),
            modules: modules.is_dir().then_some(modules),
            config: config.into_iter().find(|path| path.is_file()),
        })
    }
}

/// Puts the parts together in `ready`; `scratch` is for what is thrown away.
pub(super) fn assemble(parts: &Parts, scratch: &Path, ready: &Path) -> Result<(), Error> {
    let write = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Write { path, source }
    };
    let boot = ready.join("boot");
    fs::create_dir_all(&boot).map_err(write(&boot))?;
    let image = fs::read(&parts.image).map_err(|source| Error::Read {
        path: parts.image.clone(),
        source,
    })?;
    let elf = ready.join("vmlinux");
    let inside = bzimage::elf(&image)?;
    fs::write(&elf, &inside).map_err(write(&elf))?;
    let config = match &parts.config {
        Some(path) => Some(fs::read(path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?),
        None => config::built_in(&inside),
    };
    if let Some(config) = config {
        let text = String::from_utf8_lossy(&config);
        // One that runs machines under either is taken; which of them, each start looks at.
        config::check(&text, Needs::Qemu)
            .or_else(|error| config::check(&text, Needs::Firecracker).map_err(|_| error))?;
        let path = ready.join(config::FILE);
        fs::write(&path, text.as_bytes()).map_err(write(&path))?;
    }
    drop(inside);
    let vmlinuz = ready.join("vmlinuz");
    fs::write(&vmlinuz, &image).map_err(write(&vmlinuz))?;
    let mut order = String::new();
    if let Some(modules) = &parts.modules {
        let tree = indexed(modules, &parts.release, scratch)?;
        for module in modules::to_load(&tree)? {
            let path = boot.join(format!("{}.ko", module.name));
            fs::write(&path, modules::uncompressed(&module.path)?).map_err(write(&path))?;
            order.push_str(&format!("{}\n", module.name));
        }
        modules_image::make(&tree, &ready.join("modules.img"))?;
    }
    let list = boot.join("order");
    fs::write(&list, order).map_err(write(&list))
}

/// The tree of modules with depmod's indexes, which a package does not bring when it is its installation that makes
/// them.
fn indexed(modules: &Path, release: &str, scratch: &Path) -> Result<PathBuf, Error> {
    if modules.join("modules.dep").exists() && modules.join("modules.alias.bin").exists() {
        return Ok(modules.into());
    }
    // depmod wants the tree under lib/modules, or usr/lib/modules, by how it was built.
    let base = scratch.join("depmod");
    let place = base.join("lib/modules");
    let fail = |source| Error::Write {
        path: base.clone(),
        source,
    };
    fs::create_dir_all(&place).map_err(fail)?;
    fs::create_dir_all(base.join("usr")).map_err(fail)?;
    symlink("../lib", base.join("usr/lib")).map_err(fail)?;
    let tree = place.join(release);
    if modules.starts_with(scratch) {
        fs::rename(modules, &tree).map_err(fail)?;
    } else {
        copy(modules, &tree).map_err(fail)?;
    }
    let tool = |text: String| Error::Tool {
        tool: "depmod",
        text,
    };
    let output = Command::new("depmod")
        .arg("-b")
        .arg(&base)
        .arg(release)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| tool(e.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(tool(text.trim().to_string()));
    }
    Ok(tree)
}

/// Copies a tree of files, directories and links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            // `build` and `source` lead to the host's kernel sources, which a guest does not have.
            let link = fs::read_link(entry.path())?;
            if link.is_relative() {
                symlink(link, target)?;
            }
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
