//! How far the machine's start has come, as the server knows it.
//!
//! ```text
//!   Waiting ──(root entered)──▶ Rooted ──(volumes, identity)──▶ Mounted ──(init listens)──▶ Ready
//! ```
//!
//! The server answers from `Waiting` on; it lets users in from `Mounted` on.

use tokio::sync::watch;

/// A step of the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// In the initramfs; the image is not there yet.
    Waiting,
    /// The image's root is this process's root.
    Rooted,
    /// Everything is mounted and written that the host asked for.
    Mounted,
    /// The application runs, or init and can be told things.
    Ready,
}

/// Lets anyone wait for a stage.
#[derive(Clone, Debug)]
pub struct Stages(watch::Receiver<Stage>);

impl Stages {
    /// A server that starts at `first`, and the way to move it on.
    pub fn new(first: Stage) -> (watch::Sender<Stage>, Stages) {
        let (sender, receiver) = watch::channel(first);
        (sender, Stages(receiver))
    }

    /// Waits until `stage` is reached; `false` if it never will be.
    pub async fn reach(&self, stage: Stage) -> bool {
        let mut receiver = self.0.clone();
        // The sender may be gone, having said its last word.
        receiver.wait_for(|now| *now >= stage).await.is_ok()
    }
}
