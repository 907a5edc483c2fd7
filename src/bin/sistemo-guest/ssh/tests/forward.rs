//! Forwarded connections.

use super::*;

#[tokio::test]
async fn a_connection_is_forwarded_and_a_closed_port_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = u32::from(echo.local_addr().unwrap().port());
    let echoing = tokio::spawn(async move {
        let (mut stream, _) = echo.accept().await.unwrap();
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.unwrap();
    });
    let (handle, _channel) = session().await;
    let channel = handle
        .channel_open_direct_tcpip("localhost", port, "127.0.0.1", 1)
        .await
        .unwrap();
    let mut stream = channel.into_stream();
    stream.write_all(b"there and back").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "there and back");
    echoing.await.unwrap();
    assert!(
        handle
            .channel_open_direct_tcpip("localhost", port, "127.0.0.1", 1)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_was_sent_before_a_channel_is_closed_arrives() {
    use tokio::io::AsyncReadExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = u32::from(listener.local_addr().unwrap().port());
    let (handle, _channel) = session().await;
    for _ in 0..200 {
        let channel = handle
            .channel_open_direct_tcpip("localhost", port, "127.0.0.1", 1)
            .await
            .unwrap();
        channel.data(&b"last words"[..]).await.unwrap();
        channel.close().await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut arrived = String::new();
        stream.read_to_string(&mut arrived).await.unwrap();
        assert_eq!(arrived, "last words");
    }
}
