//! QEMU's command line for a machine: pure data, so that it is tested as such.
//!
//! Options are described in qemu(1) of QEMU 7.2; later versions accept them all.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use serde_json::{Value, json};

use super::memory::{self, Memory};
use crate::vmm::accelerator::Accelerator;
use crate::vmm::error::Error;
use crate::vmm::{Disk, LaunchSpec, Tap, strays};

/// How many virtio devices a machine may have. The microvm machine has 24 places (hw/i386/microvm.c), but the interrupt
/// of the place with number 0 does not reach a Linux guest with two interrupt controllers, and QEMU fills it last.
const MOST_DEVICES: usize = 23;

/// The name of the group of limits that all disks of a machine are in.
const LIMITS: &str = "limits";

/// The least memory for QEMU's cache of translated code, in MiB, under software emulation. Its own default is up to
/// 1 GiB for each machine, which a host with several machines does not have.
const TRANSLATIONS: u32 = 256;

/// The arguments for `spec`, with the control socket listening at descriptor `control`; `sandbox` asks for QEMU's
/// system-call filter.
pub(super) fn arguments(
    spec: &LaunchSpec,
    memory: &Memory,
    control: i32,
    sandbox: bool,
) -> Result<Vec<OsString>, Error> {
    // One more for the random number generator.
    let devices = spec.disks.len() + spec.taps.len() + 1;
    if devices > MOST_DEVICES {
        return Err(Error::Unfit(format!(
            "a machine has at most {MOST_DEVICES} devices, and this one would have {devices}"
        )));
    }
    let mut line = Line::default();
    if sandbox {
        line.option(
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        );
    }
    line.option("-name", strays::marker(&spec.machine));
    line.option("-uuid", &spec.machine);
    line.flag("-nodefaults");
    line.flag("-no-user-config");
    line.flag("-no-reboot");
    line.option("-display", "none");
    // The microvm machine has no firmware menu, no PCI and nothing that a Linux guest does not use. ACPI describes its
    // devices and brings the power button.
    let mut machine =
        "microvm,acpi=on,pit=on,rtc=on,isa-serial=on,dump-guest-core=off,mem-merge=off".to_owned();
    if let Some(object) = memory.object(spec.memory)? {
        line.json("-object", object);
        machine.push_str(",memory-backend=");
        machine.push_str(memory::NAME);
    }
    line.option("-machine", machine);
    match spec.accelerator {
        Accelerator::Kvm => {
            line.option("-accel", "kvm");
            line.option("-cpu", "host");
        }
        Accelerator::Tcg => {
            line.option("-accel", format!("tcg,thread=multi,tb-size={TRANSLATIONS}"));
            line.option("-cpu", "max");
        }
    }
    line.option("-smp", spec.vcpus.to_string());
    line.option("-m", format!("{}M", spec.memory.mib_up()));
    match &spec.restore {
        // Paused until all of it is there.
        Some(_) => {
            line.option("-incoming", "defer");
            line.flag("-S");
        }
        None => {
            line.option("-kernel", &spec.kernel);
            line.option("-initrd", &spec.initramfs);
            line.option("-append", &spec.command_line);
        }
    }
    line.option(
        "-chardev",
        keyed("file,id=console,append=on,path=", &spec.console),
    );
    line.option("-serial", "chardev:console");
    line.option(
        "-chardev",
        format!("socket,id=control,fd={control},server=on,wait=off"),
    );
    line.option("-mon", "chardev=control,mode=control");
    if let Some(iops) = spec.iops {
        line.json(
            "-object",
            json!({
                "qom-type": "throttle-group",
                "id": LIMITS,
                "limits": {"iops-total": iops},
            }),
        );
    }
    // QEMU fills the places of devices from the last to the first, and a guest numbers them in that order.
    for (index, disk) in spec.disks.iter().enumerate() {
        let node = format!("disk{index}");
        line.json("-blockdev", block_node(&node, disk)?);
        let node = match spec.iops {
            Some(_) => {
                let throttled = format!("throttled{index}");
                line.json("-blockdev", throttle(&throttled, &node, disk));
                throttled
            }
            None => node,
        };
        line.json("-device", block_device(&node, disk)?);
    }
    for (index, tap) in spec.taps.iter().enumerate() {
        let id = format!("net{index}");
        line.json("-netdev", net_backend(&id, tap));
        line.json("-device", net_device(&id, tap));
    }
    line.option("-object", "rng-builtin,id=entropy");
    line.json(
        "-device",
        json!({"driver": "virtio-rng-device", "rng": "entropy"}),
    );
    Ok(line.0)
}

