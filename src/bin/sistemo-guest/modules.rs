//! Kernel modules from the initramfs, in the order that the host worked out.

use std::fs::File;
use std::io;
use std::path::Path;

use sistemo::guest::words::{MODULES_DIR, MODULES_ORDER};

use crate::console;

/// What is still to be loaded.
#[derive(Debug)]
pub struct Order(std::vec::IntoIter<String>);

impl Order {
    /// Reads the list; a kernel that has all built in comes without one.
    pub fn read() -> Order {
        let text = std::fs::read_to_string(MODULES_ORDER).unwrap_or_default();
        Order(names(&text).collect::<Vec<_>>().into_iter())
    }

    /// Loads the next module; `false` when none is left. One that does not load is said and passed over: if it was
    /// needed, the step that misses its device says so.
    pub fn load_next(&mut self) -> bool {
        let Some(name) = self.0.next() else {
            return false;
        };
        if let Err(error) = load(&Path::new(MODULES_DIR).join(format!("{name}.ko"))) {
            console::say(&format!("sistemo-guest: module {name}: {error}"));
        }
        true
    }
}

fn names(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.trim_end_matches(".ko").to_owned())
}

fn load(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    match nix::kmod::finit_module(&file, c"", nix::kmod::ModuleInitFlags::empty()) {
        // Loaded already, or built in.
        Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_come_one_per_line() {
        let names: Vec<_> = super::names("virtio\n# net\n\nvirtio_net.ko \n").collect();
        assert_eq!(names, ["virtio", "virtio_net"]);
    }
}
