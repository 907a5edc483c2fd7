//! An image that somebody counts on stays, whatever the store says of it.

use tokio_util::sync::CancellationToken;

use super::Room;
use super::registry::Tar;
use crate::event::Progress;
use crate::image::Prune;

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_counts_on_is_neither_pruned_nor_deleted() {
    let room = Room::plain();
    let archive = room.path("app.tar");
    let mut tar = Tar::new();
    tar.file("text", b"text");
    std::fs::write(&archive, tar.finish()).unwrap();
    let image = room.import(&archive).await.unwrap();
    let (progress, cancel) = (Progress::silent(), CancellationToken::new());
    let all = Prune { all: true };
    let found = room.images.resolve_to_use("app", &progress, &cancel).await;
    let (found, using) = found.unwrap();
    assert_eq!(found.digest, image.digest);
    assert!(room.images.prunable(all).unwrap().is_empty());
    assert!(room.images.prune(all).await.unwrap().is_empty());
    assert!(room.images.delete("app").is_err());
    // The same bytes again leave the file that is counted on where it is.
    let identity = |path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    let before = identity(&image.path);
    room.import(&archive).await.unwrap();
    assert_eq!(identity(&image.path), before);
    drop(using);
    assert_eq!(room.images.prune(all).await.unwrap().len(), 1);
    assert!(!image.path.exists() && room.images.find("app").is_err());
}