/// The image behind a disk. Written data is cached by the host and a guest's flush reaches the disk; what the guest
/// trims or zeroes gives its space back. The file is locked, so that two machines never write one disk.
fn block_node(node: &str, disk: &Disk) -> Result<Value, Error> {
    let path = disk.path.to_str().ok_or_else(|| {
        Error::Unfit(format!(
            "the path of the disk {} is not UTF-8",
            disk.path.display()
        ))
    })?;
    let cache = json!({"direct": false, "no-flush": false});
    let driver = match disk.path.starts_with("/dev") {
        true => "host_device",
        false => "file",
    };
    let file = json!({
        "driver": driver,
        "filename": path,
        "locking": "on",
        "read-only": disk.read_only,
        "cache": cache,
        "discard": "unmap",
        // Another host might have written to the disk, QEMU thinks, when it has loaded a state: it would have the host
        // write all of the disk that it has in memory, and forget it.
        "drop-cache": false,
    });
    Ok(json!({
        "driver": "raw",
        "node-name": node,
        "read-only": disk.read_only,
        "cache": cache,
        "discard": "unmap",
        "detect-zeroes": "unmap",
        "file": file,
    }))
}

/// A filter before a disk that waits when the machine's disks together have had their share.
fn throttle(name: &str, node: &str, disk: &Disk) -> Value {
    json!({
        "driver": "throttle",
        "node-name": name,
        "throttle-group": LIMITS,
        "read-only": disk.read_only,
        "discard": "unmap",
        "file": node,
    })
}

/// The guest is told of errors, such as a full host; QEMU's default would stop it without a word.
fn block_device(node: &str, disk: &Disk) -> Result<Value, Error> {
    if disk.serial.len() > 20 {
        return Err(Error::Unfit(format!(
            "the serial number {:?} is longer than 20 bytes",
            disk.serial
        )));
    }
    Ok(json!({
        "driver": "virtio-blk-device",
        "drive": node,
        "serial": disk.serial,
        "rerror": "report",
        "werror": "report",
    }))
}

fn net_backend(id: &str, tap: &Tap) -> Value {
    json!({
        "type": "tap",
        "id": id,
        "ifname": tap.name,
        "script": "no",
        "downscript": "no",
    })
}

fn net_device(id: &str, tap: &Tap) -> Value {
    json!({"driver": "virtio-net-device", "netdev": id, "mac": tap.mac})
}

