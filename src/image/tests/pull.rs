//! Fetching from a registry: what breaks off, what two want at once, whose architecture, who may, and from where.

use std::sync::atomic::Ordering;

use tar::EntryType;

use super::http::Way;
use super::registry::{Layout, Registry, Tar, header};
use super::tree::{Except, assert_same, of_disk, of_folder};
use super::*;

/// An image with two layers of random bytes, large enough to be broken off.
fn large() -> Layout {
    let mut layout = Layout::new();
    for name in ["a", "b"] {
        let mut noise = vec![0; 2 << 20];
        std::io::Read::read_exact(
            &mut std::fs::File::open("/dev/urandom").unwrap(),
            &mut noise,
        )
        .unwrap();
        let mut tar = Tar::new();
        tar.file(name, &noise);
        layout.add(&tar.finish());
    }
    layout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_goes_on_where_it_broke() {
    let (layout, registry) = (large(), Registry::start());
    registry.push(&layout.path(), "large", &[]);
    // More breaks than attempts in a row are made without progress.
    let way = Way::to(registry.port, 11);
    let room = Room::plain();
    let image = room
        .resolve(&format!("127.0.0.1:{}/large", way.port))
        .await
        .unwrap();
    let except = Except {
        directory_times: true,
    };
    assert_same(
        &of_disk(&image.path, except),
        &of_folder(&layout.unpacked(), except),
    );
    assert_eq!(way.resumed.load(Ordering::SeqCst), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_host_left_of_a_blob_is_fetched_again() {
    let (layout, registry) = (large(), Registry::start());
    registry.push(&layout.path(), "large", &[]);
    let room = Room::plain();
    let blobs = room.path("images/blobs");
    std::fs::create_dir(&blobs).unwrap();
    let digests = registry.layers("large");
    // One seemed whole, one was on its way; both have zeros where their data should be.
    let name = |digest: &str, end: &str| blobs.join(digest.replace(':', "-") + end);
    std::fs::write(name(&digests[0], ""), [0; 5000]).unwrap();
    std::fs::write(name(&digests[1], ".partial"), [0; 5000]).unwrap();
    let image = room.resolve(&registry.name("large")).await.unwrap();
    fsck(&image.path);
    assert_eq!(std::fs::read_dir(&blobs).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_want_the_same_image_fetch_it_once() {
    let (layout, registry) = (large(), Registry::start());
    registry.push(&layout.path(), "large", &[]);
    let way = Way::to(registry.port, 0);
    let room = Room::plain();
    let name = format!("127.0.0.1:{}/large", way.port);
    // A second engine on the same folder, as another process would have.
    let store = Store::open(&room.path("db")).unwrap();
    let other = Images::open(&room.path("images"), store, Options::default()).unwrap();
    let (progress, cancel) = (Progress::silent(), CancellationToken::new());
    let (a, b) = tokio::join!(
        room.resolve(&name),
        other.resolve(&name, &progress, &cancel)
    );
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(
        way.blobs.load(Ordering::SeqCst),
        3,
        "one configuration and two layers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_architectures_the_own_is_taken() {
    let registry = Registry::start();
    for (tag, file) in [("own", "right"), ("other", "wrong")] {
        let mut layout = Layout::new();
        let mut tar = Tar::new();
        tar.file(file, b"x");
        layout.add(&tar.finish());
        registry.push(&layout.path(), &format!("multi:{tag}"), &[]);
    }
    // An index is put together by hand, as the tools here only take one over.
    let client = super::super::url::client().unwrap();
    let base = format!("http://127.0.0.1:{}/v2/multi/manifests", registry.port);
    let mut entries = Vec::new();
    let own = if cfg!(target_arch = "x86_64") {
        "amd64"
    } else {
        "arm64"
    };
    for (tag, architecture) in [("other", "riscv64"), ("own", own), ("other", "unknown")] {
        let response = client
            .get(format!("{base}/{tag}"))
            .header("Accept", OCI_MANIFEST)
            .send()
            .await
            .unwrap();
        let digest = response.headers()["Docker-Content-Digest"]
            .to_str()
            .unwrap()
            .to_string();
        let size = response.bytes().await.unwrap().len();
        entries.push(
            serde_json::json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": size,
            "platform": {"architecture": architecture, "os": "linux"}}),
        );
    }
    let index =
        serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    let put = client
        .put(format!("{base}/latest"))
        .header("Content-Type", OCI_INDEX)
        .body(index.to_string());
    put.send().await.unwrap().error_for_status().unwrap();
    let room = Room::plain();
    let image = room.resolve(&registry.name("multi")).await.unwrap();
    assert!(of_disk(&image.path, Except::default()).contains_key(b"right".as_slice()));
}

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_registry_opens_to_what_docker_login_left() {
    let registry = Registry::closed();
    let mut layout = Layout::new();
    let mut tar = Tar::new();
    tar.raw(
        &mut header(EntryType::Regular, 0o755),
        b"app",
        b"",
        &std::fs::read("/sbin/ldconfig").unwrap(),
    );
    layout.add(&tar.finish());
    registry.push(
        &layout.path(),
        "private",
        &["--dest-creds", "user:secret", "--format", "v2s2"],
    );
    let name = registry.name("private");

    let error = Room::plain().resolve(&name).await.unwrap_err();
    assert!(matches!(error, Error::Registry { .. }), "{error:?}");
    let config = tempfile::tempdir().unwrap();
    // `user:secret`, as docker keeps it.
    let text = format!(
        "{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \"dXNlcjpzZWNyZXQ=\"}}}}}}",
        registry.port
    );
    std::fs::write(config.path().join("config.json"), text).unwrap();
    let room = Room::new(Options {
        docker_config: Some(config.path().into()),
        ..Options::default()
    });
    let image = room.resolve(&name).await.unwrap();
    assert_eq!(image.default_machine_name(), "private");
    let tree = of_disk(&image.path, Except::default());
    assert_eq!(tree.len(), 2, "the root and one static program");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_serves_the_default_registry() {
    let (layout, registry) = (large(), Registry::start());
    registry.push(&layout.path(), "library/thing", &[]);
    let room = Room::new(Options {
        // The first has nothing and the second is not there.
        registry_mirrors: vec![
            "http://127.0.0.1:1".into(),
            format!("http://127.0.0.1:{}/", registry.port),
        ],
        docker_config: Some("/nonexistent".into()),
        ..Options::default()
    });
    let image = room.resolve("thing").await.unwrap();
    assert_eq!(
        (image.name.as_str(), image.default_machine_name()),
        ("thing", "thing".into())
    );
    assert!(
        image.source.starts_with("docker.io/library/thing@sha256:"),
        "{}",
        image.source
    );
    assert_eq!(
        room.resolve("docker.io/library/thing:latest")
            .await
            .unwrap(),
        image
    );
}
