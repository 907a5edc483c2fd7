//! A line between a browser and the daemon that a test can cut.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener as Listener, TcpStream};
use tokio::sync::watch;

/// Passes on what comes for `127.0.0.2` to the same port of `127.0.0.1`, while it is whole.
pub struct Proxy {
    port: u16,
    whole: Arc<watch::Sender<bool>>,
}

impl Proxy {
    /// Where nobody listens on either address yet.
    pub async fn open() -> Proxy {
        let (listener, port) = loop {
            let listener = Listener::bind((Ipv4Addr::new(127, 0, 0, 2), 0))
                .await
                .unwrap();
            let port = listener.local_addr().unwrap().port();
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                break (listener, port);
            }
        };
        let whole = Arc::new(watch::Sender::new(true));
        let passing = whole.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut whole = passing.subscribe();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = whole.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Proxy { port, whole }
    }

    /// The port of both sides.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has Chromium find this side by the name `localhost`.
    pub fn argument(&self) -> &'static str {
        "--host-resolver-rules=MAP localhost 127.0.0.2"
    }

    /// Cuts what passes, and all that comes.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}
