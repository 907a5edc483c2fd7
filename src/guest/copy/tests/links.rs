//! Links, which lead nowhere that the user did not name.

use std::os::unix::fs::symlink;

use super::*;

#[tokio::test]
async fn links_are_kept_or_followed_and_nothing_is_written_through_one() {
    let lab = Lab::new().await;
    std::fs::create_dir_all(lab.path("src/real")).unwrap();
    std::fs::create_dir_all(lab.path("outside")).unwrap();
    std::fs::write(lab.path("src/real/x"), "x").unwrap();
    symlink("real", lab.path("src/link")).unwrap();
    let copied = lab.out("src", "kept").await.unwrap();
    assert_eq!(copied.links, 1);
    assert_eq!(
        std::fs::read_link(lab.path("kept/link")).unwrap(),
        Path::new("real")
    );
    let to = To::Path {
        side: Side::Host,
        path: lab.path("followed"),
    };
    let from = paths(lab.side.clone(), lab.path("src"));
    let none = CancellationToken::new();
    copy(from, to, true, &Progress::silent(), &none)
        .await
        .unwrap();
    assert!(
        lab.path("followed/link")
            .symlink_metadata()
            .unwrap()
            .is_dir()
    );
    assert_eq!(std::fs::read(lab.path("followed/link/x")).unwrap(), b"x");

    // The guest put a link where it will have a folder the next time.
    symlink(lab.path("outside"), lab.path("kept/real2")).unwrap();
    std::fs::create_dir(lab.path("src/real2")).unwrap();
    std::fs::write(lab.path("src/real2/evil"), "evil").unwrap();
    let from = paths(lab.side.clone(), lab.path("src/."));
    let error = put(from, Side::Host, lab.path("kept")).await.unwrap_err();
    let Error::Some { lines, .. } = &error else {
        panic!("{error}")
    };
    assert!(lines[0].contains("is a symbolic link"), "{lines:?}");
    assert_eq!(std::fs::read_dir(lab.path("outside")).unwrap().count(), 0);
    // A file takes the place of a link; what it led to stays.
    std::fs::write(lab.path("outside/precious"), "precious").unwrap();
    symlink(lab.path("outside/precious"), lab.path("kept/y")).unwrap();
    std::fs::write(lab.path("src/y"), "mine").unwrap();
    let _ = put(
        paths(lab.side.clone(), lab.path("src/y")),
        Side::Host,
        lab.path("kept"),
    )
    .await
    .unwrap();
    assert_eq!(
        std::fs::read(lab.path("outside/precious")).unwrap(),
        b"precious"
    );
    assert_eq!(std::fs::read(lab.path("kept/y")).unwrap(), b"mine");
}
