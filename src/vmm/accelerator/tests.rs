use super::code::Part;
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
fn each_part_alone_ends_or_is_interrupted() {
    for part in Part::ALL {
        let Some(machine) = machine(&[part], code::LOOP_ROUNDS) else {
            return;
        };
        let watched = watchdog::run(machine, DEADLINE);
        assert!(watched.ending.is_some(), "{part:?} cannot be interrupted");
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
}

#[test]
fn the_answer_is_remembered_for_this_boot_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CACHE);
    let device = Path::new(DEVICE).exists();
    let planted = |boot_id: String, device| Remembered {
        revision: REVISION,
        boot_id,
        device,
        probe: Probe {
            accelerator: Accelerator::Kvm,
            reason: "planted".into(),
            took_ms: 1,
            tsc_khz: None,
            certain: true,
        },
    };
    let boot_id = crate::vmm::process::boot_id().unwrap();
    remember(&path, &planted(boot_id.into(), device)).unwrap();
    assert_eq!(probe(dir.path()).reason, "planted");
    for other in [
        planted("another boot".into(), device),
        // The kernel module was loaded, or removed, since.
        planted(boot_id.into(), !device),
    ] {
        remember(&path, &other).unwrap();
        let fresh = probe(dir.path());
        assert_ne!(fresh.reason, "planted");
        if fresh.certain {
            assert_eq!(remembered(&path).unwrap().probe, fresh);
        }
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
