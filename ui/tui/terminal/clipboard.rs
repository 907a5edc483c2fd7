//! The user's clipboard: through the terminal (OSC 52), which works over SSH too, and the desktop's own.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;

use super::output;

/// The most that is sent through a terminal, in encoded bytes. k9s has this limit; hterm's osc52.sh, from which others
/// took the number, means the text before it is encoded, in a sequence of 100,000 bytes. The lower is safe with both.
const MOST: usize = 74_994;

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    Done,
    /// It is too long for the terminal, and there is no desktop to give it to.
    TooLong,
}

/// Whoever owns a selection of X or Wayland has to live for as long as others may ask for it: keep this.
pub(crate) struct Clipboard {
    has_desktop: bool,
    desktop: Option<Sender<String>>,
}

impl Clipboard {
    pub(crate) fn new(environment: &dyn Fn(&str) -> Option<String>) -> Clipboard {
        let said = |key: &&str| environment(key).is_some_and(|value| !value.is_empty());
        let shown = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(said);
        let remote = ["SSH_CONNECTION", "SSH_TTY"].iter().any(said);
        Clipboard {
            has_desktop: shown && !remote,
            desktop: None,
        }
    }

    /// Puts a text on the clipboard.
    pub(crate) fn copy(&mut self, text: &str) -> io::Result<Copied> {
        if self.has_desktop {
            let desktop = self.desktop.get_or_insert_with(|| {
                let (sender, receiver) = channel();
                // It ends with the sender; a desktop that does not answer keeps nobody waiting.
                std::thread::spawn(move || serve(&receiver));
                sender
            });
            self.has_desktop = desktop.send(text.into()).is_ok();
        }
        match through_terminal(text) {
            Some(sequence) => output::send(sequence.as_bytes()).map(|()| Copied::Done),
            None if self.has_desktop => Ok(Copied::Done),
            None => Ok(Copied::TooLong),
        }
    }
}

/// What has a terminal put a text on its clipboard; none for a text that is too long.
fn through_terminal(text: &str) -> Option<String> {
    let encoded = text.len().div_ceil(3) * 4;
    let mut sequence = String::new();
    let command = CopyToClipboard::to_clipboard_from(text);
    (encoded <= MOST && command.write_ansi(&mut sequence).is_ok()).then_some(sequence)
}

/// Gives the desktop one text after the other. The owner of the last one lives as long as this.
fn serve(texts: &Receiver<String>) {
    let Ok(mut clipboard) = arboard::Clipboard::new() else {
        return;
    };
    while let Ok(text) = texts.recv() {
        // The terminal has it as well.
        let _ = clipboard.set_text(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_encoded_and_one_that_is_too_long_is_not_cut() {
        assert_eq!(
            through_terminal("hi\u{1b}").unwrap(),
            "\u{1b}]52;c;aGkb\u{1b}\\"
        );
        let most = MOST / 4 * 3;
        assert!(through_terminal(&"x".repeat(most)).is_some());
        assert_eq!(through_terminal(&"x".repeat(most + 1)), None);
    }

    #[test]
    fn a_desktop_is_used_where_the_user_sits_before_it() {
        let of = |variables: &[&str]| {
            let variables: Vec<String> = variables.iter().map(|name| (*name).into()).collect();
            Clipboard::new(&move |key| variables.iter().any(|name| name == key).then(|| "x".into()))
                .has_desktop
        };
        assert!(of(&["DISPLAY"]));
        assert!(of(&["WAYLAND_DISPLAY"]));
        assert!(!of(&[]));
        assert!(!of(&["DISPLAY", "SSH_CONNECTION"]));
    }

    #[test]
    fn without_a_desktop_a_long_text_is_told() {
        let mut clipboard = Clipboard::new(&|_| None);
        assert_eq!(clipboard.copy(&"x".repeat(MOST)).unwrap(), Copied::TooLong);
        assert_eq!(clipboard.copy("short").unwrap(), Copied::Done);
    }
}
