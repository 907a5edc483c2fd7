//! What a guest's output asks for: answers that go back to it, and news for whoever looks at its pane.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alacritty_terminal::event::{Event, EventListener};

use super::text;

/// How many bytes of answers wait at most for whoever writes them to the guest. A guest that asks without reading the
/// answers gets no more of them.
const MOST_REPLIES: usize = 64 * 1024;

/// The longest text, in bytes, that a guest may put into the user's clipboard.
pub(super) const LONGEST_COPY: usize = 100_000;

/// What has happened in a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The guest names its window (OSC 0 and 2); empty when it takes the name back. Without control characters, and at
    /// most 256 characters long.
    Title(String),
    /// The guest rings the bell, however often since the last news.
    Bell,
    /// The guest wants this in the clipboard (OSC 52). At most 100,000 bytes, and no control characters but line ends
    /// and tabs.
    Clipboard(String),
}

/// What waits to be taken.
#[derive(Default)]
struct Waiting {
    replies: Vec<u8>,
    title: String,
    renamed: bool,
    bell: bool,
    clipboard: Option<String>,
}

/// The listener that a `Term` insists on. What comes often is merged, so that no guest can fill memory with it.
#[derive(Clone, Default)]
pub(super) struct Outbox(Arc<Mutex<Waiting>>);

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer for the guest.
    pub(super) fn reply(&self, bytes: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.replies.len() + bytes.len() <= MOST_REPLIES {
            waiting.replies.extend_from_slice(bytes);
        }
    }

    fn rename(&self, title: String) {
        let mut waiting = self.waiting();
        waiting.renamed |= waiting.title != title;
        waiting.title = title;
    }

    /// The title now; empty if there is none.
    pub(super) fn title(&self) -> String {
        self.waiting().title.clone()
    }

    pub(super) fn take_replies(&self) -> Vec<u8> {
        std::mem::take(&mut self.waiting().replies)
    }

    pub(super) fn take_news(&self) -> Vec<News> {
        let mut waiting = self.waiting();
        let renamed = std::mem::take(&mut waiting.renamed);
        let title = renamed.then(|| News::Title(waiting.title.clone()));
        let bell = std::mem::take(&mut waiting.bell).then_some(News::Bell);
        let clipboard = waiting.clipboard.take().map(News::Clipboard);
        [title, bell, clipboard].into_iter().flatten().collect()
    }
}

impl EventListener for Outbox {
    fn send_event(&self, event: Event) {
        match event {
            Event::PtyWrite(text) => self.reply(text.as_bytes()),
            Event::Title(title) => self.rename(title),
            Event::ResetTitle => self.rename(String::new()),
            Event::Bell => self.waiting().bell = true,
            Event::ClipboardStore(_, copied) if copied.len() <= LONGEST_COPY => {
                self.waiting().clipboard = Some(text::copied(&copied));
            }
            // The clipboard is never read; a size in pixels is not known; the rest is about a window of Alacritty's.
            _ => {}
        }
    }
}
