//! The programs that machines are made of: hypervisor, kernel, guest program, tools.

use std::fs;
use std::path::Path;

use super::{Check, Subject};
use crate::error::Advice;
use crate::guest::kernel::Kernels;
use crate::host::packages::{PackageManager, Tool};
use crate::vmm::firecracker::{Firecracker, Version};
use crate::vmm::qemu::Qemu;
use crate::vmm::{self, Accelerator, Hypervisor, HypervisorChoice, Vmm};

/// QEMU's `microvm` machine has a power button and ACPI since 5.2, and all that the driver asks for since 6.0.
const OLDEST_QEMU: (u32, u32) = (6, 0);

const NAME: &str = "hypervisor";

/// What machines run under.
pub(super) async fn hypervisor(subject: &Subject) -> Check {
    let settings = &subject.hypervisors;
    let data_dir = subject.data_dir.clone();
    let accelerator = settings.accelerator;
    let probed = tokio::task::spawn_blocking(move || vmm::choose(accelerator, &data_dir)).await;
    let Ok(probe) = probed else {
        return qemu().await;
    };
    let program = settings.program.as_deref();
    let selected = vmm::select(settings.choice, 1, &probe, &subject.data_dir, program).await;
    let wanted = settings.choice.only() == Some(Hypervisor::Firecracker);
    match selected {
        Ok(selected) if selected.hypervisor == Hypervisor::Firecracker => {
            firecracker(&subject.data_dir, program).await
        }
        // Only under "auto": the reason is why it is not Firecracker.
        Ok(selected)
            if settings.choice == HypervisorChoice::Auto
                && probe.accelerator == Accelerator::Kvm =>
        {
            let why = format!(
                "Firecracker would be used: {}; sistemo setup brings it",
                selected.reason
            );
            qemu().await.or_remark(why)
        }
        Err(error) if wanted => {
            let hint = error.hint().unwrap_or_else(|| "sistemo setup".into());
            Check::bad(NAME, error.to_string(), hint)
        }
        _ => qemu().await,
    }
}

async fn firecracker(data_dir: &Path, program: Option<&Path>) -> Check {
    let found = match Firecracker::find(data_dir, program) {
        Ok(driver) => driver.release().await.map(|version| (driver, version)),
        Err(error) => Err(error),
    };
    match found {
        Ok((driver, version)) => {
            let check = Check::good(
                NAME,
                format!("Firecracker {version} ({})", driver.program().display()),
            );
            match version > Version::KNOWN {
                true => check.with_remark(format!(
                    "this program knows Firecracker up to {}; newer ones are tried",
                    Version::KNOWN
                )),
                false => check,
            }
        }
        Err(error) => Check::bad(NAME, error.to_string(), "sistemo setup"),
    }
}

async fn qemu() -> Check {
    let qemu = match Qemu::find() {
        Ok(qemu) => qemu,
        Err(error) => return Check::bad(NAME, error.to_string(), "sistemo setup"),
    };
    let program = qemu.program().display().to_string();
    match qemu.version().await {
        Ok(version) if new_enough(&version) => {
            Check::good(NAME, format!("QEMU {version} ({program})"))
        }
        Ok(version) => Check::bad(
            NAME,
            format!("QEMU {version} ({program}) is too old"),
            format!("install QEMU {}.{} or later", OLDEST_QEMU.0, OLDEST_QEMU.1),
        ),
        Err(error) => Check::bad(
            NAME,
            crate::error::Error::from(error).report(),
            "install QEMU again, with the host's package manager",
        ),
    }
}

pub(super) fn new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= OLDEST_QEMU
}

pub(super) fn kernel(data_dir: &Path) -> Check {
    const NAME: &str = "kernel";
    let Some(kernel) = Kernels::new(data_dir).current() else {
        return Check::bad(NAME, "no guest kernel is installed", "sistemo setup");
    };
    let dir = kernel.dir().display().to_string();
    let again = format!("remove {dir}, then: sistemo setup");
    let empty = |path: &Path| path.metadata().map_or(0, |facts| facts.len()) == 0;
    for path in [kernel.bzimage(), kernel.elf()] {
        if empty(&path) {
            return Check::bad(NAME, format!("{} is missing", path.display()), again);
        }
    }
    let modules = match kernel.boot_modules() {
        Ok(modules) => modules,
        Err(error) => return Check::bad(NAME, error.to_string(), again),
    };
    if let Some((name, _)) = modules.iter().find(|(_, path)| empty(path)) {
        return Check::bad(NAME, format!("its module {name} is missing"), again);
    }
    let rest = match kernel.modules_image() {
        Some(_) => "with its modules",
        None => "without modules",
    };
    Check::good(NAME, format!("{} {rest}", kernel.release))
}

pub(super) fn guest_program(path: &Path) -> Check {
    const NAME: &str = "guest program";
    let mend = "install sistemo again: sistemo-guest belongs beside it";
    let shown = path.display();
    let head = fs::File::open(path).and_then(|mut file| {
        let mut head = [0; 4];
        std::io::Read::read_exact(&mut file, &mut head).map(|()| head)
    });
    match head {
        Ok(head) if &head == b"\x7fELF" => Check::good(NAME, shown.to_string()),
        Ok(_) => Check::bad(NAME, format!("{shown} is not a program"), mend),
        Err(error) => Check::bad(NAME, format!("cannot read {shown}: {error}"), mend),
    }
}

pub(super) fn tools() -> Check {
    const NAME: &str = "tools";
    let (optional, needed): (Vec<Tool>, Vec<Tool>) = (Tool::ALL.into_iter())
        .filter(|tool| *tool != Tool::Qemu && tool.find().is_none())
        .partition(|tool| tool.optional());
    let list = |tools: &[Tool]| {
        let each: Vec<String> = (tools.iter())
            .map(|tool| format!("{} ({})", tool.program(), tool.purpose()))
            .collect();
        each.join(", ")
    };
    if !needed.is_empty() {
        let mend = match PackageManager::detect() {
            Some(_) => "sistemo setup".into(),
            None => format!("install by hand: {}", list(&needed)),
        };
        return Check::bad(NAME, format!("missing: {}", list(&needed)), mend);
    }
    let check = Check::good(NAME, "all are installed");
    if optional.is_empty() {
        return check;
    }
    check.with_remark(format!(
        "without {}, images come from registries",
        list(&optional)
    ))
}

pub(super) fn leftovers(data_dir: &Path) -> Check {
    const NAME: &str = "leftovers";
    let found = Kernels::new(data_dir).leftovers();
    match &found[..] {
        [] => Check::good(NAME, "none"),
        [one, ..] => {
            Check::good(NAME, format!("{} half-made kernel(s)", found.len())).with_remark(format!(
                "the next setup removes {}; if none is running: rm -r {}",
                one.display(),
                one.display()
            ))
        }
    }
}
