//! File systems written here, judged by `e2fsck` and by the kernel.

use std::path::Path;
use std::process::Command;

use super::*;

fn options() -> Options {
    Options {
        label: "root".into(),
        made_at: 1_700_000_000,
        keep_free: 0,
    }
}

fn build(path: &Path, fill: impl FnOnce(&mut Builder)) -> Summary {
    let mut builder = Builder::new(File::create(path).unwrap(), options());
    fill(&mut builder);
    builder.finish(*b"0123456789abcdef").unwrap()
}

trait FileWith {
    fn file_with(
        &mut self,
        parent: NodeId,
        name: &[u8],
        meta: Meta,
        data: &[u8],
    ) -> Result<NodeId, Error>;
}

impl FileWith for Builder {
    fn file_with(
        &mut self,
        parent: NodeId,
        name: &[u8],
        meta: Meta,
        data: &[u8],
    ) -> Result<NodeId, Error> {
        let node = self.file(parent, name, meta)?;
        let mut writer = self.write(node);
        writer.write(0, data)?;
        writer.finish(data.len() as u64)?;
        Ok(node)
    }
}

fn fsck(path: &Path) {
    let out = Command::new("e2fsck")
        .args(["-f", "-n"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

fn meta(mode: u16) -> Meta {
    Meta {
        mode,
        uid: 70_000,
        gid: 80_000,
        mtime: Time {
            seconds: 1_600_000_000,
            nanoseconds: 123_456_789,
        },
        attributes: Vec::new(),
    }
}

#[test]
fn an_empty_tree_is_a_valid_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let summary = build(&path, |_| {});
    assert_eq!(summary.size, std::fs::metadata(&path).unwrap().len());
    fsck(&path);
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    for path in [&a, &b] {
        build(path, |builder| {
            let root = builder.root();
            builder.file_with(root, b"x", meta(0o644), b"data").unwrap();
        });
    }
    assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
}

#[test]
fn all_kinds_of_nodes_pass_e2fsck() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    build(&path, |b| {
        let root = b.root();
        let mut deep = root;
        for i in 0..50 {
            deep = b
                .directory(deep, format!("level-{i}").as_bytes(), meta(0o755))
                .unwrap();
        }
        b.symlink(root, b"short", b"target", meta(0o777)).unwrap();
        b.symlink(root, b"at-59", &[b'x'; 59], meta(0o777)).unwrap();
        b.symlink(root, b"at-60", &[b'x'; 60], meta(0o777)).unwrap();
        b.symlink(root, b"long", &[b'x'; 4095], meta(0o777))
            .unwrap();
        for (name, kind) in [
            ("null", Special::Character { major: 1, minor: 3 }),
            (
                "far",
                Special::Block {
                    major: 259,
                    minor: 70_000,
                },
            ),
            ("fifo", Special::Fifo),
        ] {
            b.special(root, name.as_bytes(), kind, meta(0o600)).unwrap();
        }
        let file = b
            .file_with(deep, b"file", meta(0o4755), &[7; 100_000])
            .unwrap();
        b.hard_link(root, b"other-name", file).unwrap();
        b.file_with(root, b"empty", meta(0o644), b"").unwrap();
        let many = b.directory(root, b"many", meta(0o755)).unwrap();
        for i in 0..20_000 {
            let name = format!("{i}-{}", "n".repeat(i % 240));
            b.file(many, name.as_bytes(), meta(0o644)).unwrap();
        }
        let attributes = |sizes: &[usize]| Meta {
            attributes: (sizes.iter().enumerate())
                .map(|(i, size)| Attribute {
                    name: format!("user.a{i}").into_bytes(),
                    value: vec![i as u8 + 1; *size],
                })
                .collect(),
            ..meta(0o644)
        };
        b.file_with(root, b"attributes-in-inode", attributes(&[20]), b"x")
            .unwrap();
        b.file_with(
            root,
            b"attributes-in-block",
            attributes(&[1000, 0, 3, 77]),
            b"x",
        )
        .unwrap();
        b.symlink(root, b"attributes-of-link", b"x", attributes(&[2000]))
            .unwrap();
    });
    fsck(&path);
}

#[test]
fn a_file_in_a_thousand_pieces_keeps_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let end = 200u64 << 20;
    build(&path, |b| {
        let root = b.root();
        let file = b.file(root, b"pieces", meta(0o644)).unwrap();
        let mut writer = b.write(file);
        // Every other block, so that no two extents join: 3,000 extents make a tree of two levels.
        for i in 0..3000u64 {
            writer.write(i * 8192 + 10, &[1 + (i % 255) as u8]).unwrap();
        }
        writer.write(end - 1, b"!").unwrap();
        writer.finish(end).unwrap();
    });
    fsck(&path);
    let out = dir.path().join("out");
    let request = format!("dump /pieces {}", out.display());
    let status = Command::new("debugfs")
        .args(["-R", &request])
        .arg(&path)
        .output()
        .unwrap();
    assert!(status.status.success());
    let read = File::open(&out).unwrap();
    assert_eq!(read.metadata().unwrap().len(), end);
    use std::os::unix::fs::FileExt;
    let at = |offset| {
        let mut byte = [0];
        read.read_exact_at(&mut byte, offset).unwrap();
        byte[0]
    };
    assert_eq!(
        (at(0), at(10), at(8202), at(2999 * 8192 + 10), at(end - 1)),
        (0, 1, 2, 195, b'!')
    );
}

