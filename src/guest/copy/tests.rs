//! Copying with OpenSSH's server as the guest, and out of a guest that wants to reach what is none of its business.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::process::{Child, Command};

use super::*;
use crate::error::{Advice, Kind};
use crate::event::Event;
use crate::guest::sftp::Sftp;

struct Lab {
    folder: tempfile::TempDir,
    side: Side,
    _server: Child,
}

impl Lab {
    async fn new() -> Lab {
        let mut server = Command::new("/usr/lib/openssh/sftp-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stream = tokio::io::join(server.stdout.take().unwrap(), server.stdin.take().unwrap());
        let sftp = Sftp::begin(stream).await.unwrap();
        Lab {
            folder: tempfile::tempdir().unwrap(),
            side: guest(sftp),
            _server: server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn put_in(&self, from: &str, to: &str) -> Result<Copied, Error> {
        let from = paths(Side::Host, self.path(from));
        put(from, self.side.clone(), self.path(to)).await
    }

    async fn out(&self, from: &str, to: &str) -> Result<Copied, Error> {
        let from = paths(self.side.clone(), self.path(from));
        put(from, Side::Host, self.path(to)).await
    }

    /// Unfinished files in a folder.
    fn parts(&self, name: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(name)).unwrap();
        let names = entries.map(|entry| PathBuf::from(entry.unwrap().file_name()));
        names.filter(|name| part::is_any(name)).collect()
    }
}

fn guest(sftp: Sftp) -> Side {
    Side::Guest(Guest {
        name: "web".into(),
        identity: "1".into(),
        sftp,
    })
}

fn paths(side: Side, path: PathBuf) -> Vec<From> {
    vec![From::Paths {
        side,
        paths: vec![path],
    }]
}

async fn put(from: Vec<From>, side: Side, path: PathBuf) -> Result<Copied, Error> {
    let to = To::Path { side, path };
    copy(
        from,
        to,
        false,
        &Progress::silent(),
        &CancellationToken::new(),
    )
    .await
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..))
        .take(length)
        .collect()
}

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

