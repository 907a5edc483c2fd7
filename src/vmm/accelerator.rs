//! Whether KVM really works here.
//!
//! That `/dev/kvm` opens proves nothing: some nested hosts answer every ioctl and then emulate each instruction of the
//! kernel, hundreds of times slower, or give up on one. So a few dozen bytes of 64-bit code run in a real virtual
//! processor: the instructions that such hosts fail on, and a counting loop that is timed against the same loop run
//! natively. What came out is kept until the host restarts.

mod probe;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Error;
use super::process::boot_id;

/// What guests' instructions run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The processor itself, by Linux's KVM.
    Kvm,
    /// QEMU's software emulation (Tiny Code Generator).
    Tcg,
}

impl Accelerator {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// KVM where it really works, else software emulation.
    Auto,
    /// This one or none.
    Only(Accelerator),
}

impl FromStr for Wish {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Wish::Auto),
            "kvm" => Ok(Wish::Only(Accelerator::Kvm)),
            "tcg" => Ok(Wish::Only(Accelerator::Tcg)),
            _ => Err(format!("{text:?} is none of auto, kvm and tcg")),
        }
    }
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub accelerator: Accelerator,
    /// Why, for a person.
    pub reason: String,
    /// How long it took to find out, in milliseconds.
    pub took_ms: u64,
    /// The boot of the host for which it holds.
    boot_id: String,
}

/// The accelerator to use: the one wished for, or the one found out for this boot of the host.
pub fn choose(wish: Wish, data_dir: &Path) -> Result<Probe, Error> {
    match wish {
        Wish::Only(Accelerator::Tcg) => Ok(Probe {
            accelerator: Accelerator::Tcg,
            reason: "software emulation was asked for".into(),
            took_ms: 0,
            boot_id: boot_id(),
        }),
        Wish::Only(Accelerator::Kvm) => match std::fs::File::open("/dev/kvm") {
            Ok(_) => Ok(Probe {
                accelerator: Accelerator::Kvm,
                reason: "KVM was asked for".into(),
                took_ms: 0,
                boot_id: boot_id(),
            }),
            Err(error) => Err(Error::NoKvm(format!("/dev/kvm does not open: {error}"))),
        },
        Wish::Auto => {
            let cache = cache(data_dir);
            let kept = std::fs::read(&cache)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Probe>(&bytes).ok())
                .filter(|probe| probe.boot_id == boot_id());
            Ok(kept.unwrap_or_else(|| {
                let probe = find_out();
                // A result that cannot be kept is found out again.
                if let Ok(bytes) = serde_json::to_vec(&probe) {
                    let _ = std::fs::write(&cache, bytes);
                }
                probe
            }))
        }
    }
}

fn cache(data_dir: &Path) -> PathBuf {
    data_dir.join("accelerator.json")
}

/// Runs the probe, whatever is kept.
pub fn find_out() -> Probe {
    let begun = Instant::now();
    let (accelerator, reason) = match probe::run() {
        Ok(times) => (
            Accelerator::Kvm,
            format!(
                "KVM works: {} µs for what takes {} µs natively",
                times.guest_us, times.native_us
            ),
        ),
        Err(why) => (Accelerator::Tcg, format!("software emulation, since {why}")),
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Probe {
        accelerator,
        reason,
        took_ms,
        boot_id: boot_id(),
    }
}

/// The host's clock in kHz: what its kernel measured, as /proc/cpuinfo has it.
pub fn host_khz() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("cpu MHz"))?;
    let mhz: f64 = line.split(':').nth(1)?.trim().parse().ok()?;
    // A sleeping core's frequency is no clock rate; anything under 100 MHz is nonsense.
    (mhz > 100.0).then_some((mhz * 1000.0) as u64)
}

/// How long anything here may take.
const LIMIT: Duration = Duration::from_millis(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_found_out_in_under_a_second_and_kept_for_this_boot() {
        let dir = tempfile::tempdir().unwrap();
        let first = choose(Wish::Auto, dir.path()).unwrap();
        assert!(first.took_ms < 1000, "{first:?}");
        assert!(!first.reason.is_empty());
        assert_eq!(choose(Wish::Auto, dir.path()).unwrap(), first);
        let stale = Probe {
            boot_id: "another boot".into(),
            reason: "stale".into(),
            ..first
        };
        std::fs::write(cache(dir.path()), serde_json::to_vec(&stale).unwrap()).unwrap();
        assert_ne!(choose(Wish::Auto, dir.path()).unwrap().reason, "stale");
    }

    #[test]
    fn wishes_are_words() {
        assert_eq!("auto".parse(), Ok(Wish::Auto));
        assert_eq!("tcg".parse(), Ok(Wish::Only(Accelerator::Tcg)));
        assert!("fast".parse::<Wish>().is_err());
    }
}
