//! Copies that are cut off, and how far they are.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::error::{Advice, Kind};
use crate::event::Event;

#[tokio::test]
async fn a_copy_goes_on_where_it_was_cut_off_and_only_with_the_same_source() {
    let lab = Lab::new().await;
    let content = noise(20 << 20);
    std::fs::create_dir(lab.path("dst")).unwrap();
    for (from, to) in [
        (Side::Host, lab.side.clone()),
        (lab.side.clone(), Side::Host),
    ] {
        std::fs::write(lab.path("large"), &content).unwrap();
        let cut = |seen: u64| {
            let (from, to) = (from.clone(), to.clone());
            let (source, target) = (lab.path("large"), lab.path("dst/copy"));
            async move {
                let cancel = CancellationToken::new();
                let token = cancel.clone();
                let progress = Progress::new(move |event| {
                    if let Event::Transfer { done, .. } = event
                        && done > seen
                    {
                        token.cancel();
                    }
                });
                let to = To::Path {
                    side: to,
                    path: target,
                };
                copy(paths(from, source), to, false, &progress, &cancel).await
            }
        };
        let whole = || {
            put(
                paths(from.clone(), lab.path("large")),
                to.clone(),
                lab.path("dst/copy"),
            )
        };
        let error = cut(5 << 20).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
        assert!(!lab.path("dst/copy").exists());
        assert_eq!(lab.parts("dst").len(), 1);
        let copied = whole().await.unwrap();
        assert!(copied.resumed_bytes >= 5 << 20, "{copied:?}");
        assert_eq!(copied.bytes, 20 << 20);
        assert!(std::fs::read(lab.path("dst/copy")).unwrap() == content);
        assert!(lab.parts("dst").is_empty());

        // What there is does not end as the source does: all of it is copied.
        cut(5 << 20).await.unwrap_err();
        // The guest carries out in order what was asked of it: all writes under way before this.
        lab.side.facts(Path::new("/"), true).await.unwrap();
        let part = lab.path("dst").join(&lab.parts("dst")[0]);
        let mut spoilt = std::fs::read(&part).unwrap();
        *spoilt.last_mut().unwrap() ^= 1;
        std::fs::write(&part, spoilt).unwrap();
        assert_eq!(whole().await.unwrap().resumed_bytes, 0);
        assert!(std::fs::read(lab.path("dst/copy")).unwrap() == content);

        // The source is another one: what was left of the old one is cleared away.
        cut(5 << 20).await.unwrap_err();
        let newer = noise(19 << 20);
        std::fs::write(lab.path("large"), &newer).unwrap();
        assert_eq!(whole().await.unwrap().resumed_bytes, 0);
        assert!(std::fs::read(lab.path("dst/copy")).unwrap() == newer);
        assert!(lab.parts("dst").is_empty());
        std::fs::remove_file(lab.path("dst/copy")).unwrap();
    }
}

/// That the end of a copy's progress is its end, and is said once.
#[tokio::test]
async fn progress_ends_with_the_copy() {
    let lab = Lab::new().await;
    std::fs::write(lab.path("a"), noise(3 << 20)).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let seen = ended.clone();
    let progress = Progress::new(move |event| {
        if let Event::Transfer { done, total, .. } = event {
            assert!(!seen.load(Ordering::Relaxed), "more after the end");
            seen.store(Some(done) == total, Ordering::Relaxed);
        }
    });
    let to = To::Path {
        side: lab.side.clone(),
        path: lab.path("b"),
    };
    let none = CancellationToken::new();
    copy(
        paths(Side::Host, lab.path("a")),
        to,
        false,
        &progress,
        &none,
    )
    .await
    .unwrap();
    assert!(ended.load(Ordering::Relaxed));
}
