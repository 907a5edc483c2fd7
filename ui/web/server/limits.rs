//! How much of this computer whoever connects may take.

use std::time::Duration;

/// The limits; tests have others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once, WebSockets among them.
    pub(crate) connections: usize,
    /// How long the head of a request may take to come, and how long a connection may be idle between two; as long may
    /// a TLS handshake take.
    pub(crate) head: Duration,
    /// Bytes of the head of a request.
    pub(crate) head_bytes: usize,
    /// Headers of a request.
    pub(crate) headers: usize,
    /// Bytes of a body that is taken in as a whole.
    pub(crate) body: usize,
    /// Between two pieces of a body.
    pub(crate) pause: Duration,
    /// How long an answer may take to begin; longer than the API lets one wait for an operation, which is 60 s.
    pub(crate) answer: Duration,
    /// How long what is being answered may take when the daemon ends.
    pub(crate) farewell: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 512,
            head: Duration::from_secs(10),
            head_bytes: 16 << 10,
            headers: 64,
            body: 1 << 20,
            pause: Duration::from_secs(20),
            answer: Duration::from_secs(75),
            farewell: Duration::from_secs(5),
        }
    }
}
