//! Files and folders that go into machines and come out of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Image, Lab, until};

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

/// How much there is of the one unfinished file in a folder.
fn unfinished(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut parts = entries.filter(|entry| {
        let name = entry.file_name();
        name.as_bytes().ends_with(b".sistemo-part")
    });
    parts
        .next()
        .map_or(0, |part| part.metadata().unwrap().len())
}

#[test]
fn a_copy_that_was_killed_goes_on_where_it_stopped() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --storage 512M"))
        .ok();
    let folder = tempfile::tempdir().unwrap();
    let (source, back) = (folder.path().join("source"), folder.path().join("back"));
    std::fs::write(&source, noise(96 << 20)).unwrap();
    std::fs::create_dir(&back).unwrap();
    let inwards = format!("machine cp {} a:/root/copy -o json", source.display());
    let size = "stat -c %s /root/.copy.*.sistemo-part 2> /dev/null || echo 0";
    let mut going = lab.start(&inwards, &[], Vec::new());
    until("8 MiB are there", || {
        let size: u64 = lab
            .run(&format!("machine exec a '{size}'"))
            .ok()
            .trim()
            .parse()
            .unwrap();
        size > 8 << 20
    });
    going.kill();
    going.wait().was_killed();
    // Nothing has the file's name before it is whole.
    lab.run("machine exec a test -e /root/copy").fails(1);
    let copied = lab.run(&inwards).json();
    assert!(
        copied["resumed_bytes"].as_u64().unwrap() > 8 << 20,
        "{copied}"
    );
    assert_eq!(copied["bytes"], 96 << 20);
    assert_eq!(lab.run("machine exec a ls -A /root").ok(), "copy\n");

    // Out of it, interrupted; the machine stops in between.
    let outwards = format!("machine cp a:copy {} -o json", back.display());
    let going = lab.start(&outwards, &[], Vec::new());
    until("8 MiB are here", || unfinished(&back) > 8 << 20);
    let pid = nix::unistd::Pid::from_raw(going.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let said = going.wait().fails(130);
    assert!(said.contains("go on where they stopped"), "{said}");
    assert!(!back.join("copy").exists());
    let left = unfinished(&back);
    assert!(left > 8 << 20, "{left}");
    lab.run("machine restart a").ok();
    let copied = lab.run(&outwards).json();
    assert!(
        copied["resumed_bytes"].as_u64().unwrap() >= left - (1 << 20),
        "{copied}"
    );
    assert!(std::fs::read(&source).unwrap() == std::fs::read(back.join("copy")).unwrap());
    assert_eq!(std::fs::read_dir(&back).unwrap().count(), 1);

    // A machine that goes away under a copy.
    std::fs::remove_file(back.join("copy")).unwrap();
    let going = lab.start(&outwards, &[], Vec::new());
    until("8 MiB are here", || unfinished(&back) > 8 << 20);
    lab.run("machine stop a --force").ok();
    let said = going.wait().fails(1);
    assert!(said.contains("go on where they stopped"), "{said}");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn what_cannot_be_copied_is_said_and_changes_nothing() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(folder.path().join("small"), "small\n").unwrap();
    std::fs::write(folder.path().join("large"), noise(90 << 20)).unwrap();
    lab.run("machine exec a chmod 700 /root").ok();
    let (small, large, here) = (path("small"), path("large"), path(""));
    let refused = [
        (format!("machine cp {small}"), 2, "SOURCE"),
        (
            format!("machine cp {small} {here}"),
            2,
            "neither side of the copy is a machine",
        ),
        (
            format!("machine cp {small} nosuch:"),
            3,
            "there is no machine",
        ),
        (
            format!("machine cp {small} a:/nowhere/x"),
            3,
            "there is no folder a:/nowhere",
        ),
        (
            format!("machine cp {small} {large} a:/etc/passwd"),
            2,
            "a:/etc/passwd is not a folder",
        ),
        (
            format!("machine cp {small} {large} a:/srv/x"),
            3,
            "there is no folder a:/srv/x",
        ),
        (
            format!("machine cp {here} a:/etc/passwd"),
            2,
            "a:/etc/passwd is not a folder",
        ),
        (
            format!("machine cp a:/nothing {here}"),
            3,
            "cannot find a:/nothing: No such file",
        ),
        (
            format!("machine cp 'a:/etc/*.conf' {here}"),
            3,
            "patterns are not expanded",
        ),
        (
            format!("machine cp a:/dev/null {here}x"),
            4,
            "a:/dev/null is a device",
        ),
        (
            format!("machine cp {small} a:/dev/null"),
            4,
            "a:/dev/null is a device",
        ),
        (
            "machine cp a:/etc a:/etc/x".into(),
            2,
            "a:/etc would be copied into itself",
        ),
        (
            format!("machine cp {small} www@a:/etc/"),
            1,
            "copy as a user who may",
        ),
        (
            format!("machine cp www@a:/root/x {here}"),
            1,
            "Permission denied",
        ),
        (
            format!("machine cp {small} nobody-here@a:"),
            1,
            "does not let nobody-here in",
        ),
        (
            format!("machine cp a:/etc/passwd {here}nowhere/x"),
            3,
            "there is no folder",
        ),
        // The disk of the machine is smaller.
        (
            format!("machine cp {large} a:/root/"),
            1,
            "No space left on device",
        ),
    ];
    let seen = "machine exec a 'find /etc /root /home; cat /etc/passwd'";
    lab.refuses(&refused, seen);
    let mut here_now: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    here_now.sort();
    assert_eq!(here_now, ["large", "small"]);

    // As a user, in the user's home; a name with a colon; streams; what has no size of its own.
    std::fs::write(folder.path().join("a:b"), "colon\n").unwrap();
    let mut command = lab.command("machine cp -q ./a:b www@a:notes", &[]);
    let done = command.current_dir(folder.path()).output().unwrap();
    assert!(
        done.status.success() && done.stdout.is_empty() && done.stderr.is_empty(),
        "{done:?}"
    );
    let line = "machine exec a -- stat -c '%U %n' /home/www/notes";
    assert_eq!(lab.run(line).ok(), "www /home/www/notes\n");
    assert_eq!(lab.run("machine cp www@a:~/notes -").ok(), "colon\n");
    lab.feed("machine cp - a:/root/typed", "typed\n").ok();
    assert_eq!(lab.run("machine exec a cat /root/typed").ok(), "typed\n");
    assert_eq!(
        lab.run("machine cp a:/proc/sys/kernel/ostype -").ok(),
        "Linux\n"
    );
    // Some fail, the rest is copied.
    let said = lab
        .run(&format!("machine cp {small} {here}nothing a:/root/"))
        .fails(1);
    assert!(said.contains("1 of 2 could not be copied"), "{said}");
    assert!(said.contains("nothing: No such file"), "{said}");
    assert_eq!(lab.run("machine exec a cat /root/small").ok(), "small\n");
    let history = lab.run("history --machine a --limit 1 -o json").json();
    assert_eq!(history[0]["action"], "copy");
    assert_eq!(history[0]["ok"], false);
    lab.run("machine stop a").ok();
    let said = lab.run(&format!("machine cp {small} a:")).fails(4);
    assert!(said.contains("hint: start it"), "{said}");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
