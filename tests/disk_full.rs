//! A disk that gets full at any write of a deploy, a pull, an import, a copy or the making of a volume: that is said,
//! with a way out, and all of it is undone.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Container, Image, Kind, Lab, SmallDisk, on_small_disk, output};

/// How many bytes are left when a command begins: each page at first, where the database and the small files are
/// written, and then ever fewer, up to where there is enough.
fn steps() -> impl Iterator<Item = u64> {
    let pages = (0..12).map(|page| page * 20480);
    let more = (1..).scan(256 << 10, |left: &mut u64, _| {
        *left += (*left / 4).min(4 << 20) & !4095;
        Some(*left)
    });
    pages.chain(more)
}

/// Runs a command with less and with more space, until it is done. Each time it fails, it says so, and there is what
/// `seen` shows, and nothing of what was begun.
fn fill(disk: &SmallDisk, line: &str, seen: &[&str], undo: &[&str]) {
    let lab = &disk.lab;
    let see = || -> Vec<Value> { seen.iter().map(|line| lab.run(line).json()).collect() };
    lab.agrees("before");
    let before = see();
    let (mut failed, mut taken_back_later) = (0, 0);
    for left in steps() {
        disk.leave(left);
        let done = lab.run(line);
        disk.empty();
        if done.status.success() {
            break;
        }
        failed += 1;
        let said = &done.stderr;
        let what = format!("{line}, with {left} bytes left: {done}");
        let code = done.status.code();
        assert!(code == Some(1) || code == Some(4), "{what}");
        let errors = said
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count();
        assert_eq!(errors, 1, "{what}");
        let full = [
            "No space left on device",
            "disk is full",
            "nearly full",
            " free, and this needs",
            "its disk is full",
        ];
        assert!(full.iter().any(|words| said.contains(words)), "{what}");
        assert!(
            said.contains("free some space") || said.contains("hint: what is left is taken back"),
            "{what}"
        );
        if !lab.differences().is_empty() {
            // Not even the database could be written to.
            taken_back_later += 1;
            lab.agrees(&what);
        }
        assert_eq!(see(), before, "{what}");
        let left = left_of_images(&lab.data_dir().join("images"));
        assert!(left.is_empty(), "{what}: {left:?}");
    }
    eprintln!(
        "{line}: failed {failed} times, {taken_back_later} of them taken back by the next command"
    );
    assert!(failed > 20, "{line} failed only {failed} times");
    for line in undo {
        lab.run(line).ok();
    }
    lab.agrees("after all");
    assert_eq!(see(), before, "after all");
}

/// What lies with the images besides locks and disks, which the store knows.
fn left_of_images(images: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let mut left = entries(images);
    left.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        !name.starts_with('.') && !name.ends_with(".ext4") && name != "blobs"
    });
    left.extend(entries(&images.join("blobs")));
    left
}

const ALL: &[&str] = &[
    "machine list -o json",
    "volume list -o json",
    "image list -o json",
];

fn volumes_and_machines(kind: Kind) {
    on_small_disk(kind, 192, |disk| {
        let tiny = disk.lab.image(Image::Tiny);
        let line = "volume create 32M --name a";
        fill(disk, line, ALL, &["volume delete a -y"]);
        let deploy = format!("machine deploy {tiny} --name a --no-wait");
        fill(disk, &deploy, ALL, &["machine delete a -y"]);
        disk.lab.has_nothing_left();
    });
}

#[test]
fn volumes_and_machines_on_ext4() {
    volumes_and_machines(Kind::Ext4);
}

#[test]
fn volumes_and_machines_in_memory() {
    volumes_and_machines(Kind::Tmpfs);
}

