//! Subsystems: SFTP, and one that is not there.

use super::*;

#[tokio::test]
async fn files_by_sftp() {
    let server = Server::new();
    let (client, _running) = server.connect().await;
    let stream = client.subsystem("sftp").await.unwrap();
    let sftp = russh_sftp::client::SftpSession::new(stream).await.unwrap();
    let path = server.directory.path().join("file").display().to_string();
    let content = noise(1 << 20);
    let mut file = sftp.create(&path).await.unwrap();
    file.write_all(&content).await.unwrap();
    file.shutdown().await.unwrap();
    assert!(std::fs::read(&path).unwrap() == content);
    assert!(sftp.read(&path).await.unwrap() == content);
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
