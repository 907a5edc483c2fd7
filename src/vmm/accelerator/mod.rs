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

mod choice;
mod code;
mod machine;
mod memory;
#[cfg(test)]
mod tests;
mod watchdog;

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::choice::{Accelerator, Choice, UnknownChoice};
use self::machine::{Ending, Machine, processor_time};
use self::watchdog::Watched;
use super::tsc;

/// The probe's answer, remembered until the next boot, in the data directory.
const CACHE: &str = "accelerator.json";
/// The kernel's hypervisor (Documentation/virt/kvm/api.rst).
const DEVICE: &str = "/dev/kvm";
/// Raised when the probe asks more, so that an older answer is not believed.
const REVISION: u32 = 1;
/// When the watchdog interrupts the guest code; on real hardware it takes a few milliseconds.
const DEADLINE: Duration = Duration::from_millis(600);
/// How many times slower than native the counting loop may be, and what it may take on top of that. Hardware
/// virtualisation is within a few percent, nested within a small factor, emulation beyond a hundred.
const SLOWER: u32 = 8;
const ON_TOP: Duration = Duration::from_millis(10);

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
    /// False when the answer may be another a moment later: the host was too busy to tell, or something refused KVM to
    /// this program. Such an answer is not remembered.
    pub certain: bool,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    revision: u32,
    boot_id: String,
    /// Whether there was a `/dev/kvm`; it comes and goes with a kernel module, or a container's device.
    device: bool,
    #[serde(flatten)]
    probe: Probe,
}

/// The probe's answer: the remembered one of this boot, else a fresh one, which is remembered in `data_dir` when that
/// can be written (it need not be). Blocks for less than a second.
pub fn probe(data_dir: &Path) -> Probe {
    let boot_id = super::process::boot_id();
    let path = data_dir.join(CACHE);
    let device = Path::new(DEVICE).exists();
    if let (Some(found), Ok(boot_id)) = (remembered(&path), &boot_id)
        && found.boot_id == *boot_id
        && found.revision == REVISION
        && found.device == device
    {
        return found.probe;
    }
    let probe = probe_now();
    if let (true, Ok(boot_id)) = (probe.certain, boot_id) {
        let entry = Remembered {
            revision: REVISION,
            boot_id: boot_id.into(),
            device,
            probe: probe.clone(),
        };
        // An answer that cannot be remembered is asked for again: slower, never wrong.
        if let Err(error) = remember(&path, &entry) {
            tracing::debug!(%error, "the accelerator probe's answer is not remembered");
        }
    }
    probe
}

/// What to use by the `accelerator` setting. The rest of the answer is the probe's, since its rate of the time-stamp
/// counter is needed in any case.
pub fn choose(choice: Choice, data_dir: &Path) -> Probe {
    let probe = probe(data_dir);
    let set = |accelerator| Probe {
        accelerator,
        reason: "it is set so".into(),
        ..probe.clone()
    };
    match choice {
        Choice::Auto => probe,
        Choice::Kvm => set(Accelerator::Kvm),
        Choice::Tcg => set(Accelerator::Tcg),
    }
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
    let machine = match Machine::new(&code::Part::ALL, code::LOOP_ROUNDS) {
        Ok(machine) => machine,
        Err((_, cause)) if cause.kind() == io::ErrorKind::NotFound => {
            return tcg("there is no /dev/kvm".into());
        }
        // Permissions may be given, and another hypervisor may let go of the processor.
        Err((step, cause)) => {
            return (Accelerator::Tcg, format!("{step} failed: {cause}"), false);
        }
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
