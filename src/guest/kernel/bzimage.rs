//! From the kernel image that distributions ship to the ELF file inside it.
//!
//! A bzImage is a boot sector, setup code and a payload that is a compressed `vmlinux`; the setup header says where
//! (Documentation/arch/x86/boot.rst). All but gzip append the uncompressed length as four bytes (scripts/Makefile.lib,
//! `size_append`).

use super::Error;
use super::decompress::decompress;

/// Setup header fields, as offsets from the beginning of the image.
const SETUP_SECTS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const KERNEL_VERSION: usize = 0x20e;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
/// Boot protocol 2.08, the first with a payload's place.
const WITH_PAYLOAD: u16 = 0x0208;

/// The kernel's release, such as `6.1.0-56-cloud-amd64`, from a bzImage.
pub(super) fn release(image: &[u8]) -> Option<String> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let text = usize::from(number16(image, KERNEL_VERSION)?) + 0x200;
    let text = image.get(text..)?.split(|b| *b == 0).next()?;
    let release = text.split(|b| *b == b' ').next()?;
    String::from_utf8(release.to_vec())
        .ok()
        .filter(|r| !r.is_empty())
}

/// The ELF file inside a bzImage; an ELF file is returned as it is.
pub(super) fn elf(image: &[u8]) -> Result<Vec<u8>, Error> {
    if is_elf(image) {
        return Ok(image.to_vec());
    }
    let payload = payload(image).ok_or(Error::NotAKernel)?;
    let elf = decompress(payload)?;
    if is_elf(&elf) {
        Ok(elf)
    } else {
        Err(Error::NotAKernel)
    }
}

/// Whether the bytes begin like an ELF file (elf(5)).
pub(super) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" || number16(image, VERSION)? < WITH_PAYLOAD {
        return None;
    }
    // "If the field is zero, the value is 4", for the sake of old loaders.
    let sectors = match *image.get(SETUP_SECTS)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let begin = (sectors + 1) * 512 + number32(image, PAYLOAD_OFFSET)? as usize;
    image
        .get(begin..)?
        .get(..number32(image, PAYLOAD_LENGTH)? as usize)
}

fn number16(image: &[u8], offset: usize) -> Option<u16> {
    let bytes = image.get(offset..offset + 2)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn number32(image: &[u8], offset: usize) -> Option<u32> {
    let bytes = image.get(offset..offset + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// An image with one setup sector, a release and a payload made by the tool that the kernel's build uses.
    fn image(tool: &[&str], elf: &[u8]) -> Vec<u8> {
        let mut child = Command::new(tool[0])
            .args(&tool[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = elf.to_vec();
        let feed = std::thread::spawn(move || std::io::Write::write_all(&mut input, &bytes));
        let mut payload = child.wait_with_output().unwrap().stdout;
        feed.join().unwrap().unwrap();
        if tool[0] != "gzip" {
            payload.extend((elf.len() as u32).to_le_bytes());
        }
        let mut image = vec![0; 1024];
        image[SETUP_SECTS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[VERSION..VERSION + 2].copy_from_slice(&0x20f_u16.to_le_bytes());
        image[KERNEL_VERSION..KERNEL_VERSION + 2].copy_from_slice(&0x100_u16.to_le_bytes());
        image[0x300..0x310].copy_from_slice(b"6.1.0-x (a@b) #1");
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16_u32.to_le_bytes());
        let length = payload.len() as u32;
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        image.extend([0; 16]);
        image.extend(payload);
        image.extend([0xaa; 100]);
        image
    }

    fn sample() -> Vec<u8> {
        let mut elf = b"\x7fELF".to_vec();
        elf.extend((0..20_000_000_u32).map(|n| (n / 7).wrapping_mul(n >> 9) as u8));
        elf
    }

    #[test]
    fn every_compression_that_distributions_use_is_undone() {
        let elf = sample();
        let tools: [&[&str]; 7] = [
            &["gzip", "-1"],
            &["zstd", "-q", "-3", "--stdout"],
            &[
                "xz",
                "-0",
                "--check=crc32",
                "--x86",
                "--lzma2=preset=0",
                "--stdout",
            ],
            &["lz4", "-l", "-q", "-1", "-"],
            &["lz4", "-q", "-1", "-"],
            &["bzip2", "-1"],
            &["lzma", "-0", "--stdout"],
        ];
        for tool in tools {
            let image = image(tool, &elf);
            assert_eq!(release(&image).as_deref(), Some("6.1.0-x"));
            assert!(super::elf(&image).unwrap() == elf, "{tool:?}");
        }
    }

    #[test]
    fn lzo_is_refused_by_name() {
        let mut lzo = image(&["cat"], &sample()[..10_000]);
        lzo[1040..1049].copy_from_slice(b"\x89LZO\x00\r\n\x1a\n");
        let error = elf(&lzo).unwrap_err();
        assert!(matches!(error, Error::Lzo), "{error}");
        assert!(error.to_string().contains("LZO"), "{error}");
    }

    #[test]
    fn broken_images_are_refused() {
        let whole = image(&["lz4", "-l", "-q", "-1", "-"], &sample()[..100_000]);
        assert!(elf(&whole).is_ok());
        assert!(matches!(elf(&whole[..2000]), Err(Error::NotAKernel)));
        assert!(matches!(elf(b"hello"), Err(Error::NotAKernel)));
        assert!(matches!(elf(&[]), Err(Error::NotAKernel)));
        let mut torn = whole.clone();
        torn[1060..1200].fill(0xff);
        assert!(elf(&torn).is_err());
        let mut strange = whole;
        strange[1040..1046].fill(0x11);
        assert!(matches!(
            elf(&strange),
            Err(Error::UnknownCompression { .. })
        ));
    }
}