#[tokio::test]
async fn streams_and_files_without_a_size() {
    let lab = Lab::new().await;
    let content = noise(1 << 20);
    let input: Input = Box::pin(std::io::Cursor::new(content.clone()));
    put(vec![From::Stream(input)], lab.side.clone(), lab.path("x"))
        .await
        .unwrap();
    assert!(std::fs::read(lab.path("x")).unwrap() == content);
    let (ours, mut theirs) = duplex(1 << 16);
    let from = paths(lab.side.clone(), lab.path("x"));
    let none = CancellationToken::new();
    let reading = async {
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let silent = Progress::silent();
    let copying = copy(from, To::Stream(Box::pin(ours)), false, &silent, &none);
    let (heard, copied) = tokio::join!(reading, copying);
    assert!(heard == content);
    assert_eq!(copied.unwrap().bytes, 1 << 20);
    let from = paths(lab.side.clone(), "/proc/cpuinfo".into());
    put(from, Side::Host, lab.path("cpuinfo")).await.unwrap();
    assert!(
        std::fs::read_to_string(lab.path("cpuinfo"))
            .unwrap()
            .contains("processor")
    );
    assert_eq!(
        lab.path("cpuinfo").metadata().unwrap().mode() & 0o777,
        0o444
    );
    std::fs::set_permissions(lab.path("x"), PermissionsExt::from_mode(0o6755)).unwrap();
    lab.out("x", "unowned").await.unwrap();
    assert_eq!(
        lab.path("unowned").metadata().unwrap().mode() & 0o7777,
        0o755
    );
}

/// A guest that answers as `answers` says, by request type: bodies of replies behind the request's number. Each is used
/// once, the last again and again.
async fn hostile(answers: HashMap<u8, Vec<(u8, Vec<u8>)>>) -> Side {
    let (ours, mut theirs) = duplex(1 << 20);
    tokio::spawn(async move {
        let mut answers = answers;
        let mut first = true;
        while let Ok(length) = theirs.read_u32().await {
            let mut packet = vec![0; length as usize];
            theirs.read_exact(&mut packet).await.unwrap();
            if std::mem::take(&mut first) {
                theirs
                    .write_all(&[0, 0, 0, 5, 2, 0, 0, 0, 3])
                    .await
                    .unwrap();
                continue;
            }
            let prepared = answers.get_mut(&packet[0]);
            let (kind, body) = match prepared {
                Some(list) if list.len() > 1 => list.remove(0),
                Some(list) => list[0].clone(),
                None => status(8),
            };
            let length = 5 + body.len() as u32;
            let reply = [&length.to_be_bytes()[..], &[kind], &packet[1..5], &body].concat();
            theirs.write_all(&reply).await.unwrap();
        }
    });
    guest(Sftp::begin(ours).await.unwrap())
}

fn status(code: u32) -> (u8, Vec<u8>) {
    let text = b"\x1b[2Jno";
    let length = text.len() as u32;
    (
        101,
        [
            &code.to_be_bytes()[..],
            &length.to_be_bytes(),
            text,
            &[0; 4],
        ]
        .concat(),
    )
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn attributes(mode: u32, size: u64) -> Vec<u8> {
    [
        &5u32.to_be_bytes()[..],
        &size.to_be_bytes(),
        &mode.to_be_bytes(),
    ]
    .concat()
}

#[tokio::test]
async fn a_hostile_guest_writes_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dst")).unwrap();
    let planted = folder.path().join("planted");
    let names: [&[u8]; 7] = [
        b"../escaped",
        b"..",
        b"",
        b"a/../../escaped",
        b"a\0b",
        folder
            .path()
            .join("absolute")
            .as_os_str()
            .as_bytes()
            .to_vec()
            .leak(),
        b"honest\x1b[2J",
    ];
    let mut listed = (names.len() as u32 + 2).to_be_bytes().to_vec();
    for name in names {
        listed.extend([string(name), string(b""), attributes(0o100_644, 4)].concat());
    }
    // The same name twice: a link out, and then a folder.
    listed.extend([string(b"twice"), string(b""), attributes(0o40_755, 0)].concat());
    listed.extend([string(b"twice"), string(b""), attributes(0o120_777, 0)].concat());
    let target = planted.as_os_str().as_bytes();
    let side = hostile(HashMap::from([
        (17, vec![(105, attributes(0o40_755, 0))]),
        (
            16,
            vec![(
                104,
                [
                    1u32.to_be_bytes().to_vec(),
                    string(b"/evil"),
                    string(b""),
                    vec![0; 4],
                ]
                .concat(),
            )],
        ),
        (11, vec![(102, string(b"h"))]),
        (12, vec![(104, listed), status(1)]),
        (3, vec![(102, string(b"h"))]),
        (5, vec![(103, string(b"evil")), (103, string(b"evil"))]),
        (4, vec![status(0)]),
        (
            19,
            vec![(
                104,
                [
                    1u32.to_be_bytes().to_vec(),
                    string(target),
                    string(b""),
                    vec![0; 4],
                ]
                .concat(),
            )],
        ),
    ]))
    .await;
    let error = put(
        paths(side, "/evil".into()),
        Side::Host,
        folder.path().join("dst"),
    )
    .await
    .unwrap_err();
    let Error::Some { lines, .. } = &error else {
        panic!("{error}")
    };
    assert!(lines.len() >= 6, "{lines:#?}");
    assert!(
        lines.iter().all(|line| !line.contains('\x1b')),
        "{lines:#?}"
    );
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["dst"], "something got out");
    assert!(!planted.exists());
    let honest = folder
        .path()
        .join("dst/evil")
        .join(std::ffi::OsStr::from_bytes(b"honest\x1b[2J"));
    assert_eq!(std::fs::read(honest).unwrap(), b"evil");
}

#[tokio::test]
async fn a_guest_that_gives_more_than_was_asked_for_or_less_than_it_said_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    for (size, piece) in [(10u64, vec![7; 20]), (1 << 20, vec![7; 1 << 16])] {
        let pieces = vec![(103, string(&piece)), status(1)];
        let side = hostile(HashMap::from([
            (17, vec![(105, attributes(0o100_644, size))]),
            (3, vec![(102, string(b"h"))]),
            (5, pieces),
            (4, vec![status(0)]),
        ]))
        .await;
        let copying = put(
            paths(side, "/x".into()),
            Side::Host,
            folder.path().join("x"),
        );
        let outcome = tokio::time::timeout(Duration::from_secs(60), copying).await;
        let error = outcome.unwrap().unwrap_err();
        assert!(!folder.path().join("x").exists(), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
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
