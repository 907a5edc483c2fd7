//! Files, folders, URLs and prebuilt disks as images; the cache.

use std::io::Write;

use super::http::Server;
use super::registry::{Layout, Tar};
use super::tree::{Except, assert_same, of_disk, of_folder};
use super::*;

/// A folder with files of many kinds, made by ordinary tools.
fn folder() -> TempDir {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let script = r#"set -e; cd "$0"
        mkdir -p a/b/c empty; chmod 2750 a/b; chmod 1777 empty
        seq 100000 > a/numbers; head -c 3000000 /dev/urandom > a/noise; : > a/nothing
        ln a/numbers a/b/numbers-again; ln -s ../numbers a/b/link; ln -s /etc/passwd absolute
        ln -s "$(head -c 200 /dev/zero | tr '\0' x)" long-link
        mknod null c 1 3; mkfifo pipe; chown 123:456 a/nothing; chown -h 7:8 absolute; chmod 4755 a/noise
        truncate -s 50M a/sparse; echo end >> a/sparse
        for i in $(seq 3000); do : > a/b/c/file-$i; done
        touch -d '1999-12-31 23:59:59.123456789 UTC' a/numbers; touch -d '2040-01-01 UTC' a/nothing
        touch -d '1960-05-05 UTC' empty"#;
    run("sh", &["-c", script, text(dir.path())]);
    xattr::set(dir.path().join("a/noise"), "user.note", b"hello\n").unwrap();
    dir
}

#[tokio::test]
async fn an_archive_comes_out_as_tar_extracts_it() {
    let (dir, room) = (folder(), Room::plain());
    let expected = of_folder(dir.path(), Except::default());
    for (name, options) in [
        ("gnu.tar", ["--format=gnu", "--no-acls"].as_slice()),
        (
            "posix.tar.gz",
            &["--format=posix", "--xattrs", "--sparse", "-z"],
        ),
        ("posix.tar.zst", &["--format=posix", "--xattrs", "--zstd"]),
    ] {
        let path = room.path(name);
        let mut all = options.to_vec();
        all.extend(["-C", text(dir.path()), "-cf", text(&path), "."]);
        run("tar", &all);
        let image = room.import(&path).await.unwrap();
        fsck(&image.path);
        let extracted = room.path("extracted");
        std::fs::create_dir(&extracted).unwrap();
        run(
            "tar",
            &[
                "--xattrs",
                "--xattrs-include=*",
                "-C",
                text(&extracted),
                "-xpf",
                text(&path),
            ],
        );
        assert_same(
            &of_disk(&image.path, Except::default()),
            &of_folder(&extracted, Except::default()),
        );
        if options.contains(&"--xattrs") {
            assert_same(&of_disk(&image.path, Except::default()), &expected);
        }
        std::fs::remove_dir_all(&extracted).unwrap();
        assert_eq!(image.name, name.split('.').next().unwrap());
    }
}

#[tokio::test]
async fn a_file_larger_than_4_gib_keeps_its_holes() {
    let (dir, room) = (tempfile::tempdir_in("/var/tmp").unwrap(), Room::plain());
    super::unpack::sparse_file(&dir.path().join("sparse"), 150 << 20);
    // The format has whole seconds only.
    run(
        "sh",
        &[
            "-c",
            "touch -d @1600000000 \"$0\" \"$0/sparse\"",
            text(dir.path()),
        ],
    );
    let path = room.path("sparse.tar");
    run(
        "tar",
        &[
            "--sparse",
            "--format=gnu",
            "-C",
            text(dir.path()),
            "-cf",
            text(&path),
            ".",
        ],
    );
    let image = room.import(&path).await.unwrap();
    fsck(&image.path);
    assert_same(
        &of_disk(&image.path, Except::default()),
        &of_folder(dir.path(), Except::default()),
    );
    assert!(image.used.as_u64() < 4 << 20, "{}", image.used);
}

