//! What is copied where, and what cannot be.

use std::os::unix::fs::symlink;

use super::*;
use crate::error::{Advice, Kind};

#[tokio::test]
async fn what_a_destination_means() {
    let lab = Lab::new().await;
    std::fs::create_dir_all(lab.path("src/sub")).unwrap();
    std::fs::create_dir(lab.path("dst")).unwrap();
    std::fs::write(lab.path("src/sub/a"), "a").unwrap();
    std::fs::write(lab.path("file"), "file").unwrap();
    // A folder that is there takes it in; one that is not becomes it.
    lab.put_in("src", "dst").await.unwrap();
    lab.put_in("src/", "dst/new").await.unwrap();
    lab.put_in("src", "dst/slash/").await.unwrap();
    for place in ["dst/src/sub/a", "dst/new/sub/a", "dst/slash/sub/a"] {
        assert_eq!(std::fs::read(lab.path(place)).unwrap(), b"a", "{place}");
    }
    // What is in it goes into what is there, again and again.
    lab.put_in("src/.", "dst").await.unwrap();
    lab.out("src/.", "dst").await.unwrap();
    assert_eq!(std::fs::read(lab.path("dst/sub/a")).unwrap(), b"a");
    lab.put_in("file", "dst/named").await.unwrap();
    lab.put_in("file", "dst").await.unwrap();
    assert_eq!(std::fs::read(lab.path("dst/named")).unwrap(), b"file");
    assert_eq!(std::fs::read(lab.path("dst/file")).unwrap(), b"file");
    // A link to a file is written through by name, not replaced.
    symlink("named", lab.path("dst/alias")).unwrap();
    std::fs::write(lab.path("file"), "newer").unwrap();
    lab.put_in("file", "dst/alias").await.unwrap();
    assert!(lab.path("dst/alias").is_symlink());
    assert_eq!(std::fs::read(lab.path("dst/named")).unwrap(), b"newer");

    let refused = [
        ("file", "nowhere/x", Kind::NotFound),
        ("file", "dst/gone/", Kind::NotFound),
        ("nothing", "dst", Kind::NotFound),
        ("src", "dst/file", Kind::Usage),
        ("src", "dst/file/x", Kind::Usage),
        ("src", "src/sub", Kind::Usage),
        ("file/", "dst", Kind::Failed),
    ];
    std::fs::create_dir(lab.path("dst/into")).unwrap();
    std::fs::create_dir(lab.path("dst/into/file")).unwrap();
    for (from, to, kind) in refused {
        if to == "src/sub" {
            // Only within one side.
            let from = paths(lab.side.clone(), lab.path(from));
            let error = put(from, lab.side.clone(), lab.path(to)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            continue;
        }
        let error = lab.put_in(from, to).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{from} {to}: {error}");
        assert!(
            error.line().contains("web:") || from != "file",
            "{}",
            error.line()
        );
    }
    let error = lab.put_in("file", "dst/into").await.unwrap_err();
    assert!(matches!(error, Error::IsAFolder(_)), "{error}");
    let error = put(
        paths(Side::Host, lab.path("file")),
        lab.side.clone(),
        "/dev/null".into(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Special { .. }), "{error}");
    assert!(lab.parts("dst").is_empty());
}

#[tokio::test]
async fn what_fails_is_named_and_the_rest_is_copied() {
    let lab = Lab::new().await;
    std::fs::create_dir_all(lab.path("src/blocked")).unwrap();
    std::fs::create_dir_all(lab.path("dst/src")).unwrap();
    std::fs::write(lab.path("src/good"), "good").unwrap();
    std::fs::write(
        lab.path("dst/src/blocked"),
        "a file where a folder is to be",
    )
    .unwrap();
    let pipe = nix::unistd::mkfifo(&lab.path("src/pipe"), nix::sys::stat::Mode::S_IRWXU);
    pipe.unwrap();
    for host_first in [true, false] {
        let copied = match host_first {
            true => lab.put_in("src", "dst").await,
            false => lab.out("src", "dst").await,
        };
        let error = copied.unwrap_err();
        let Error::Some {
            failed: 1, lines, ..
        } = &error
        else {
            panic!("{error}")
        };
        assert!(lines[0].contains("blocked is not a folder"), "{lines:?}");
        assert_eq!(std::fs::read(lab.path("dst/src/good")).unwrap(), b"good");
        assert!(!lab.path("dst/src/pipe").exists());
    }
}
