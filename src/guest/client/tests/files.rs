//! Subsystems: SFTP, and one that is not there.

use super::*;
use crate::guest::sftp::{MOST_DATA, Sftp, flags};

#[tokio::test]
async fn files_by_sftp() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let stream = client.subsystem("sftp").await.unwrap();
    let sftp = Sftp::begin(stream).await.unwrap();
    let path = server.directory.path().join("file");
    let content = noise(MOST_DATA);
    let how = flags::READ | flags::WRITE | flags::CREATE;
    let file = sftp.open(&path, how).await.unwrap();
    sftp.write(&file, 0, &content).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == content);
    assert!(sftp.read(&file, 0, MOST_DATA).await.unwrap() == content);
    drop(sftp);
    assert_eq!(text(&client, "echo still here").await, "still here\n");
}

#[tokio::test]
async fn a_subsystem_that_is_not_there() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let error = client.ask("no-such-thing").await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error:?}");
    let error = client.subsystem("no-such-thing").await.err().unwrap();
    assert!(matches!(error, Error::Request(_)), "{error:?}");
}
