//! Trees, compared file by file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

/// Everything that is to be the same about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    mode: u32,
    owner: (u32, u32),
    /// Not of directories, where file systems count differently.
    links: u64,
    size: u64,
    device: u64,
    mtime: (i64, i64),
    content: Vec<u8>,
    attributes: BTreeMap<OsString, Vec<u8>>,
    /// The least path that is the same file.
    same_as: Vec<u8>,
}

/// What a comparison pays no heed to.
#[derive(Clone, Copy, Default)]
pub struct Except {
    /// Times of directories.
    pub directory_times: bool,
}

pub type Tree = BTreeMap<Vec<u8>, Facts>;

/// Everything below a folder, and the folder itself.
pub fn of_folder(root: &Path, except: Except) -> Tree {
    let mut tree = Tree::new();
    let mut first = BTreeMap::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        use std::os::unix::ffi::OsStrExt;
        let name = path
            .strip_prefix(root)
            .unwrap()
            .as_os_str()
            .as_bytes()
            .to_vec();
        let meta = path.symlink_metadata().unwrap();
        let kind = meta.file_type();
        let content = if kind.is_symlink() {
            std::fs::read_link(&path)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec()
        } else if kind.is_file() {
            let mut hash = Sha256::new();
            std::io::copy(&mut std::fs::File::open(&path).unwrap(), &mut hash).unwrap();
            hash.finalize().to_vec()
        } else {
            Vec::new()
        };
        if kind.is_dir() {
            for entry in std::fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                // Every file system of this kind has it.
                if !(name.is_empty() && entry.file_name() == "lost+found") {
                    todo.push(entry.path());
                }
            }
        }
        let attributes = xattr::list(&path).unwrap();
        let attributes = attributes.map(|name| {
            let value = xattr::get(&path, &name).unwrap().unwrap_or_default();
            (name, value)
        });
        let is_device = kind.is_char_device() || kind.is_block_device();
        let no_time = kind.is_dir() && except.directory_times;
        let facts = Facts {
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            links: if kind.is_dir() { 0 } else { meta.nlink() },
            size: if kind.is_dir() { 0 } else { meta.size() },
            device: if is_device { meta.rdev() } else { 0 },
            mtime: if no_time {
                (0, 0)
            } else {
                (meta.mtime(), meta.mtime_nsec())
            },
            content,
            attributes: attributes.collect(),
            same_as: Vec::new(),
        };
        let least: &mut Vec<u8> = first
            .entry((meta.dev(), meta.ino()))
            .or_insert_with(|| name.clone());
        if name < *least {
            *least = name.clone();
        }
        tree.insert(name.clone(), facts);
        tree.get_mut(&name).unwrap().same_as =
            format!("{}:{}", meta.dev(), meta.ino()).into_bytes();
    }
    let least: BTreeMap<Vec<u8>, Vec<u8>> = (first.into_iter())
        .map(|((device, inode), name)| (format!("{device}:{inode}").into_bytes(), name))
        .collect();
    for facts in tree.values_mut() {
        facts.same_as = least[&facts.same_as].clone();
    }
    tree
}

/// Everything in a disk, as the kernel sees it. It is mounted where only one thread of this process sees it.
pub fn of_disk(disk: &Path, except: Except) -> Tree {
    let disk = disk.to_path_buf();
    let thread = std::thread::spawn(move || {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).expect("mounting needs root");
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // The loop device goes with the mount, and the mount with the thread's name space.
        let status = Command::new("mount")
            .args(["-o", "loop,ro"])
            .args([disk.as_path(), folder.path()])
            .status()
            .unwrap();
        assert!(status.success(), "the kernel does not mount the disk");
        let tree = of_folder(folder.path(), except);
        nix::mount::umount(folder.path()).unwrap();
        tree
    });
    thread.join().unwrap()
}

/// Says which files differ, and how.
#[track_caller]
pub fn assert_same(found: &Tree, expected: &Tree) {
    let mut wrong = Vec::new();
    for (name, facts) in expected {
        let shown = name.escape_ascii();
        match found.get(name) {
            None => wrong.push(format!("{shown} is missing")),
            Some(other) if other != facts => wrong.push(format!(
                "{shown}\n  is        {other:?}\n  should be {facts:?}"
            )),
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|name| !expected.contains_key(*name));
    wrong.extend(more.map(|name| format!("{} is too many", name.escape_ascii())));
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
}
