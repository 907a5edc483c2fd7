//! Whether KVM works here: a probe that runs a few dozen bytes of guest code, once per boot.
//!
//! That `/dev/kvm` opens proves nothing. Some nested hosts answer every request and then emulate each privileged
//! instruction, hundreds of times slower, or fail on instructions that every kernel uses. The probe runs those
//! instructions and a counting loop, and compares the loop with the same loop run natively a moment before.
//!
//! ```text
//! no /dev/kvm ─────────────► tcg
//! a part fails ────────────► tcg        (the reason names the part)
//! the watchdog interrupts ─► tcg        (not remembered when the host was too busy to tell)
//! the loop is slow ────────► tcg
//! all parts in time ───────► kvm
//! ```

mod code;
mod machine;
mod memory;
mod watchdog;

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::code::Part;
use self::machine::{Ending, Machine, processor_time};
use self::watchdog::Watched;
use super::tsc;
use crate::error::{Advice, Kind};

/// The probe's answer, remembered until the next boot, in the data directory.
const CACHE: &str = "accelerator.json";
/// Raised when the probe asks more, so that an older answer is not believed.
const REVISION: u32 = 1;
/// When the watchdog interrupts the guest code; on real hardware it takes a few milliseconds.
const DEADLINE: Duration = Duration::from_millis(600);
/// How many times slower than native the counting loop may be, and what it may take on top of that. Hardware
/// virtualisation is within a few percent, nested within a small factor, emulation beyond a hundred.
const SLOWER: u32 = 8;
const ON_TOP: Duration = Duration::from_millis(10);

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The processor itself, through `/dev/kvm`.
    Kvm,
    /// QEMU's translator, in software.
    Tcg,
}

impl Accelerator {
    /// The word for it in settings, JSON and QEMU's options.
    pub fn as_str(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        }
    }
}

impl std::fmt::Display for Accelerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The `accelerator` setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// What the probe says.
    #[default]
    Auto,
    /// KVM, whatever the probe says.
    Kvm,
    /// Software emulation, whatever the probe says.
    Tcg,
}

/// A word that is not a [`Choice`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an accelerator")]
pub struct UnknownChoice(String);

impl Advice for UnknownChoice {
    fn kind(&self) -> Kind {
        Kind::Usage
    }
    fn hint(&self) -> Option<String> {
        Some("it is one of: auto, kvm, tcg".into())
    }
}

impl std::str::FromStr for Choice {
    type Err = UnknownChoice;
    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        match text {
            "auto" => Ok(Choice::Auto),
            "kvm" => Ok(Choice::Kvm),
            "tcg" => Ok(Choice::Tcg),
            _ => Err(UnknownChoice(text.into())),
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Choice::Auto => "auto",
            Choice::Kvm => "kvm",
            Choice::Tcg => "tcg",
        })
    }
}

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What to use.
    pub accelerator: Accelerator,
    /// Why, in one sentence without a full stop.
    pub reason: String,
    /// How long the probe took when it ran, in milliseconds.
    pub took_ms: u64,
    /// Rate of this computer's time-stamp counter in kHz; see [`tsc::measure`].
    pub tsc_khz: Option<u32>,
    /// False when the host was too busy for a sound answer; such an answer is not remembered.
    pub certain: bool,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    revision: u32,
    boot_id: String,
    #[serde(flatten)]
    probe: Probe,
}

/// The probe's answer: the remembered one of this boot, else a fresh one, which is remembered in `data_dir` when that
/// can be written (it need not be). Blocks for less than a second.
pub fn probe(data_dir: &Path) -> Probe {
    let boot_id = super::process::boot_id();
    let path = data_dir.join(CACHE);
    if let (Some(found), Ok(boot_id)) = (remembered(&path), &boot_id)
        && found.boot_id == *boot_id
        && found.revision == REVISION
    {
        return found.probe;
    }
    let probe = probe_now();
    if let (true, Ok(boot_id)) = (probe.certain, boot_id) {
        let entry = Remembered {
            revision: REVISION,
            boot_id,
            probe: probe.clone(),
        };
        // An answer that cannot be remembered is asked for again: slower, never wrong.
        if let Err(error) = remember(&path, &entry) {
            tracing::debug!(%error, "the accelerator probe's answer is not remembered");
        }
    }
    probe
}

fn remembered(path: &Path) -> Option<Remembered> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remember(path: &Path, entry: &Remembered) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, entry)?;
    file.persist(path)?;
    Ok(())
}

/// Asks this computer afresh.
pub fn probe_now() -> Probe {
    let begun = Instant::now();
    let rate = std::thread::spawn(tsc::measure);
    let (accelerator, reason, certain) = judge();
    let tsc_khz = rate.join().ok().flatten();
    Probe {
        accelerator,
        reason,
        took_ms: begun.elapsed().as_millis() as u64,
        tsc_khz,
        certain,
    }
}