/// `KEY=PATH` in QEMU's own syntax, where a comma is written twice.
fn keyed(key: &str, path: &Path) -> OsString {
    let mut bytes = key.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        bytes.push(*byte);
        if *byte == b',' {
            bytes.push(b',');
        }
    }
    OsString::from_vec(bytes)
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn flag(&mut self, name: &str) {
        self.0.push(name.into());
    }

    fn option(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.0.push(name.into());
        self.0.push(value.as_ref().into());
    }

    fn json(&mut self, name: &str, value: Value) {
        self.option(name, value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ByteSize;
    use crate::vmm::{HugePages, Restore};

    fn spec(accelerator: Accelerator) -> LaunchSpec {
        let disk = |path: &str, serial: &str, read_only| Disk {
            path: path.into(),
            serial: serial.into(),
            read_only,
        };
        LaunchSpec {
            machine: "7b2e7c0e-1111-4222-8333-444455556666".into(),
            kernel: "/data/kernels/6.1/vmlinuz".into(),
            initramfs: "/data/machines/a/initramfs".into(),
            command_line: "console=ttyS0 panic=-1".into(),
            disks: vec![
                disk("/data/volumes/web,root.ext4", "root", false),
                disk("/data/kernels/6.1/modules.img", "modules", true),
            ],
            taps: vec![Tap {
                name: "tap0".into(),
                mac: "02:00:0a:c8:00:02".into(),
                mtu: Some(1450),
            }],
            namespace: None,
            vcpus: 2,
            iops: None,
            memory: ByteSize::mib(512),
            huge_pages: HugePages::None,
            console: "/data/a,b/console.log".into(),
            run_dir: "/run/sistemo/a".into(),
            accelerator,
            owner: None,
            restore: None,
        }
    }

    fn lines(spec: &LaunchSpec) -> String {
        let mut text = String::new();
        let memory = match spec.restore.is_some() {
            true => Memory::Mapped("/data/snapshots/a/memory".into()),
            false if spec.accelerator == Accelerator::Tcg => Memory::Shared,
            false => Memory::Anonymous,
        };
        for word in arguments(spec, &memory, 9, true).unwrap() {
            let word = word.into_string().unwrap();
            let gap = if word.starts_with('-') { "\n" } else { " " };
            text.push_str(&format!("{gap}{word}"));
        }
        text.trim().into()
    }

    #[test]
    fn under_software_emulation() {
        insta::assert_snapshot!(lines(&spec(Accelerator::Tcg)));
    }

    #[test]
    fn kvm_differs_in_processor_and_memory_alone() {
        let (kvm, tcg) = (
            lines(&spec(Accelerator::Kvm)),
            lines(&spec(Accelerator::Tcg)),
        );
        let tcg: Vec<&str> = tcg.lines().collect();
        let differ: Vec<&str> = kvm.lines().filter(|line| !tcg.contains(line)).collect();
        assert_eq!(
            differ,
            [
                "-machine microvm,acpi=on,pit=on,rtc=on,isa-serial=on,dump-guest-core=off,mem-merge=off",
                "-accel kvm",
                "-cpu host"
            ]
        );
    }

    #[test]
    fn a_state_is_loaded_instead_of_a_kernel() {
        let mut restored = spec(Accelerator::Tcg);
        let booted = lines(&restored);
        restored.restore = Some(Restore {
            folder: "/data/snapshots/a".into(),
            is_last: true,
        });
        let restored = lines(&restored);
        let only = |a: &str, b: &str| -> Vec<String> {
            let other: Vec<_> = b.lines().collect();
            let lines = a.lines().filter(|line| !other.contains(line));
            lines
                .map(|line| line.split(' ').next().unwrap().into())
                .collect()
        };
        assert_eq!(only(&restored, &booted), ["-object", "-incoming", "-S"]);
        assert_eq!(
            only(&booted, &restored),
            ["-object", "-kernel", "-initrd", "-append"]
        );
    }

    #[test]
    fn all_disks_share_one_limit() {
        let mut limited = spec(Accelerator::Tcg);
        limited.iops = Some(100);
        let limited = lines(&limited);
        let about = ["throttle", "-device"];
        let lines = limited.lines();
        let lines: Vec<_> = lines
            .filter(|line| about.iter().any(|word| line.contains(word)))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut many = spec(Accelerator::Tcg);
        many.disks = vec![many.disks[0].clone(); MOST_DEVICES];
        assert!(matches!(
            arguments(&many, &Memory::Anonymous, 9, true),
            Err(Error::Unfit(_))
        ));
        let mut long = spec(Accelerator::Tcg);
        long.disks[0].serial = "x".repeat(21);
        assert!(matches!(
            arguments(&long, &Memory::Anonymous, 9, true),
            Err(Error::Unfit(_))
        ));
    }
}
