//! Guests that do not keep to the protocol, or use it to get out of the folder that is copied to.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

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
