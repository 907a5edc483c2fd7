//! The hypervisors by name, and the `vmm` setting that chooses between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A hypervisor that this program drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hypervisor {
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

    /// Its name as its makers write it.
    pub fn title(self) -> &'static str {
        match self {
            Hypervisor::Qemu => "QEMU",
            Hypervisor::Firecracker => "Firecracker",
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

/// The `vmm` setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HypervisorChoice {
    /// Firecracker where it can be, else QEMU; looked at anew at each start.
    #[default]
    Auto,
    /// This one or none.
    Only(Hypervisor),
}

impl HypervisorChoice {
    /// The one that is asked for by name.
    pub fn only(self) -> Option<Hypervisor> {
        match self {
            HypervisorChoice::Auto => None,
            HypervisorChoice::Only(hypervisor) => Some(hypervisor),
        }
    }
}

impl From<Option<Hypervisor>> for HypervisorChoice {
    fn from(asked: Option<Hypervisor>) -> Self {
        asked.map_or(HypervisorChoice::Auto, HypervisorChoice::Only)
    }
}

impl FromStr for HypervisorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(HypervisorChoice::Auto),
            _ => text.parse().map(HypervisorChoice::Only),
        }
    }
}

impl fmt::Display for HypervisorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.only().map_or("auto", Hypervisor::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        for known in Hypervisor::ALL {
            assert_eq!(known.as_str().parse(), Ok(known));
        }
        assert!("QEMU".parse::<Hypervisor>().is_err());
        for word in ["auto", "qemu", "firecracker"] {
            let choice: HypervisorChoice = word.parse().unwrap();
            assert_eq!(choice.to_string(), word);
        }
        assert!("xen".parse::<HypervisorChoice>().is_err());
    }
}
