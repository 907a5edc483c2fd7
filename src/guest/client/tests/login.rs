//! Who is let in, and whom the client does not trust.

use super::*;

#[tokio::test]
async fn a_guest_with_another_host_key_is_refused() {
    let server = Server::new();
    let (_, other) = new_host_key().unwrap();
    let target = Target::new("root", &server.keys, &other).unwrap();
    let (_running, stream, _) = server.start();
    let error = Client::connect(stream, &target).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the guest shows another host key than the one it was given"
    );
    assert!(error.hint().is_some());
    let error = Target::new("root", &server.keys, "ssh-ed25519 nonsense").unwrap_err();
    assert_eq!(error.to_string(), "the guest's host key is not an SSH key");
}

#[tokio::test]
async fn a_user_or_key_that_is_not_known_is_refused() {
    let server = Server::new();
    let (_running, stream, _) = server.start();
    let nobody = Target::new("no-such-user", &server.keys, &server.host_key).unwrap();
    let error = Client::connect(stream, &nobody).await.unwrap_err();
    assert_eq!(error.to_string(), "the guest does not let no-such-user in");
    let stranger = ensure_key_pair(tempfile::tempdir().unwrap().path()).unwrap();
    let (_running, stream, _) = server.start();
    let stranger = Target::new("root", &stranger, &server.host_key).unwrap();
    let error = Client::connect(stream, &stranger).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn what_speaks_no_ssh_is_an_error() {
    let server = Server::new();
    for said in [
        "",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-x\r\nnot a packet at all, whatever it says",
    ] {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(said.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let error = timeout(LONG, Client::connect(ours, &server.target))
            .await
            .unwrap()
            .unwrap_err();
        assert!(matches!(error, Error::Ssh(_)), "{said:?}: {error:?}");
    }
}

/// With the clock paused, time passes at once when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_guest_that_says_nothing_is_not_waited_for_for_ever() {
    let server = Server::new();
    let (ours, _theirs) = duplex(4096);
    let error = Client::connect(ours, &server.target).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the guest's SSH server did not answer within 30 s"
    );
}
