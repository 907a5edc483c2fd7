//! The hypervisors by name, and the `vmm` setting that chooses between them.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A hypervisor that this program knows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hypervisor {
    #[default]
    Qemu,
    Firecracker,
}

impl Hypervisor {
    /// Every hypervisor.
    pub const ALL: [Hypervisor; 2] = [Hypervisor::Qemu, Hypervisor::Firecracker];

    /// The word for it in settings, options and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Hypervisor::Qemu => "qemu",
            Hypervisor::Firecracker => "firecracker",
        }
    }

    /// Refuses one that has no driver yet.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Hypervisor::Qemu => Ok(()),
            Hypervisor::Firecracker => Err(Error::NoDriver(self)),
        }
    }
}

impl FromStr for Hypervisor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Hypervisor::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a hypervisor; it is one of: qemu, firecracker"))
    }
}

impl fmt::Display for Hypervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Advice, Kind};

    #[test]
    fn one_without_a_driver_is_refused_with_one_that_has() {
        for known in Hypervisor::ALL {
            assert_eq!(known.as_str().parse(), Ok(known));
        }
        assert!("QEMU".parse::<Hypervisor>().is_err());
        assert!(Hypervisor::default().check().is_ok());
        let error = Hypervisor::Firecracker.check().unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains("firecracker"), "{error}");
        assert!(error.hint().unwrap().contains("--vmm qemu"));
    }
}
