//! Ways to wait for what a pane does.

use super::*;
pub use crate::shell::fake::{Fake, Guest, broken, machine};

/// Counts notices, so that a test can wait for the next.
pub fn notices() -> (Notify, watch::Receiver<u64>) {
    let (sender, receiver) = watch::channel(0);
    let notify = move || sender.send_modify(|count| *count += 1);
    (Arc::new(notify), receiver)
}

/// Waits until something is so.
pub async fn until(notices: &mut watch::Receiver<u64>, mut is_so: impl FnMut() -> bool) {
    loop {
        notices.mark_unchanged();
        if is_so() {
            return;
        }
        timeout(LONG, notices.changed())
            .await
            .expect("it never becomes so")
            .unwrap();
    }
}