#[tokio::test]
async fn a_layout_is_taken_as_a_folder_and_as_an_archive() {
    let mut layout = Layout::new();
    let mut tar = Tar::new();
    tar.file("file", b"x").dir("dir/", 0o700);
    layout.add(&tar.finish());
    layout.config(&["--config.cmd", "/file"]);
    let room = Room::plain();
    let image = room.import(&layout.path()).await.unwrap();
    fsck(&image.path);
    assert_eq!(image.config.clone().unwrap().cmd, ["/file"]);
    let except = Except {
        directory_times: true,
    };
    assert_same(
        &of_disk(&image.path, except),
        &of_folder(&layout.unpacked(), except),
    );
    for archive in ["layout.tar", "layout.tar.gz"] {
        let path = room.path(archive);
        run(
            "tar",
            &[
                "-C",
                text(&layout.path()),
                "-caf",
                text(&path),
                "blobs",
                "index.json",
                "oci-layout",
            ],
        );
        assert_eq!(room.import(&path).await.unwrap().digest, image.digest);
    }
    let path = room.path("whole-folder.tar");
    run(
        "tar",
        &["-C", text(&layout.path()), "-cf", text(&path), "."],
    );
    assert_eq!(room.import(&path).await.unwrap().digest, image.digest);
    // A blob that was changed.
    let blobs = layout.path().join("blobs/sha256");
    let largest = std::fs::read_dir(blobs).unwrap().map(|e| e.unwrap().path());
    let largest = largest
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut file = std::fs::File::options().append(true).open(largest).unwrap();
    file.write_all(b"x").unwrap();
    assert!(matches!(
        room.import(&layout.path()).await.unwrap_err(),
        Error::Digest { .. }
    ));
}

#[tokio::test]
async fn what_docker_save_wrote_is_taken_and_checked() {
    let mut layout = Layout::new();
    for name in ["one", "two"] {
        let mut tar = Tar::new();
        tar.file(name, b"x").file("dir/.wh.one", b"");
        layout.add(&tar.finish());
    }
    layout.config(&["--config.cmd", "/one"]);
    let room = Room::plain();
    let path = room.path("saved.tar");
    let from = format!("oci:{}", text(&layout.path()));
    let to = format!("docker-archive:{}", text(&path));
    run("skopeo", &["--insecure-policy", "copy", &from, &to]);
    let image = room.import(&path).await.unwrap();
    fsck(&image.path);
    assert_eq!(image.config.clone().unwrap().cmd, ["/one"]);
    let except = Except {
        directory_times: true,
    };
    assert_same(
        &of_disk(&image.path, except),
        &of_folder(&layout.unpacked(), except),
    );
    // A layer that was changed, in the middle of its padding.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512 + 512 + 300] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = room.import(&path).await.unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error:?}");
}

#[tokio::test]
async fn a_tree_of_200_000_files_comes_out_whole() {
    let room = Room::plain();
    let path = room.path("many.tar");
    let mut tar = Tar::new();
    tar.dir("one", 0o755);
    for i in 0..100_000 {
        tar.file(&format!("one/file-with-a-usual-name-{i}"), b"x");
        tar.file(&format!("many/{}/{i}", i % 1000), b"");
    }
    std::fs::write(&path, tar.finish()).unwrap();
    let image = room.import(&path).await.unwrap();
    fsck(&image.path);
    let tree = of_disk(&image.path, Except::default());
    assert_eq!(tree.len(), 200_000 + 1000 + 3);
    let small = tree.keys().filter(|name| name.starts_with(b"one/"));
    assert_eq!(small.count(), 100_000);
}

#[tokio::test]
async fn a_disk_is_taken_as_it_is() {
    let (dir, room) = (folder(), Room::plain());
    let disk = room.path("made.ext4");
    run(
        "mkfs.ext4",
        &["-q", "-d", text(dir.path()), text(&disk), "200M"],
    );
    let image = room.resolve(text(&disk)).await.unwrap();
    assert_eq!(image.digest, disk::digest(&disk).unwrap());
    assert_eq!(image.default_machine_name(), "made");
    assert_same(
        &of_disk(&image.path, Except::default()),
        &of_disk(&disk, Except::default()),
    );
    // Resolved again it is not read again, until it has changed.
    assert_eq!(room.resolve(text(&disk)).await.unwrap(), image);
    run("tune2fs", &["-L", "other", text(&disk)]);
    assert_ne!(
        room.resolve(text(&disk)).await.unwrap().digest,
        image.digest
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_downloaded_once_through_broken_connections() {
    let (dir, room) = (folder(), Room::plain());
    let tar = run("tar", &["-C", text(dir.path()), "-c", "."]);
    let server = Server::start(vec![("/some/root.tar", tar)], 3);
    let url = server.url("/some/root.tar");
    let image = room.resolve(&url).await.unwrap();
    fsck(&image.path);
    assert_eq!(
        (image.name.clone(), image.default_machine_name()),
        (url.clone(), "root".into())
    );
    assert_eq!(room.resolve(&url).await.unwrap(), image);
    let began: Vec<u64> = server
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, from)| *from)
        .collect();
    assert_eq!(began, [0, 300_000, 600_000, 900_000]);
    let error = room.resolve(&server.url("/nothing.tar")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prebuilt_images_come_before_recipes() {
    let (dir, disks) = (folder(), tempfile::tempdir_in("/var/tmp").unwrap());
    let disk = disks.path().join("debian.rootfs.ext4");
    run(
        "mkfs.ext4",
        &["-q", "-d", text(dir.path()), text(&disk), "100M"],
    );
    let digest = disk::digest(&disk).unwrap();
    run("gzip", &[text(&disk)]);
    let index = br#"{"version": 1, "images": [{"name": "debian", "arch": "riscv64", "file": "no"},
        {"name": "debian", "description": "x", "arch": "x86_64"}, {"name": "debian", "arch": "arm64"}]}"#;
    let served = std::fs::read(disk.with_extension("ext4.gz")).unwrap();
    let files = vec![
        ("/images/index.json", index.to_vec()),
        ("/images/debian.rootfs.ext4.gz", served),
    ];
    let server = Server::start(files, 0);
    let room = Room::new(Options {
        registry_url: Some(server.url("/images/")),
        ..Options::default()
    });
    let image = room.resolve("debian").await.unwrap();
    assert_eq!(
        (image.digest.as_str(), image.name.as_str()),
        (digest.as_str(), "debian")
    );
    assert_eq!(room.resolve("debian").await.unwrap(), image);
}

