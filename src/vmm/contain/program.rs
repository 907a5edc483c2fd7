//! What a program needs to see of its host's files in order to run: itself and, when it is not static, the libraries.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::Error;

/// Where loaders look by default, and the links that lead there on hosts where `/usr` has everything (hier(7)).
const LIBRARIES: [&str; 8] = [
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
];
/// Where a distribution keeps each program's libraries by its own name; a program there may need any of it.
const STORES: [&str; 2] = ["/nix/store", "/gnu/store"];
/// A program header of this type names the loader (elf(5), `PT_INTERP`).
const INTERPRETER: u32 = 3;

/// The files and folders that the program at `program` needs, itself first. `data` are folders of its own under `share`.
/// What is a link is to be one there, too.
pub(super) fn needs(program: &Path, data: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let mut needed = vec![program.to_path_buf()];
    let prefix = program.parent().and_then(Path::parent);
    let shares = prefix.map(|prefix| prefix.join("share"));
    for share in shares.into_iter().chain(["/usr/share".into()]) {
        needed.extend(data.iter().map(|name| share.join(name)));
    }
    let failed = Error::path("read", program);
    if is_dynamic(program).map_err(&failed)? {
        needed.extend(LIBRARIES.map(PathBuf::from));
        needed.extend(configured());
        needed.push("/etc/ld.so.cache".into());
        needed.extend(prefix.map(|prefix| prefix.join("lib")));
        needed.extend(prefix.map(|prefix| prefix.join("lib64")));
        let store = STORES.iter().find(|store| program.starts_with(store));
        needed.extend(store.map(PathBuf::from));
    } else if is_script(program).map_err(&failed)? {
        return Err(Error::Script(program.into()));
    }
    needed.retain(|path| fs::symlink_metadata(path).is_ok());
    // What a link leads to is needed too.
    let targets = needed.iter().filter(|path| path.is_symlink());
    let targets: Vec<_> = targets
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    needed.extend(targets);
    let mut seen = Vec::new();
    needed.retain(|path| {
        let fresh = !seen.contains(path);
        seen.push(path.clone());
        fresh
    });
    Ok(needed)
}

/// Folders that this host's loader has been told of (ld.so.conf of ldconfig(8)).
fn configured() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/ld.so.conf")];
    if let Ok(entries) = fs::read_dir("/etc/ld.so.conf.d") {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let folders = |text: String| {
        let lines = text.lines().map(str::trim);
        let folders = lines.filter(|line| line.starts_with('/'));
        // By a way without links: those above are links themselves on many hosts.
        let folders = folders.filter_map(|folder| fs::canonicalize(folder).ok());
        folders.collect::<Vec<_>>()
    };
    texts.flat_map(folders).collect()
}

fn is_script(program: &Path) -> io::Result<bool> {
    let mut first = Vec::new();
    File::open(program)?.take(2).read_to_end(&mut first)?;
    Ok(first == b"#!")
}

/// Whether a program of this processor's needs a loader. Anything else is left to the kernel to refuse.
fn is_dynamic(program: &Path) -> io::Result<bool> {
    let file = File::open(program)?;
    let mut header = [0; 64];
    if file.read_at(&mut header, 0)? < header.len() || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(false);
    }
    // Elf64_Ehdr: e_phoff at 32, e_phentsize at 54, e_phnum at 56.
    let short = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let mut offset = [0; 8];
    offset.copy_from_slice(&header[32..40]);
    let (offset, size, count) = (u64::from_le_bytes(offset), short(54), short(56));
    for index in 0..count {
        let mut kind = [0; 4];
        file.read_exact_at(&mut kind, offset.saturating_add(index * size))?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_program_needs_itself_and_a_dynamic_one_the_libraries() {
        let alone = std::env::current_exe().unwrap();
        assert_eq!(
            needs(&alone, &["no-such-data"]).unwrap(),
            std::slice::from_ref(&alone)
        );
        let shell = fs::canonicalize("/bin/sh").unwrap();
        let needed = needs(&shell, &[]).unwrap();
        assert_eq!(needed[0], shell);
        assert!(needed.contains(&"/usr/lib".into()), "{needed:?}");
        assert!(!needed.contains(&"/etc".into()), "{needed:?}");
    }

    #[test]
    fn a_script_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("qemu");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(matches!(needs(&script, &[]), Err(Error::Script(_))));
        fs::write(&script, "x").unwrap();
        assert_eq!(needs(&script, &[]).unwrap(), [script]);
    }
}
