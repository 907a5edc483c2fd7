//! Where Firecracker is: where the setting says, else where setup puts it, else in `PATH`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Error, Firecracker, PROGRAM};
use crate::host::packages;

/// The folder of the data directory in which setup installs programs.
const PROGRAMS: &str = "bin";

/// Where setup installs the program of this name.
pub(crate) fn place(data_dir: &Path, program: &str) -> PathBuf {
    data_dir.join(PROGRAMS).join(program)
}

impl Firecracker {
    /// The driver for the Firecracker of this host. `setting` is the only place that is looked at when there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when there is none.
    pub fn find(data_dir: &Path, setting: Option<&Path>) -> Result<Self, Error> {
        let found = match setting {
            Some(path) => Some(path.to_path_buf()).filter(|path| is_program(path)),
            None => Some(place(data_dir, PROGRAM))
                .filter(|path| is_program(path))
                .or_else(|| packages::find(PROGRAM)),
        };
        found.map(Firecracker::new).ok_or_else(|| Error::Missing {
            program: match setting {
                Some(path) => path.display().to_string(),
                None => PROGRAM.into(),
            },
        })
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}
