//! The whole room, on real things: a real registry filled by real builders, real file systems mounted by the kernel.
//! They need root (to mount), and `docker-registry`, `umoci`, `skopeo`, `e2fsck` and GNU tar.

mod hostile;
mod http;
mod properties;
mod prune;
mod pull;
mod registry;
mod take;
mod tree;
mod unpack;

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::event::Progress;

/// Images in a fresh folder.
struct Room {
    dir: TempDir,
    images: Images,
}

impl Room {
    fn new(options: Options) -> Room {
        // Not in /tmp, which may be kept in memory.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let store = Store::open(&dir.path().join("db")).unwrap();
        std::fs::create_dir(dir.path().join("images")).unwrap();
        let images = Images::open(&dir.path().join("images"), store, options).unwrap();
        Room { dir, images }
    }

    fn plain() -> Room {
        Room::new(Options {
            // Nobody's credentials.
            docker_config: Some("/nonexistent".into()),
            ..Options::default()
        })
    }

    async fn resolve(&self, reference: &str) -> Result<Image, Error> {
        self.images
            .resolve(reference, &Progress::silent(), &CancellationToken::new())
            .await
    }

    async fn import(&self, path: &Path) -> Result<Image, Error> {
        self.images
            .import(path, None, &Progress::silent(), &CancellationToken::new())
            .await
    }

    /// A path in the folder beside the images.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What lies in the cache beside locks: nothing, after a failure, but what a download may go on with.
    fn left_over(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.images.dir.as_path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| !name.starts_with('.') && name != "blobs")
            .collect()
    }
}

/// Runs a tool that must succeed.
fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let out = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        out.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The file system must be without fault.
fn fsck(disk: &Path) {
    run("e2fsck", &["-fn", text(disk)]);
}