#[tokio::test]
async fn names_move_and_the_last_takes_the_image_along() {
    let room = Room::plain();
    let put = |name: &str, data: &[u8]| {
        let mut tar = Tar::new();
        tar.file("file", data);
        std::fs::write(room.path(name), tar.finish()).unwrap();
        room.path(name)
    };
    let (progress, cancel) = (Progress::silent(), CancellationToken::new());
    let first = room.import(&put("one.tar", b"1")).await.unwrap();
    let named = room
        .images
        .import(&put("two.tar", b"1"), Some("other"), &progress, &cancel)
        .await
        .unwrap();
    assert_eq!(named.digest, first.digest);
    assert_eq!(named.names, ["one", "other"]);
    let moved = room
        .images
        .import(&put("three.tar", b"3"), Some("other"), &progress, &cancel)
        .await
        .unwrap();
    assert_eq!(room.images.find("other").unwrap(), moved);
    assert_eq!(
        room.images.find(&first.digest[..20]).unwrap().names,
        ["one"]
    );
    assert_eq!(room.images.list().unwrap().len(), 2);
    room.images.delete("one").unwrap();
    assert!(!first.path.exists());
    assert!(matches!(room.images.find("one"), Err(Error::Unknown(_))));
    assert!(matches!(room.images.delete("one"), Err(Error::Unknown(_))));
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept() {
    let room = Room::plain();
    let mut tar = Tar::new();
    tar.file("file", b"x");
    std::fs::write(room.path("x.tar"), tar.finish()).unwrap();
    let image = room.import(&room.path("x.tar")).await.unwrap();
    let images = room.path("images");
    // A disk whose row was never written, and a build whose process is gone.
    let orphan = images.join(format!("sha256-{}.ext4", "ab".repeat(32)));
    std::fs::write(&orphan, "x").unwrap();
    std::fs::create_dir(images.join("work-dead")).unwrap();
    std::fs::write(images.join("work-dead/.lock"), "").unwrap();
    let again = Images::open(
        &images,
        Store::open(&room.path("db")).unwrap(),
        Options::default(),
    )
    .unwrap();
    assert!(!orphan.exists() && !images.join("work-dead").exists());
    assert_eq!(again.find("x").unwrap(), image);
    assert!(image.path.exists());
}

/// Takes minutes and a Debian mirror; the tests that deploy make the same image.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; the tests that deploy machines make this image anyway"]
async fn the_recipe_makes_a_debian() {
    let room = Room::plain();
    let image = room.resolve("debian").await.unwrap();
    fsck(&image.path);
    let tree = of_disk(&image.path, Except::default());
    for path in [
        "usr/sbin/sshd",
        "usr/bin/apt",
        "usr/lib/systemd/systemd",
        "etc/ssh/sshd_config",
    ] {
        assert!(tree.contains_key(path.as_bytes()), "{path}");
    }
    assert!(!tree.contains_key(b"etc/ssh/ssh_host_rsa_key".as_slice()));
    assert_eq!(image.names[0], "debian");
}