fn judge() -> (Accelerator, String, bool) {
    let tcg = |reason: String| (Accelerator::Tcg, reason, true);
    let native = native_time();
    let machine = match Machine::new(&Part::ALL, code::LOOP_ROUNDS) {
        Ok(machine) => machine,
        Err((_, cause)) if cause.kind() == io::ErrorKind::NotFound => {
            return tcg("there is no /dev/kvm".into());
        }
        Err((step, cause)) => return tcg(format!("{step} failed: {cause}")),
    };
    let limit = native * SLOWER + ON_TOP;
    let Watched {
        ending,
        during,
        processor,
    } = watchdog::run(machine, DEADLINE);
    let Some(part) = during else {
        return match ending {
            Some(Ending::Passed { counting }) if counting <= limit => (
                Accelerator::Kvm,
                format!("KVM runs guest code {}", ratio(counting, native)),
                true,
            ),
            Some(Ending::Passed { counting }) => tcg(format!(
                "KVM runs guest code {}, so it emulates it",
                ratio(counting, native)
            )),
            _ => tcg("KVM did not end the probe".into()),
        };
    };
    match ending {
        Some(Ending::Failed { how }) => tcg(format!("KVM fails at {}: {how}", part.what())),
        None => tcg(format!(
            "KVM hangs at {} and cannot be interrupted",
            part.what()
        )),
        // Interrupted while it hardly ran: other programs had the processor.
        _ if processor < DEADLINE / 4 => (
            Accelerator::Tcg,
            "the host was too busy to tell whether KVM works".into(),
            false,
        ),
        _ => tcg(format!(
            "KVM did not get through {} in {} ms",
            part.what(),
            DEADLINE.as_millis()
        )),
    }
}

/// The counting loop's time on this computer itself: the least of a few runs.
fn native_time() -> Duration {
    let once = || {
        let begun = processor_time();
        code::run_loop_natively();
        processor_time().saturating_sub(begun)
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

fn ratio(guest: Duration, native: Duration) -> String {
    let ratio = guest.as_secs_f64() / native.as_secs_f64().max(1e-9);
    if ratio < 1.15 {
        "at full speed".into()
    } else {
        format!("{ratio:.1} times slower than native")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_comes_within_a_second_and_says_why() {
        let begun = Instant::now();
        let probe = probe_now();
        assert!(begun.elapsed() < Duration::from_secs(1), "{probe:?}");
        assert!(!probe.reason.is_empty());
        eprintln!("{probe:?}");
    }

    /// The machine, or nothing where there is no KVM at all, which the probe must then say.
    fn machine(parts: &[Part], rounds: u64) -> Option<Machine> {
        match Machine::new(parts, rounds) {
            Ok(machine) => Some(machine),
            Err(_) => {
                assert_eq!(probe_now().accelerator, Accelerator::Tcg);
                None
            }
        }
    }

    #[test]
    fn each_part_alone_ends_in_time() {
        for part in Part::ALL {
            let begun = Instant::now();
            let Some(machine) = machine(&[part], code::LOOP_ROUNDS) else {
                return;
            };
            let watched = watchdog::run(machine, DEADLINE);
            assert!(watched.ending.is_some(), "{part:?} cannot be interrupted");
            assert!(begun.elapsed() < Duration::from_secs(1), "{part:?}");
        }
    }

    #[test]
    fn guest_code_that_never_ends_is_interrupted() {
        let Some(machine) = machine(&[], u64::MAX) else {
            return;
        };
        let begun = Instant::now();
        let watched = watchdog::run(machine, Duration::from_millis(100));
        assert!(matches!(watched.ending, Some(Ending::Interrupted)));
        assert_eq!(watched.during, Some(Part::Loop));
        assert!(begun.elapsed() >= Duration::from_millis(100));
        assert!(begun.elapsed() < Duration::from_millis(400));
    }

    #[test]
    fn the_answer_is_remembered_for_this_boot_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CACHE);
        let planted = |boot_id: String| Remembered {
            revision: REVISION,
            boot_id,
            probe: Probe {
                accelerator: Accelerator::Kvm,
                reason: "planted".into(),
                took_ms: 1,
                tsc_khz: None,
                certain: true,
            },
        };
        remember(&path, &planted(super::super::process::boot_id().unwrap())).unwrap();
        assert_eq!(probe(dir.path()).reason, "planted");
        remember(&path, &planted("another boot".into())).unwrap();
        let fresh = probe(dir.path());
        assert_ne!(fresh.reason, "planted");
        if fresh.certain {
            assert_eq!(remembered(&path).unwrap().probe, fresh);
        }
    }

    #[test]
    fn an_answer_that_cannot_be_remembered_is_still_given() {
        let dir = tempfile::tempdir().unwrap();
        let probe = probe(&dir.path().join("missing"));
        assert!(!probe.reason.is_empty());
    }

    #[test]
    fn the_native_loop_takes_a_time_that_can_be_compared() {
        let time = native_time();
        assert!(time > Duration::from_micros(50), "{time:?}");
        assert!(time < Duration::from_millis(200), "{time:?}");
    }

    #[test]
    fn the_setting_is_read_and_written_alike() {
        for choice in [Choice::Auto, Choice::Kvm, Choice::Tcg] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert!("KVM!".parse::<Choice>().is_err());
    }
}
