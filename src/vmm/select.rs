//! Which hypervisor runs a machine.
//!
//! ```text
//! asked for qemu ───────────────────────────────────────────────► QEMU
//! asked for firecracker ─ KVM works, at most 32 processors ─────► Firecracker, else refused with the reason
//! auto ─ KVM works, a usable Firecracker, at most 32 processors ► Firecracker, else QEMU
//! ```

use std::path::Path;

use super::firecracker::Firecracker;
use super::qemu::Qemu;
use super::{Accelerator, Error, Hypervisor, HypervisorChoice, Probe, Vmm};

/// The most virtual processors that Firecracker gives a machine (its API's description, `MachineConfiguration`).
pub const MOST_FIRECRACKER_VCPUS: u8 = 32;

/// What runs a machine, and why.
pub struct Selection {
    pub hypervisor: Hypervisor,
    pub driver: Box<dyn Vmm>,
    /// Why that one, in one sentence without a full stop.
    pub reason: String,
}

/// What runs a machine with `vcpus` virtual processors on a host of which `probe` is known. `program` is the setting
/// for Firecracker's path.
///
/// # Errors
///
/// When the one that is asked for is missing or cannot do it; when none is installed.
pub async fn select(
    choice: HypervisorChoice,
    vcpus: u8,
    probe: &Probe,
    data_dir: &Path,
    program: Option<&Path>,
) -> Result<Selection, Error> {
    let selected = |hypervisor, driver, reason: &str| Selection {
        hypervisor,
        driver,
        reason: reason.into(),
    };
    let set = "it is asked for";
    match choice {
        HypervisorChoice::Only(Hypervisor::Qemu) => {
            let driver = Box::new(Qemu::find()?);
            Ok(selected(Hypervisor::Qemu, driver, set))
        }
        HypervisorChoice::Only(Hypervisor::Firecracker) => {
            check_vcpus(vcpus)?;
            needs_kvm(probe)?;
            let driver = usable(data_dir, program).await?;
            Ok(selected(Hypervisor::Firecracker, Box::new(driver), set))
        }
        HypervisorChoice::Auto => {
            let reason = match firecracker(vcpus, probe, data_dir, program).await {
                Ok(driver) => {
                    let driver = Box::new(driver);
                    return Ok(selected(Hypervisor::Firecracker, driver, &probe.reason));
                }
                Err(error) => error.to_string(),
            };
            let driver = Box::new(Qemu::find()?);
            Ok(selected(Hypervisor::Qemu, driver, &reason))
        }
    }
}

/// Firecracker, if it can be.
async fn firecracker(
    vcpus: u8,
    probe: &Probe,
    data_dir: &Path,
    program: Option<&Path>,
) -> Result<Firecracker, Error> {
    needs_kvm(probe)?;
    check_vcpus(vcpus)?;
    usable(data_dir, program).await
}

/// A Firecracker of a release that can be driven.
async fn usable(data_dir: &Path, program: Option<&Path>) -> Result<Firecracker, Error> {
    let driver = Firecracker::find(data_dir, program)?;
    driver.release().await?;
    Ok(driver)
}

/// Refuses more virtual processors than Firecracker has.
pub fn check_vcpus(vcpus: u8) -> Result<(), Error> {
    match vcpus <= MOST_FIRECRACKER_VCPUS {
        true => Ok(()),
        false => Err(Error::Vcpus { asked: vcpus }),
    }
}

fn needs_kvm(probe: &Probe) -> Result<(), Error> {
    match probe.accelerator {
        Accelerator::Kvm => Ok(()),
        Accelerator::Tcg => Err(Error::NeedsKvm {
            reason: probe.reason.clone(),
        }),
    }
}

