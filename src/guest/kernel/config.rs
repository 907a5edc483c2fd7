//! What a kernel was built with, and whether that runs machines.
//!
//! The configuration comes from the package or the host (`/boot/config-RELEASE`, `/lib/modules/RELEASE/config`), or out
//! of the kernel itself when it carries it (`CONFIG_IKCONFIG`). Options that may be modules may be so because the
//! initramfs loads them; the others have to be in the kernel.

use std::io::Read;

use super::Error;

/// The file that keeps the configuration, in a kernel's directory.
pub(super) const FILE: &str = "config";
/// What stands before and behind a configuration inside a kernel (kernel/configs.c); between them it is gzip's.
const BEGIN: &[u8] = b"IKCFG_ST";
const END: &[u8] = b"IKCFG_ED";
/// More than any configuration has, in bytes.
const LARGEST: u64 = 8 << 20;

/// The hypervisor whose machines the kernel is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Qemu,
    Firecracker,
}

/// How much of an option is enough.
#[derive(Clone, Copy)]
enum Enough {
    /// In the kernel.
    BuiltIn,
    /// In the kernel or as a module.
    Module,
}

type Wanted = (&'static str, Enough, &'static str);

/// What every machine needs.
const ALWAYS: [Wanted; 10] = [
    ("CONFIG_64BIT", Enough::BuiltIn, "machines run in"),
    (
        "CONFIG_BLK_DEV_INITRD",
        Enough::BuiltIn,
        "takes the initramfs",
    ),
    (
        "CONFIG_DEVTMPFS",
        Enough::BuiltIn,
        "makes the files of devices",
    ),
    ("CONFIG_PRINTK", Enough::BuiltIn, "writes the boot log"),
    (
        "CONFIG_SERIAL_8250",
        Enough::BuiltIn,
        "drives the serial port",
    ),
    (
        "CONFIG_SERIAL_8250_CONSOLE",
        Enough::BuiltIn,
        "writes the boot log to the serial port",
    ),
    (
        "CONFIG_VIRTIO_MMIO",
        Enough::Module,
        "finds disks and network",
    ),
    ("CONFIG_VIRTIO_BLK", Enough::Module, "drives the disks"),
    ("CONFIG_VIRTIO_NET", Enough::Module, "drives the network"),
    ("CONFIG_EXT4_FS", Enough::Module, "reads the disks"),
];
/// QEMU's machine has its devices and its power button in ACPI's tables.
const QEMU: [Wanted; 1] = [(
    "CONFIG_ACPI",
    Enough::BuiltIn,
    "finds the machine's devices",
)];
/// Without ACPI's tables Firecracker's devices are on the command line, and its processors in an MP table
/// (docs/kernel-policy.md).
const FIRECRACKER_WITHOUT_ACPI: [Wanted; 2] = [
    (
        "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES",
        Enough::BuiltIn,
        "finds Firecracker's devices where the kernel has no CONFIG_ACPI",
    ),
    (
        "CONFIG_X86_MPPARSE",
        Enough::BuiltIn,
        "finds Firecracker's processors where the kernel has no CONFIG_ACPI",
    ),
];

/// Refuses a configuration that lacks something.
pub(super) fn check(config: &str, needs: Needs) -> Result<(), Error> {
    let own: &[Wanted] = match needs {
        Needs::Qemu => &QEMU,
        Needs::Firecracker if has(config, "CONFIG_ACPI", Enough::BuiltIn) => &[],
        Needs::Firecracker => &FIRECRACKER_WITHOUT_ACPI,
    };
    let lacks =
        (ALWAYS.iter().chain(own)).find(|(option, enough, _)| !has(config, option, *enough));
    match lacks {
        None => Ok(()),
        Some((option, _, what)) => Err(Error::OptionMissing { option, what }),
    }
}

fn has(config: &str, option: &str, enough: Enough) -> bool {
    let value = config
        .lines()
        .find_map(|line| line.strip_prefix(option)?.strip_prefix('='));
    match value.map(str::trim) {
        Some("y") => true,
        Some("m") => matches!(enough, Enough::Module),
        _ => false,
    }
}

/// The configuration that an uncompressed kernel carries.
pub(super) fn built_in(kernel: &[u8]) -> Option<Vec<u8>> {
    let begin = find(kernel, BEGIN)? + BEGIN.len();
    let packed = &kernel[begin..];
    let packed = &packed[..find(packed, END)?];
    let mut config = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(packed).take(LARGEST);
    decoder.read_to_end(&mut config).ok()?;
    Some(config)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    // Where the first byte is, which is much faster than comparing everywhere.
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(|byte| *byte == what[0]) {
        if bytes[from + found..].starts_with(what) {
            return Some(from + found);
        }
        from += found + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn good() -> String {
        let lines = ALWAYS.iter().map(|(option, enough, _)| match enough {
            Enough::BuiltIn => format!("{option}=y\n"),
            Enough::Module => format!("{option}=m\n"),
        });
        lines.collect::<String>() + "CONFIG_ACPI=y\nCONFIG_NAME=\"x\"\n"
    }

    #[test]
    fn a_kernel_that_lacks_something_is_refused_by_the_options_name() {
        let good = good();
        for needs in [Needs::Qemu, Needs::Firecracker] {
            assert!(check(&good, needs).is_ok());
            for (option, ..) in &ALWAYS {
                let without =
                    good.replace(&format!("{option}="), &format!("# {option} is not set "));
                let error = check(&without, needs).unwrap_err().to_string();
                assert!(error.contains(option), "{error}");
            }
        }
    }

    #[test]
    fn what_starts_the_console_cannot_be_a_module() {
        let late = good().replace(
            "CONFIG_SERIAL_8250_CONSOLE=y",
            "CONFIG_SERIAL_8250_CONSOLE=m",
        );
        let error = check(&late, Needs::Qemu).unwrap_err().to_string();
        assert!(error.contains("CONFIG_SERIAL_8250_CONSOLE"), "{error}");
    }

    #[test]
    fn firecracker_does_without_acpi_where_the_command_line_serves() {
        let bare = good().replace("CONFIG_ACPI=y", "");
        let said = |needs| check(&bare, needs).unwrap_err().to_string();
        assert!(said(Needs::Qemu).contains("CONFIG_ACPI,"));
        assert!(said(Needs::Firecracker).contains("CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES,"));
        let more = "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y\nCONFIG_X86_MPPARSE=y\n";
        assert!(check(&format!("{bare}{more}"), Needs::Firecracker).is_ok());
    }

    #[test]
    fn a_kernel_carries_its_configuration() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"CONFIG_A=y\n").unwrap();
        let mut kernel = b"\x7fELF IKC IKCFG_S ".to_vec();
        kernel.extend(BEGIN);
        kernel.extend(packer.finish().unwrap());
        kernel.extend(END);
        kernel.extend(b" more");
        assert_eq!(built_in(&kernel).unwrap(), b"CONFIG_A=y\n");
        assert!(built_in(b"\x7fELF without").is_none());
    }
}