#[test]
fn replaced_files_give_their_blocks_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let summary = build(&path, |b| {
        let root = b.root();
        for round in 0..40u8 {
            for name in ["a", "b", "c"] {
                b.file_with(
                    root,
                    name.as_bytes(),
                    meta(0o644),
                    &vec![round + 1; 5 << 20],
                )
                .unwrap();
            }
        }
        b.remove(root, b"c");
    });
    fsck(&path);
    assert!(summary.size < 128 << 20, "{summary:?}");
}

#[test]
fn names_that_ext4_cannot_hold_are_refused() {
    let mut b = Builder::new(tempfile::tempfile().unwrap(), options());
    let root = b.root();
    assert!(matches!(
        b.file(root, &[b'x'; 256], meta(0o644)),
        Err(Error::BadName { .. })
    ));
    assert!(matches!(
        b.symlink(root, b"l", &[b'x'; 4096], meta(0o777)),
        Err(Error::LongSymlink { .. })
    ));
    assert!(b.file(root, &[b'x'; 255], meta(0o644)).is_ok());
    assert!(matches!(
        b.file(root, b"a\0b", meta(0o644)),
        Err(Error::BadName { .. })
    ));
    assert!(matches!(
        b.symlink(root, b"l", b"a\0b", meta(0o777)),
        Err(Error::BadName { .. })
    ));
}

fn attribute(name: &str, value: &[u8]) -> Meta {
    Meta {
        attributes: vec![Attribute {
            name: name.into(),
            value: value.into(),
        }],
        ..meta(0o644)
    }
}

#[test]
fn attributes_that_no_program_could_set_are_refused_or_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    build(&path, |b| {
        let root = b.root();
        // On disk this one means that the file's content lies in the inode.
        b.file_with(root, b"inline", attribute("system.data", b"x"), b"content")
            .unwrap();
        assert!(matches!(
            b.file(root, b"large", attribute("user.large", &[1; 5000])),
            Err(Error::LargeAttributes)
        ));
        let list = [2u32.to_le_bytes(), 0x77u32.to_le_bytes(), [0; 4]].concat();
        assert!(matches!(
            b.file(root, b"list", attribute("system.posix_acl_default", &list)),
            Err(Error::BadAccessList)
        ));
    });
    fsck(&path);
    let request = ["-R", "ea_list /inline"];
    let out = Command::new("debugfs").args(request).arg(&path).output();
    assert!(!String::from_utf8_lossy(&out.unwrap().stdout).contains("data"));
}

#[test]
fn times_far_from_today_are_kept_and_odd_ones_harm_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    // What images say that do not want to say when they were made: 1 January of the year 1.
    let year_1 = Options {
        made_at: -62_135_596_800,
        ..options()
    };
    let times = [
        i64::MIN,
        -62_135_596_800,
        -2_000_000_000,
        -1,
        1 << 31,
        1 << 32,
        15_000_000_000,
        i64::MAX,
    ];
    let mut b = Builder::new(File::create(&path).unwrap(), year_1);
    let root = b.root();
    for (number, seconds) in times.into_iter().enumerate() {
        let mtime = Time {
            seconds,
            nanoseconds: 999_999_999,
        };
        let meta = Meta {
            mtime,
            ..meta(0o644)
        };
        b.file_with(root, format!("{number}").as_bytes(), meta, b"x")
            .unwrap();
    }
    b.finish(*b"0123456789abcdef").unwrap();
    fsck(&path);
}

#[test]
fn directories_of_every_size_pass_e2fsck() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    build(&path, |b| {
        let root = b.root();
        // Around the ends of blocks, and with names of many lengths.
        for count in (0..400).chain([4_000, 50_000]) {
            let many = b
                .directory(root, format!("with-{count}").as_bytes(), meta(0o755))
                .unwrap();
            let file = b.file(many, b"first", meta(0o644)).unwrap();
            for i in 1..count {
                let name = format!("{i}-{}", "n".repeat((i * 7 + count) % 200));
                b.hard_link(many, name.as_bytes(), file).unwrap();
            }
        }
    });
    fsck(&path);
}

#[test]
fn free_space_in_a_thousand_pieces_is_used_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let name = |i: usize| format!("file-{i}").into_bytes();
    let summary = build(&path, |b| {
        let root = b.root();
        for i in 0..20_000 {
            let data = vec![1 + (i % 255) as u8; 4096 * (1 + i % 3)];
            b.file_with(root, &name(i), meta(0o644), &data).unwrap();
        }
        for i in (0..20_000).step_by(2) {
            b.remove(root, &name(i));
        }
        for i in (0..20_000).step_by(4) {
            let data = vec![1 + (i % 255) as u8; 4096 * (1 + i % 5)];
            b.file_with(root, &name(i), meta(0o644), &data).unwrap();
        }
    });
    fsck(&path);
    assert!(summary.size < 300 << 20, "{summary:?}");
    let out = dir.path().join("out");
    for i in [0, 1, 4, 9999, 19_996] {
        let request = format!("dump /file-{i} {}", out.display());
        Command::new("debugfs")
            .args(["-R", &request])
            .arg(&path)
            .output()
            .unwrap();
        let read = std::fs::read(&out).unwrap();
        let blocks = if i % 4 == 0 { 1 + i % 5 } else { 1 + i % 3 };
        assert!(read == vec![1 + (i % 255) as u8; 4096 * blocks], "file-{i}");
    }
}