/// The driver of a machine that runs already.
///
/// # Errors
///
/// [`Error::Missing`] when its hypervisor is not installed any more.
pub fn driver(
    hypervisor: Hypervisor,
    data_dir: &Path,
    program: Option<&Path>,
) -> Result<Box<dyn Vmm>, Error> {
    Ok(match hypervisor {
        Hypervisor::Qemu => Box::new(Qemu::find()?),
        Hypervisor::Firecracker => Box::new(Firecracker::find(data_dir, program)?),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::error::{Advice, Kind};

    fn probe(accelerator: Accelerator) -> Probe {
        Probe {
            accelerator,
            reason: "there is no /dev/kvm".into(),
            took_ms: 1,
            tsc_khz: None,
            certain: true,
        }
    }

    /// A data directory with a program that says it is this version.
    fn installed(version: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let program = bin.join("firecracker");
        let script = format!("#!/bin/sh\necho 'Firecracker v{version}'\n");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    async fn chosen(
        choice: &str,
        vcpus: u8,
        accelerator: Accelerator,
        version: &str,
    ) -> Result<(Hypervisor, String), Error> {
        let dir = installed(version);
        let choice = choice.parse().unwrap();
        let selected = select(choice, vcpus, &probe(accelerator), dir.path(), None).await?;
        assert_eq!(selected.driver.name(), selected.hypervisor.as_str());
        Ok((selected.hypervisor, selected.reason))
    }

    #[tokio::test]
    async fn auto_is_firecracker_where_kvm_works() {
        use Accelerator::{Kvm, Tcg};
        let firecracker = chosen("auto", 2, Kvm, "1.17.0").await.unwrap();
        assert_eq!(firecracker.0, Hypervisor::Firecracker);
        let newer = chosen("auto", 32, Kvm, "2.3.4").await.unwrap();
        assert_eq!(newer.0, Hypervisor::Firecracker);
        for (vcpus, accelerator, version, why) in [
            (2, Tcg, "1.17.0", "there is no /dev/kvm"),
            (33, Kvm, "1.17.0", "at most 32"),
            (2, Kvm, "1.9.1", "too old"),
        ] {
            let (hypervisor, reason) = chosen("auto", vcpus, accelerator, version).await.unwrap();
            assert_eq!(hypervisor, Hypervisor::Qemu, "{reason}");
            assert!(reason.contains(why), "{reason}");
        }
    }

    #[tokio::test]
    async fn one_that_is_asked_for_is_had_or_refused_with_the_reason() {
        use Accelerator::{Kvm, Tcg};
        let qemu = chosen("qemu", 64, Kvm, "1.17.0").await.unwrap();
        assert_eq!(qemu.0, Hypervisor::Qemu);
        let got = chosen("firecracker", 32, Kvm, "1.10.0").await.unwrap();
        assert_eq!(got.0, Hypervisor::Firecracker);
        let without = chosen("firecracker", 2, Tcg, "1.17.0").await.unwrap_err();
        assert_eq!(without.kind(), Kind::Refused);
        assert!(
            without.to_string().contains("there is no /dev/kvm"),
            "{without}"
        );
        assert!(without.hint().unwrap().contains("--vmm qemu"));
        let many = chosen("firecracker", 33, Kvm, "1.17.0").await.unwrap_err();
        assert_eq!(many.kind(), Kind::Usage);
        assert!(
            many.to_string().contains("at most 32 virtual processors"),
            "{many}"
        );
        let old = chosen("firecracker", 2, Kvm, "1.9.1").await.unwrap_err();
        assert!(old.to_string().contains("1.9.1"), "{old}");
        assert!(old.hint().unwrap().contains("1.10.0 or later"));
    }

    #[tokio::test]
    async fn a_path_that_is_set_is_the_only_one_looked_at() {
        let dir = installed("1.17.0");
        let nowhere = Path::new("/no/such/firecracker");
        let choice = HypervisorChoice::Only(Hypervisor::Firecracker);
        let missing = select(
            choice,
            2,
            &probe(Accelerator::Kvm),
            dir.path(),
            Some(nowhere),
        )
        .await;
        let Err(error) = missing else {
            panic!("it was found");
        };
        assert!(
            error.to_string().contains("/no/such/firecracker"),
            "{error}"
        );
        let elsewhere = installed("1.16.0");
        let program = elsewhere.path().join("bin/firecracker");
        let found = Firecracker::find(dir.path(), Some(&program)).unwrap();
        assert_eq!(found.release().await.unwrap().minor, 16);
    }
}
