//! Kernel modules from the initramfs.

use std::ffi::CString;
use std::fs::File;

use nix::kmod::{ModuleInitFlags, finit_module};
use sistemo::guest::words;

use crate::{Doing, Outcome};

/// Loads the modules that the host listed, in its order.
pub(crate) fn load_all() -> Outcome {
    let Ok(order) = std::fs::read_to_string(words::MODULES_ORDER) else {
        return Ok(()); // everything is built into this kernel
    };
    for name in order.lines().filter(|name| !name.is_empty()) {
        let path = format!("{}/{name}", words::MODULES_DIR);
        let file = File::open(&path).doing(format_args!("opening {path}"))?;
        match finit_module(&file, &CString::default(), ModuleInitFlags::empty()) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(error) => return Err(error).doing(format_args!("loading the module {name}")),
        }
    }
    Ok(())
}
