//! Which release of Firecracker a program is: asked once per driver.

use std::io;
use std::process::{Command, Output, Stdio};

use super::{Firecracker, Version};
use crate::vmm::error::{Error, HypervisorLog};

impl Firecracker {
    /// The program's version. It is asked once.
    ///
    /// # Errors
    ///
    /// When the program is missing, does not run or does not say what it is; [`Error::TooOld`] when it is older than
    /// [`Version::OLDEST`].
    pub async fn release(&self) -> Result<Version, Error> {
        let ask = || async {
            let output = tokio::process::Command::from(self.question()).output();
            self.answered(output.await)
        };
        let version = *self.release.get_or_try_init(ask).await?;
        self.not_too_old(version)
    }

    /// As [`Firecracker::release`], for whoever may block.
    pub fn release_blocking(&self) -> Result<Version, Error> {
        let version = self.answered(self.question().output())?;
        self.not_too_old(version)
    }

    fn question(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--version")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    fn not_too_old(&self, version: Version) -> Result<Version, Error> {
        match version >= Version::OLDEST {
            true => Ok(version),
            false => Err(Error::TooOld {
                program: self.program.clone(),
                version,
            }),
        }
    }

    fn answered(&self, output: io::Result<Output>) -> Result<Version, Error> {
        let output = output.map_err(|source| Error::not_started(&self.program, source))?;
        Version::printed(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| Error::Version {
            program: self.program.clone(),
            log: HypervisorLog(String::from_utf8_lossy(&output.stderr).trim().into()),
        })
    }
}
