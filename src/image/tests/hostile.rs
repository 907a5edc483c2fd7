//! What is broken, cut or hostile: a clear error, and nothing left.

use tar::EntryType;

use super::registry::{Layout, Registry, Tar, header};
use super::*;
use crate::error::{Advice, Kind};

/// A registry with an image of one layer.
fn served() -> (Registry, PathBuf) {
    let registry = Registry::start();
    let mut layout = Layout::new();
    let mut tar = Tar::new();
    tar.file(
        "file",
        &(0..1_000_000u32)
            .flat_map(u32::to_le_bytes)
            .collect::<Vec<_>>(),
    );
    layout.add(&tar.finish());
    registry.push(&layout.path(), "image", &[]);
    let blob = registry.blob(&registry.layers("image")[0]);
    (registry, blob)
}

async fn fails(reference: &str) -> Error {
    let room = Room::plain();
    let error = room.resolve(reference).await.unwrap_err();
    assert_eq!(room.left_over(), Vec::<String>::new(), "after {error:?}");
    assert!(room.images.list().unwrap().is_empty());
    assert!(error.hint().is_some(), "{error:?} has a way out");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_layer_is_refused() {
    let (registry, blob) = served();
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let error = fails(&registry.name("image")).await;
    assert!(matches!(error, Error::Digest { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_leads_out_leaves_no_blob() {
    let registry = Registry::start();
    let mut layout = Layout::new();
    let mut tar = Tar::new();
    tar.file("../out", b"x");
    layout.add(&tar.finish());
    registry.push(&layout.path(), "image", &[]);
    let room = Room::plain();
    let error = room.resolve(&registry.name("image")).await.unwrap_err();
    assert!(matches!(error, Error::Escapes { .. }), "{error:?}");
    let blobs = std::fs::read_dir(room.path("images/blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_layer_is_refused() {
    let (registry, blob) = served();
    let length = blob.metadata().unwrap().len();
    std::fs::File::options()
        .write(true)
        .open(&blob)
        .unwrap()
        .set_len(length / 2)
        .unwrap();
    let error = fails(&registry.name("image")).await;
    assert!(
        matches!(
            error,
            Error::Download { .. } | Error::Digest { .. } | Error::Registry { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let registry = Registry::start();
    let error = fails(&registry.name("nothing")).await;
    assert!(
        matches!(error, Error::NoSuchImage { .. }) && error.kind() == Kind::NotFound,
        "{error:?}"
    );
    let port = registry.port;
    drop(registry);
    let error = fails(&format!("127.0.0.1:{port}/image")).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let error = fails("Not A Name").await;
    assert!(
        matches!(error, Error::BadReference(_)) && error.kind() == Kind::Usage,
        "{error:?}"
    );
    let error = Room::plain()
        .resolve("/var/tmp/no such file.ext4")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_may_take_it_back() {
    let (registry, _) = served();
    let room = Room::plain();
    let cancel = CancellationToken::new();
    // Taken back as soon as the first bytes have come.
    let on_transfer = {
        let cancel = cancel.clone();
        Progress::new(move |event| {
            if matches!(event, crate::event::Event::Transfer { .. }) {
                cancel.cancel();
            }
        })
    };
    let error = room
        .images
        .resolve(&registry.name("image"), &on_transfer, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert_eq!(room.left_over(), Vec::<String>::new());
    room.resolve(&registry.name("image")).await.unwrap();
}

async fn refused(name: &str, bytes: &[u8]) -> Error {
    let room = Room::plain();
    let path = room.path(name);
    std::fs::write(&path, bytes).unwrap();
    let error = room.import(&path).await.unwrap_err();
    assert_eq!(room.left_over(), Vec::<String>::new(), "after {error:?}");
    assert!(room.images.list().unwrap().is_empty());
    assert!(!error.to_string().is_empty());
    error
}

#[tokio::test]
async fn archives_that_lead_out_are_refused() {
    let archive = |name: &[u8], kind, link: &[u8]| {
        let mut tar = Tar::new();
        tar.file("file", b"x")
            .raw(&mut header(kind, 0o644), name, link, b"");
        tar.finish()
    };
    for bytes in [
        archive(b"../out", EntryType::Regular, b""),
        archive(b"a/../../out", EntryType::Regular, b""),
        archive(b"link", EntryType::Link, b"../../etc/passwd"),
    ] {
        let error = refused("x.tar", &bytes).await;
        assert!(matches!(error, Error::Escapes { .. }), "{error:?}");
    }
    let error = refused("x.tar", &archive(b"link", EntryType::Link, b"missing")).await;
    assert!(matches!(error, Error::Layer(_)), "{error:?}");
    let error = refused("x.tar", &archive(b"file/below", EntryType::Regular, b"")).await;
    assert!(matches!(error, Error::Layer(_)), "{error:?}");
    let error = refused(
        "x.tar",
        &archive(&b"a/".repeat(3000), EntryType::Directory, b""),
    )
    .await;
    assert!(
        matches!(error, Error::Layer(layer::Error::LongPath { .. })),
        "{error:?}"
    );
    let error = refused("x.tar", &archive(b"./", EntryType::Symlink, b"/proc")).await;
    assert!(matches!(error, Error::Layer(_)), "{error:?}");
    let mut circle = Tar::new();
    circle.symlink("a", "b").symlink("b", "a").file("a/x", b"x");
    let error = refused("x.tar", &circle.finish()).await;
    assert!(matches!(error, Error::Layer(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let mut tar = Tar::new();
    tar.file("file", &[7; 100_000]);
    let tar = tar.finish();
    let error = refused("cut.tar", &tar[..50_000]).await;
    assert!(matches!(error, Error::Damaged(_)), "{error:?}");
    let zstd = zstd::encode_all(std::io::Cursor::new(noise()), 1).unwrap();
    let error = refused("cut.tar.zst", &zstd[..zstd.len() / 2]).await;
    assert!(
        matches!(error, Error::Damaged(_) | Error::Format(_)),
        "{error:?}"
    );
    assert!(matches!(
        refused("empty.tar", &[0; 10_240]).await,
        Error::Empty
    ));
    assert!(matches!(refused("none.tar", &[]).await, Error::Empty));
    assert!(matches!(
        refused("no.ext4", &[b'x'; 100_000]).await,
        Error::NotExt4 { .. }
    ));
    assert!(matches!(refused("text", b"hello").await, Error::Format(_)));
}

/// An archive that does not compress.
fn noise() -> Vec<u8> {
    let mut noise = vec![0; 1 << 20];
    std::io::Read::read_exact(
        &mut std::fs::File::open("/dev/urandom").unwrap(),
        &mut noise,
    )
    .unwrap();
    let mut tar = Tar::new();
    tar.file("noise", &noise);
    tar.finish()
}

#[tokio::test]
async fn a_bomb_of_zeros_takes_no_room() {
    // 1 GiB of zeros in a MiB of gzip, layer upon layer of tar.
    let room = Room::plain();
    let path = room.path("bomb.tar.gz");
    let script = format!(
        "head -c 1G /dev/zero > {0}/z && tar -C {0} -cz z > {1} && rm {0}/z",
        text(room.dir.path()),
        text(&path)
    );
    run("sh", &["-c", &script]);
    let image = room.import(&path).await.unwrap();
    fsck(&image.path);
    assert!(image.used.as_u64() < 16 << 20, "{}", image.used);
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing() {
    // A small file system of its own, which only this thread sees.
    let thread = std::thread::spawn(|| {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let dir = tempfile::tempdir().unwrap();
        mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some("size=80m"),
        )
        .unwrap();
        let disk = dir.path().join("disk");
        let mut making = make::Making::begin(
            &disk,
            0,
            layer::Whiteouts::Ordinary,
            ByteSize::mib(64),
            &CancellationToken::new(),
        )
        .unwrap();
        let mut tar = Tar::new();
        tar.file("large", &vec![7; 40 << 20]);
        let outcome = making
            .add_stream(std::io::Cursor::new(tar.finish()))
            .and_then(|_| making.finish("x"));
        nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
        outcome.unwrap_err()
    });
    let error = thread.join().unwrap();
    assert!(
        matches!(error, Error::Write(ext4::Error::NearlyFull { .. })),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("free some space"));
}