#[test]
fn snapshots_and_forks_of_a_machine_that_runs() {
    on_small_disk(Kind::Ext4, 512, |disk| {
        let lab = &disk.lab;
        let tiny = lab.image(Image::Tiny);
        lab.run(&format!("machine deploy {tiny} --name a --memory 192M"))
            .ok();
        // Not its disk, which it writes to.
        let seen = ["machine snapshot list -o json", "image list -o json"];
        let before = lab
            .run("machine exec a cat /proc/sys/kernel/random/boot_id")
            .ok();
        fill(
            disk,
            "machine snapshot create a s",
            &seen,
            &["machine snapshot delete a s -y"],
        );
        fill(
            disk,
            "machine fork a b --no-wait",
            &seen,
            &["machine delete b -y"],
        );
        let after = lab
            .run("machine exec a cat /proc/sys/kernel/random/boot_id")
            .ok();
        assert_eq!(before, after, "it goes on");
        lab.run("machine delete a -y").ok();
        lab.has_nothing_left();
    });
}

#[test]
fn images_from_a_registry_and_from_files() {
    let container = Container::new(3 << 20);
    let reference = container.clone().serve();
    on_small_disk(Kind::Ext4, 64, move |disk| {
        let folder = disk.lab.data_dir();
        let archive = folder.with_file_name("layout.tar");
        container.archive(&archive);
        let tiny = disk.lab.image(Image::Tiny);
        let path = disk.lab.run(&format!("image show {tiny} -o json")).json();
        let ext4 = folder.with_file_name("tiny.ext4");
        std::fs::copy(path["path"].as_str().unwrap(), &ext4).unwrap();
        disk.lab.run(&format!("image delete {tiny} -y")).ok();
        let (archive, ext4) = (archive.display(), ext4.display());
        for (line, name) in [
            (format!("image pull {reference}"), reference.clone()),
            (format!("image import {archive} --name a"), "a".into()),
            (format!("image import {ext4} --name a"), "a".into()),
        ] {
            fill(disk, &line, ALL, &[&format!("image delete {name} -y")]);
        }
    });
}

#[test]
fn on_a_disk_without_a_free_byte_things_can_be_deleted() {
    delete_on_a_full_disk("machine list");
}

#[test]
fn the_same_while_a_daemon_has_the_database_open() {
    delete_on_a_full_disk("up --detach");
}

fn delete_on_a_full_disk(before: &'static str) {
    on_small_disk(Kind::Ext4, 192, move |disk| {
        let lab = &disk.lab;
        lab.run(before).ok();
        let tiny = lab.image(Image::Tiny);
        lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
            .ok();
        lab.run("volume create 8M --name data").ok();
        lab.run("machine stop a --force").ok();
        for line in [
            "machine delete a -y",
            "volume delete data -y",
            "image prune -a -y",
        ] {
            // A command that finds plenty of space keeps some of it for such a day.
            lab.run("image list").ok();
            disk.leave(0);
            lab.run(line).ok();
            disk.empty();
        }
        lab.run("down").ok();
        lab.has_nothing_left();
        assert_eq!(lab.run("image list -o json").ok(), "[]\n");
    });
}

#[test]
fn a_limit_on_the_size_of_files_is_said_so() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let before = lab.run("image list -o json").json();
    let large = Container::new(3 << 20);
    let archive = lab.data_dir().with_file_name("layout.tar");
    large.archive(&archive);
    for (line, words) in [
        (
            format!("image import {}", archive.display()),
            "File too large",
        ),
        (
            format!("machine deploy {tiny} --name a --no-wait"),
            "File too large",
        ),
        ("volume create 32M --name a".into(), "File too large"),
    ] {
        let mut command = lab.command(&line, &[]);
        let most = 1 << 20;
        // SAFETY: setrlimit(2) is async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                let limit = nix::sys::resource::Resource::RLIMIT_FSIZE;
                Ok(nix::sys::resource::setrlimit(limit, most, most)?)
            });
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(
            said.contains(words) && said.contains("ulimit -f"),
            "{line}: {said}"
        );
        lab.agrees(&line);
    }
    assert_eq!(lab.run("image list -o json").json(), before);
    lab.has_nothing_left();
}

/// Whether a folder, as `find` begins, holds what is no whole file of 100 KiB: unfinished ones have another size too.
const NOT_WHOLE: &str = "-type f ( -name *.sistemo-part -o ! -size 102400c )";

