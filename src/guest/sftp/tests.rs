//! The client against OpenSSH's server, and against one that does not keep to the protocol.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::wire::kind;
use super::*;

const LONG: Duration = Duration::from_secs(60);

/// OpenSSH's server, which ends with this.
async fn openssh() -> (Sftp, Child) {
    let mut server = Command::new("/usr/lib/openssh/sftp-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let stream = tokio::io::join(server.stdout.take().unwrap(), server.stdin.take().unwrap());
    (Sftp::begin(stream).await.unwrap(), server)
}

#[tokio::test]
async fn files_and_folders_by_another_implementation() {
    let folder = tempfile::tempdir().unwrap();
    let (sftp, _server) = openssh().await;
    let path = |name: &str| folder.path().join(name);
    sftp.make_folder(&path("sub")).await.unwrap();
    let file = sftp
        .open(&path("sub/part"), flags::WRITE | flags::CREATE)
        .await
        .unwrap();
    // Many under way, carried out in order.
    let writes: Vec<_> = (0..100u64)
        .map(|number| sftp.write(&file, number * 2, b"ab"))
        .collect();
    let attributes = Attributes {
        size: Some(150),
        mode: Some(0o640),
        times: Some((7, 8)),
    };
    let dressed = sftp.set_file_attributes(&file, &attributes);
    for write in writes {
        write.await.unwrap();
    }
    dressed.await.unwrap();
    sftp.close(&file).await.unwrap();
    std::fs::write(path("sub/file"), "replaced").unwrap();
    sftp.rename(&path("sub/part"), &path("sub/file"))
        .await
        .unwrap();
    let found = sftp.attributes(&path("sub/file"), false).await.unwrap();
    assert_eq!(found.size, Some(150));
    assert_eq!(found.mode, Some(0o100_640));
    assert_eq!(found.times, Some((7, 8)));
    let file = sftp.open(&path("sub/file"), flags::READ).await.unwrap();
    assert_eq!(sftp.read(&file, 148, 10).await.unwrap(), "ab");
    assert_eq!(sftp.read(&file, 150, 10).await.unwrap(), "");
    sftp.make_link(Path::new("file"), &path("sub/link"))
        .await
        .unwrap();
    assert_eq!(
        sftp.read_link(&path("sub/link")).await.unwrap(),
        Path::new("file")
    );
    let listing = sftp.open_folder(&path("sub")).await.unwrap();
    let mut names = Vec::new();
    while let Some(entries) = sftp.read_folder(&listing).await.unwrap() {
        names.extend(entries.into_iter().map(|entry| entry.name));
    }
    names.sort();
    assert_eq!(names, [Path::new("file"), Path::new("link")]);
    let error = sftp.attributes(&path("nothing"), true).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(!error.is_end());
}

#[tokio::test]
async fn a_server_that_ends_or_talks_nonsense_ends_all_requests() {
    let version = [0, 0, 0, 5, kind::VERSION, 0, 0, 0, 3];
    // Ends; a length beyond all measure; an answer to nothing; a packet without a number.
    for answer in [
        &b""[..],
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 5, kind::STATUS, 0, 0, 9, 9],
        &[0, 0, 0, 1, kind::STATUS],
    ] {
        let (ours, mut theirs) = duplex(1 << 16);
        let server = async move {
            theirs.write_all(&version).await.unwrap();
            let mut asked = [0; 9];
            theirs.read_exact(&mut asked).await.unwrap();
            let mut asked = [0; 64];
            theirs.read_exact(&mut asked[..1]).await.unwrap();
            theirs.write_all(answer).await.unwrap();
        };
        let client = async move {
            let sftp = Sftp::begin(ours).await.unwrap();
            let asked = [(); 3].map(|()| sftp.attributes(Path::new("/"), false));
            for asked in asked {
                assert!(asked.await.unwrap_err().is_end());
            }
            assert!(
                sftp.attributes(Path::new("/"), true)
                    .await
                    .unwrap_err()
                    .is_end()
            );
        };
        timeout(LONG, async { tokio::join!(server, client) })
            .await
            .unwrap();
    }
    let (ours, mut theirs) = duplex(1 << 16);
    theirs.write_all(b"HTTP/1.1 400 no\r\n").await.unwrap();
    assert!(Sftp::begin(ours).await.is_err());
}
