//! A pane as the terminal of a shell.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::input::Input;
use super::output::Output;
use super::screen::Screen;
use crate::shell::{self, Front, State};

/// A guest that has written nothing for so long may go on doing so.
const SILENCE: Duration = Duration::from_millis(100);

/// What a pane's task and the pane share.
#[derive(Clone)]
pub(super) struct Pane {
    pub screen: Arc<Screen>,
    pub input: Arc<Input>,
}

impl Front for Pane {
    fn set_state(&self, state: State) {
        self.screen.set_state(state);
    }

    fn ends(self: &Arc<Self>) -> (shell::Input, shell::Output) {
        let output = Output::new(self.screen.clone(), self.input.clone());
        (Box::new(self.input.reader()), Box::new(output))
    }

    fn renew(&self, fresh: &[u8]) {
        self.screen.renew(fresh);
    }

    async fn beside(&self) {
        tokio::join!(show_held(&self.screen, &self.input), pack(&self.screen));
    }
}

/// Packs old lines away whenever the guest has been silent for a moment.
async fn pack(screen: &Screen) {
    loop {
        screen.grown.notified().await;
        while timeout(SILENCE, screen.grown.notified()).await.is_ok() {}
        while screen.pack_some() {
            tokio::task::yield_now().await;
        }
    }
}

/// Shows what a guest began to hold back and did not show in time: a program that dies meanwhile would leave the
/// terminal frozen.
async fn show_held(screen: &Screen, input: &Input) {
    loop {
        screen.holding.notified().await;
        while let Some(until) = screen.held_until() {
            sleep(until.saturating_duration_since(std::time::Instant::now())).await;
            let answers = screen.show_overdue();
            input.answer(&answers);
        }
    }
}
