//! Files and folders that go into machines and come out of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Image, Lab};

/// Bytes without a pattern.
fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| random.u8(..))
        .take(length)
        .collect()
}

fn set_modified(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let file = std::fs::File::open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// A folder with a bit of everything: modes, times, links, holes, names that are no text.
fn make_tree(tree: &Path) {
    std::fs::create_dir_all(tree.join("sub/deep")).unwrap();
    std::fs::create_dir(tree.join("empty")).unwrap();
    for number in 0..150 {
        std::fs::write(tree.join(format!("sub/{number}")), format!("{number}\n")).unwrap();
    }
    std::fs::write(tree.join("nothing"), "").unwrap();
    std::fs::write(tree.join("run.sh"), "#!/bin/sh\n").unwrap();
    std::fs::write(tree.join("sub/deep/large"), noise(3 << 20)).unwrap();
    std::fs::write(tree.join(OsStr::from_bytes(b"not \xff text\n")), "bytes").unwrap();
    std::fs::write(tree.join("x".repeat(255)), "a long name").unwrap();
    symlink("run.sh", tree.join("link")).unwrap();
    symlink("/nowhere/at/all", tree.join("sub/dangling")).unwrap();
    let holes = std::fs::File::create(tree.join("holes")).unwrap();
    holes.set_len(64 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, b"middle", 32 << 20).unwrap();
    for (name, mode) in [("run.sh", 0o4755), ("nothing", 0o400), ("sub/deep", 0o555)] {
        let mode = PermissionsExt::from_mode(mode);
        std::fs::set_permissions(tree.join(name), mode).unwrap();
    }
    for name in ["run.sh", "sub/deep/large", "empty", "sub"] {
        set_modified(&tree.join(name), 1_000_000_000);
    }
}

/// Everything about a folder that a copy keeps, a line for each thing in it.
fn described(tree: &Path) -> String {
    let walk = "find . -printf '%P %y %l %s\\n' | grep -v ' d ' | LC_ALL=C sort; \
                find . -type d -printf '%P %m\\n' | LC_ALL=C sort; \
                find . ! -type l ! -name . -printf '%P %m %Ts\\n' | sed 's/ 4755 / 755 /' | LC_ALL=C sort; \
                find . -type f -exec sha256sum {} + | LC_ALL=C sort";
    let done = Command::new("sh")
        .args(["-c", walk])
        .current_dir(tree)
        .output()
        .unwrap();
    assert!(done.status.success());
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn a_folder_goes_in_and_comes_out_as_it_was() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --storage 256M"))
        .ok();
    let folder = tempfile::tempdir().unwrap();
    let (tree, back) = (folder.path().join("tree"), folder.path().join("back"));
    make_tree(&tree);
    let said = lab
        .run(&format!("machine cp {} a:/root/copy", tree.display()))
        .ok();
    assert!(
        said.starts_with("copied 156 files, 4 folders, 2 links (67"),
        "{said}"
    );
    assert!(said.ends_with(" to a:/root/copy\n"), "{said}");
    // The machine sees what was put there, and no set-user-id program of root's.
    assert_eq!(
        lab.run("machine exec a readlink /root/copy/link").ok(),
        "run.sh\n"
    );
    assert_eq!(
        lab.run("machine exec a -- stat -c %a /root/copy/run.sh")
            .ok(),
        "755\n"
    );
    // Holes take no space there.
    let used: u64 = lab
        .run("machine exec a 'du -k /root/copy/holes | cut -f1'")
        .ok()
        .trim()
        .parse()
        .unwrap();
    assert!(used < 1024, "{used} KiB");
    let copied = lab
        .run(&format!("machine cp -o json a:copy {}", back.display()))
        .json();
    assert_eq!(copied["files"], 156);
    assert_eq!(copied["folders"], 4);
    assert_eq!(copied["links"], 2);
    assert_eq!(described(&back), described(&tree));
    assert!(std::fs::metadata(back.join("holes")).unwrap().blocks() < 2048);
    // From one machine to the same one, and out again.
    lab.run("machine cp a:/root/copy a:/root/again").ok();
    lab.run(&format!("machine cp -r -q a:again {}/", back.display()))
        .ok();
    assert_eq!(described(&back.join("again")), described(&tree));
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
