//! Container images, as `umoci` unpacks them and as they come out here.

use tar::EntryType;

use super::registry::{Layout, Registry, Tar, header};
use super::tree::{Except, assert_same, of_disk, of_folder};
use super::*;

/// A file of 30 parts, so far from each other.
pub fn sparse_file(path: &Path, distance: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(path).unwrap();
    for part in 0..30u64 {
        file.write_all_at(&[part as u8 + 1; 1000], part * distance)
            .unwrap();
    }
    file.set_len(31 * distance).unwrap();
}

/// An image with everything in it that layers can do to each other.
fn nasty() -> Layout {
    let mut layout = Layout::new();
    let mut one = Tar::new();
    one.dir("./", 0o755)
        .dir("etc/", 0o755)
        .dir("usr/", 0o755)
        .dir("usr/lib/", 0o711)
        .symlink("lib", "usr/lib");
    one.dir("opaque/", 0o750)
        .dir("opaque/sub/", 0o755)
        .file("opaque/old", b"old")
        .file("opaque/sub/old", b"old");
    one.dir("gone/", 0o755)
        .file("gone/x", b"x")
        .file("etc/deleted", b"x")
        .file("etc/replaced", &[1; 50_000]);
    one.file("target", b"linked across layers")
        .hard_link("same-layer", "target")
        .hard_link("/absolute", "/target");
    one.dir("becomes-file/", 0o755)
        .file("becomes-file/in", b"x")
        .file("becomes-dir", b"x");
    one.dir("merged/", 0o755).file("merged/kept", b"kept");
    // Every byte that a name may have, alone and all at once.
    one.dir("bytes/", 0o755);
    for byte in (1..=255u8).filter(|b| *b != b'/') {
        one.raw(
            &mut header(EntryType::Regular, 0o600),
            &[b"bytes/x", &[byte][..]].concat(),
            b"",
            &[byte],
        );
    }
    let all: Vec<u8> = (1..=255u8).filter(|b| *b != b'/' && *b != b'.').collect();
    let all = [b"bytes/", all.as_slice()].concat();
    one.raw(&mut header(EntryType::Regular, 0o600), &all, b"", b"all");
    one.raw(
        &mut header(EntryType::Symlink, 0o777),
        b"bytes/link",
        &all,
        b"",
    );
    let long = format!("long/{}/{}", "d".repeat(250), "f".repeat(255));
    one.raw(
        &mut header(EntryType::Regular, 0o644),
        long.as_bytes(),
        b"",
        b"long",
    );
    layout.add(&one.finish());

    let mut two = Tar::new();
    // The whiteouts stand after what this layer adds, which they must not take.
    two.file("opaque/new", b"new")
        .file("opaque/sub/below/new", b"new")
        .file("opaque/.wh..wh..opq", b"")
        .file("etc/.wh.deleted", b"")
        .file(".wh.gone", b"");
    two.file("etc/replaced", b"short now")
        .hard_link("across-layers", "target")
        .file(".wh.becomes-file", b"");
    two.file("becomes-file", b"file")
        .dir("becomes-dir/", 0o700)
        .file("merged/added", b"added");
    // Through a symbolic link of a lower layer.
    two.file("lib/through-link", b"x").dir("merged/", 0o2775);
    for (name, kind, major, minor) in [
        ("null", EntryType::Char, 1, 3),
        ("far", EntryType::Block, 259, 70_000),
        ("pipe", EntryType::Fifo, 0, 0),
    ] {
        let mut header = header(kind, 0o666);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        two.raw(&mut header, format!("dev/{name}").as_bytes(), b"", b"");
    }
    for (name, mode) in [("suid", 0o4755), ("sgid", 0o2755), ("sticky", 0o1777)] {
        two.raw(
            &mut header(EntryType::Regular, mode),
            name.as_bytes(),
            b"",
            b"x",
        );
    }
    layout.add(&two.finish());

    let mut three = Tar::new();
    // cap_net_raw=ep, and an access list for user 5 (linux/posix_acl_xattr.h).
    let capability = [
        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let acl: Vec<u8> = [
        (1u16, 7u16, !0u32),
        (2, 6, 5),
        (4, 5, !0),
        (0x10, 7, !0),
        (0x20, 4, !0),
    ]
    .iter()
    .flat_map(|(tag, bits, id)| {
        [
            &tag.to_le_bytes()[..],
            &bits.to_le_bytes(),
            &id.to_le_bytes(),
        ]
        .concat()
    })
    .collect();
    let acl = [&2u32.to_le_bytes()[..], &acl].concat();
    let big = vec![b'\n'; 3000];
    let records: [(&str, &[u8]); 6] = [
        ("SCHILY.xattr.security.capability", &capability),
        ("SCHILY.xattr.system.posix_acl_access", &acl),
        ("SCHILY.xattr.user.line-ends", b"a\nb\n\n"),
        ("SCHILY.xattr.user.big", &big),
        ("SCHILY.xattr.trusted.odd=name", b"\0\xff"),
        ("mtime", b"1234567890.987654321"),
    ];
    three.builder().append_pax_extensions(records).unwrap();
    three.raw(
        &mut header(EntryType::Regular, 0o775),
        b"attributes",
        b"",
        b"x",
    );
    let records: [(&str, &[u8]); 3] = [
        ("uid", b"3000000000"),
        ("gid", b"70000"),
        ("mtime", b"-5.5"),
    ];
    three.builder().append_pax_extensions(records).unwrap();
    three.raw(
        &mut header(EntryType::Regular, 0o644),
        b"far-owner",
        b"",
        b"x",
    );
    layout.add(&three.finish());

    // Sparse, from GNU tar.
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    sparse_file(&dir.path().join("sparse"), 1 << 20);
    layout.add(&run(
        "tar",
        &[
            "--sparse",
            "--format=posix",
            "-C",
            text(dir.path()),
            "-c",
            "sparse",
        ],
    ));

    // And then many, each of which takes something away and puts something there.
    for round in 0..40u32 {
        let mut tar = Tar::new();
        tar.file(&format!("rounds/{round}"), &round.to_le_bytes());
        if round > 0 {
            tar.file(&format!("rounds/.wh.{}", round - 1), b"")
                .hard_link(&format!("kept-{round}"), "kept");
        }
        tar.file("kept", &vec![round as u8 + 1; 10_000]);
        layout.add(&tar.finish());
    }
    layout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nasty_image_comes_out_as_umoci_unpacks_it() {
    let layout = nasty();
    layout.config(&[
        "--config.entrypoint",
        "/attributes",
        "--config.env",
        "A=1",
        "--config.user",
        "5:6",
    ]);
    let registry = Registry::start();
    registry.push(&layout.path(), "nasty", &[]);
    let room = Room::plain();
    let image = room.resolve(&registry.name("nasty")).await.unwrap();
    fsck(&image.path);
    // Directories that no layer describes have the time at which umoci made them.
    let except = Except {
        directory_times: true,
    };
    assert_same(
        &of_disk(&image.path, except),
        &of_folder(&layout.unpacked(), except),
    );
    let config = image.config.clone().unwrap();
    assert_eq!(
        (config.entrypoint, config.user.as_deref()),
        (vec!["/attributes".into()], Some("5:6"))
    );
    assert!(
        image.used.as_u64() < 64 << 20,
        "holes are kept: {}",
        image.used
    );

    // Asked for again it is here; another room gets the very same bytes, from zstd layers too.
    assert_eq!(
        room.resolve(&registry.name("nasty:latest")).await.unwrap(),
        image
    );
    registry.push(
        &layout.path(),
        "again",
        &["--dest-compress-format", "zstd", "--dest-compress"],
    );
    let again = Room::plain()
        .resolve(&registry.name("nasty"))
        .await
        .unwrap();
    assert_eq!(again.digest, image.digest);
    let zstd = room.resolve(&registry.name("again")).await.unwrap();
    fsck(&zstd.path);
    assert_same(
        &of_disk(&zstd.path, Except::default()),
        &of_disk(&image.path, Except::default()),
    );
}