#[test]
fn a_copy_out_of_a_machine_leaves_what_was_there() {
    on_small_disk(Kind::Ext4, 192, |disk| {
        let lab = &disk.lab;
        let tiny = lab.image(Image::Tiny);
        lab.run(&format!("machine deploy {tiny} --name a")).ok();
        let source = lab.folder().join("source");
        std::fs::create_dir_all(source.join("many")).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut noise = |length| -> Vec<u8> { (0..length).map(|_| random.u8(..)).collect() };
        std::fs::write(source.join("small"), "small\n").unwrap();
        std::fs::write(source.join("large"), noise(12 << 20)).unwrap();
        for number in 0..60 {
            let name = format!("many/{number}");
            std::fs::write(source.join(name), noise(100 << 10)).unwrap();
        }
        lab.run(&format!("machine cp {}/. a:/root/", source.display()))
            .ok();
        lab.run("machine exec a sync").ok();
        let place = lab.data_dir().join("copies");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("large"), "what was there\n").unwrap();
        let to = place.display();
        // With nothing left, with less than a piece of a file, and in the middle of it.
        for left in [0, 64 << 10, 4 << 20] {
            for name in ["large", "many"] {
                disk.leave(left);
                let done = lab.run(&format!("machine cp a:/root/{name} {to}/"));
                disk.empty();
                let what = format!("{name} with {left} bytes left: {done}");
                assert_eq!(done.status.code(), Some(1), "{what}");
                assert!(done.stderr.contains("No space left on device"), "{what}");
                assert!(done.stderr.contains("hint: make room there"), "{what}");
                let kept = std::fs::read(place.join("large")).unwrap();
                assert_eq!(kept, b"what was there\n", "{what}");
                // What is whole of a folder stays.
                let found = output(&format!("find {to} ! -name large {NOT_WHOLE}"));
                assert_eq!(found, "", "{what}");
                let _ = std::fs::remove_dir_all(place.join("many"));
            }
        }
        // What needs no room works all the same.
        disk.leave(0);
        assert_eq!(lab.run("machine cp a:/root/small -").ok(), "small\n");
        disk.empty();
        lab.run(&format!("machine cp a:/root/. {to}")).ok();
        output(&format!("diff -r {} {to}", source.display()));
        std::fs::remove_dir_all(&place).unwrap();
        lab.run("machine delete a -y").ok();
        lab.has_nothing_left();
    });
}

#[test]
fn a_copy_into_a_machine_leaves_nothing_unfinished() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let folder = tempfile::tempdir().unwrap();
    let lots = folder.path().join("lots");
    std::fs::create_dir(&lots).unwrap();
    for number in 0..800 {
        std::fs::write(lots.join(number.to_string()), vec![7; 100 << 10]).unwrap();
    }
    // These are under way beside small ones that find no room.
    for number in 0..2 {
        std::fs::write(lots.join(format!("large{number}")), vec![7; 40 << 20]).unwrap();
    }
    let line = format!("machine cp {} a:/root/", lots.display());
    let said = lab.run(&line).fails(1);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains("hint: make room there"), "{said}");
    let found = lab.run(&format!("machine exec a -- find /root {NOT_WHOLE}"));
    assert_eq!(found.ok(), "");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

/// What the settings say is to stay free does, for whatever writes much.
#[test]
fn what_is_to_stay_free_stays_free() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let archive = lab.data_dir().with_file_name("layout.tar");
    Container::new(1 << 20).archive(&archive);
    for (line, status) in [
        (format!("machine deploy {tiny} --name a --no-wait"), 4),
        ("volume create 32M --name a".into(), 4),
        (format!("image import {} --name a", archive.display()), 4),
    ] {
        let said = lab
            .run_with(&line, &[("SISTEMO_MIN_DISK_FREE", "900T")])
            .fails(status);
        assert!(
            said.contains("900 TiB") && said.contains(" free"),
            "{line}: {said}"
        );
        assert!(
            said.contains("or lower the setting min_disk_free"),
            "{line}: {said}"
        );
        lab.agrees(&line);
    }
    lab.has_nothing_left();
}
