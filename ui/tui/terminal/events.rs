//! What comes from the terminal: keys, pastes, the mouse, changes of size, and answers to questions.
//!
//! crossterm's own stream hands over one event at a time through a thread, so that a burst cannot be seen as one, and spins
//! for ever on a terminal that was hung up. Here a thread waits for the terminal itself and has crossterm only parse.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEventKind};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::answers::{Answers, Heard};
use super::life::{self, Notice};
use super::{Guard, output, sequences};

/// How many events wait for us; whoever pastes more waits.
const ROOM: usize = 1024;
/// How long what looks like the beginning of an answer may be one. It comes as a whole, but for what a slow link does; and
/// it is only waited for while an answer is owed.
const ANSWER: Duration = Duration::from_millis(500);
/// How long to look for more of what was being parsed.
const REST: Duration = Duration::from_millis(1);
/// How many turns of the wheel in a row are acted on in one go: more were queued up while we were busy.
const TURNS: usize = 16;

/// What comes from the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Event(Event),
    /// The program was stopped and goes on, or the terminal was otherwise taken again: everything is to be drawn anew, by
    /// `ratatui::Terminal::resize`, since its size may be another and `clear` would ask for the cursor.
    Resumed,
    /// The background, as it was asked for: red, green, blue.
    Background([u8; 3]),
}

/// The source of them.
pub(crate) struct Events {
    incoming: Receiver<Input>,
    resized: Signal,
    answers: Answers,
    /// Until when it is waited for the rest of what may be an answer.
    patience: Option<Instant>,
    /// What is to be given before anything new.
    ready: VecDeque<Input>,
}

impl Events {
    /// Starts reading. There can be one at a time; it ends with the guard.
    pub(crate) fn new(_: &Guard) -> io::Result<Events> {
        let (sender, incoming) = channel(ROOM);
        let notices = life::notices()?;
        let resized = signal(SignalKind::window_change())?;
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || read(&notices, &sender))?;
        Ok(Events {
            incoming,
            resized,
            answers: Answers::default(),
            patience: None,
            ready: VecDeque::new(),
        })
    }

    /// The next; none when the terminal is gone or the program is to end. Nothing is lost when this is given up.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Some(input);
            }
            let patience = match self.answers.is_holding() {
                true => *self.patience.get_or_insert_with(|| Instant::now() + ANSWER),
                false => Instant::now(),
            };
            tokio::select! {
                biased;
                _ = self.resized.recv() => {
                    let (columns, rows) = crossterm::terminal::size().ok()?;
                    return Some(Input::Event(Event::Resize(columns, rows)));
                }
                input = self.incoming.recv() => self.hear(input?),
                () = tokio::time::sleep_until(patience), if self.answers.is_holding() => {
                    self.patience = None;
                    let held = self.answers.release();
                    self.ready.extend(held.into_iter().map(Input::Event));
                }
            }
        }
    }

    /// `first` and all that is ready behind it, of bursts only what matters.
    pub(crate) fn with_ready(&mut self, first: Input) -> Vec<Input> {
        let mut all = vec![first];
        while let Ok(input) = self.incoming.try_recv() {
            self.hear(input);
        }
        all.extend(self.ready.drain(..));
        coalesce(all)
    }

    /// Asks for the background; the answer, if there is one, comes as [`Input::Background`].
    pub(crate) fn ask_background(&mut self) -> io::Result<()> {
        self.answers.expect_one();
        output::send(sequences::ASK_BACKGROUND.as_bytes())
    }

    /// The background was asked for before and the answer is late.
    pub(crate) fn expect_background(&mut self) {
        self.answers.expect_one();
    }

    fn hear(&mut self, input: Input) {
        let Input::Event(event) = input else {
            self.ready.push_back(input);
            return;
        };
        self.patience = None;
        match self.answers.hear(event) {
            Heard::Nothing => {}
            Heard::Events(events) => self.ready.extend(events.into_iter().map(Input::Event)),
            Heard::Background(color) => self.ready.push_back(Input::Background(color)),
        }
    }
}

/// Leaves out of a burst what a later event of it makes void: sizes, and ways of the mouse. Of the wheel it keeps some.
pub(super) fn coalesce(inputs: Vec<Input>) -> Vec<Input> {
    let mut kept: Vec<Input> = Vec::with_capacity(inputs.len());
    let mut turns = 0;
    for input in inputs {
        turns = match kept.last() {
            Some(last) if is_turn(&input) && is_same_move(last, &input) => turns + 1,
            _ => 0,
        };
        let void = match (kept.last(), &input) {
            (Some(Input::Event(Event::Resize(..))), Input::Event(Event::Resize(..))) => true,
            (Some(last), input) => is_same_move(last, input) && (!is_turn(input) || turns >= TURNS),
            (None, _) => false,
        };
        if void {
            kept.pop();
        }
        kept.push(input);
    }
    kept
}

fn is_turn(input: &Input) -> bool {
    use MouseEventKind::{ScrollDown, ScrollLeft, ScrollRight, ScrollUp};
    matches!(input, Input::Event(Event::Mouse(mouse))
        if matches!(mouse.kind, ScrollDown | ScrollUp | ScrollLeft | ScrollRight))
}

/// Whether both are the same motion of the mouse, be it somewhere else.
fn is_same_move(one: &Input, other: &Input) -> bool {
    let (Input::Event(Event::Mouse(one)), Input::Event(Event::Mouse(other))) = (one, other) else {
        return false;
    };
    let moves = !matches!(one.kind, MouseEventKind::Down(_) | MouseEventKind::Up(_));
    moves && (one.kind, one.modifiers) == (other.kind, other.modifiers)
}

/// Reads until the terminal is gone, or nobody listens, or the end is told.
fn read(notices: &OwnedFd, sender: &Sender<Input>) {
    loop {
        // While the terminal is not ours its keys are not either.
        let keys = life::input().filter(|_| life::is_ours());
        // SAFETY: the guard keeps it open; whoever closes it nonetheless has this poll fail and the reading end.
        let keys = keys.map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
        let mut fds = vec![PollFd::new(notices.as_fd(), PollFlags::POLLIN)];
        fds.extend(keys.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return,
        }
        let happened = |at: usize| {
            fds.get(at)
                .and_then(PollFd::revents)
                .unwrap_or(PollFlags::empty())
        };
        if !happened(0).is_empty() {
            match next_notice(notices) {
                Some(Notice::End) => return,
                Some(Notice::Resumed) if sender.blocking_send(Input::Resumed).is_err() => return,
                _ => continue,
            }
        }
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        if happened(1).intersects(gone) {
            return;
        }
        if happened(1).contains(PollFlags::POLLIN) && !pass_on(sender) {
            return;
        }
    }
}

/// Passes on all that can be read now; `false` when there is no more to come.
fn pass_on(sender: &Sender<Input>) -> bool {
    loop {
        match crossterm::event::poll(REST) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
        let event = match crossterm::event::read() {
            // We are told ourselves.
            Ok(Event::Resize(..)) => continue,
            Ok(Event::Key(key)) => Event::Key(unmistaken(key)),
            Ok(event) => event,
            Err(_) => return false,
        };
        if sender.blocking_send(Input::Event(event)).is_err() {
            return false;
        }
    }
}

fn next_notice(notices: &OwnedFd) -> Option<Notice> {
    let mut byte = [0];
    match nix::unistd::read(notices, &mut byte) {
        Ok(1) => Notice::of(byte[0]),
        _ => None,
    }
}

/// crossterm names the bytes 0x1c to 0x1f after the digits that send them on a VT220; on all keyboards of today they come
/// from the signs that ASCII has 64 places above.
fn unmistaken(key: KeyEvent) -> KeyEvent {
    let code = match (key.modifiers.contains(KeyModifiers::CONTROL), key.code) {
        (true, KeyCode::Char('4')) => KeyCode::Char('\\'),
        (true, KeyCode::Char('5')) => KeyCode::Char(']'),
        (true, KeyCode::Char('6')) => KeyCode::Char('^'),
        (true, KeyCode::Char('7')) => KeyCode::Char('_'),
        (_, code) => code,
    };
    KeyEvent { code, ..key }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of which a test is the source.
    fn played() -> (Sender<Input>, Events) {
        let (sender, incoming) = channel(ROOM);
        let events = Events {
            incoming,
            resized: signal(SignalKind::window_change()).unwrap(),
            answers: Answers::default(),
            patience: None,
            ready: VecDeque::new(),
        };
        (sender, events)
    }

    /// What crossterm makes of these; of `]` and `\`, of what ESC stands before.
    async fn types(sender: &Sender<Input>, keys: &str) {
        for c in keys.chars() {
            let modifiers = match c {
                ']' | '\\' => KeyModifiers::ALT,
                _ => KeyModifiers::NONE,
            };
            let key = KeyEvent::new(KeyCode::Char(c), modifiers);
            sender.send(Input::Event(Event::Key(key))).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_come_in_parts_over_a_slow_link() {
        let (sender, mut events) = played();
        events.expect_background();
        let link = tokio::spawn(async move {
            for part in ["]", "11;rgb:fd", "fd/f6f6/e3e3", "\\"] {
                types(&sender, part).await;
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
        });
        assert_eq!(
            events.next().await,
            Some(Input::Background([0xfd, 0xf6, 0xe3]))
        );
        link.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_only_held_back_while_an_answer_is_owed_and_not_for_long() {
        let (sender, mut events) = played();
        let key = KeyEvent::new(KeyCode::Char(']'), KeyModifiers::ALT);
        let key = Some(Input::Event(Event::Key(key)));
        for (owed, wait) in [(false, 0), (true, 500)] {
            if owed {
                events.expect_background();
            }
            let pressed = Instant::now();
            types(&sender, "]").await;
            assert_eq!(events.next().await, key);
            assert_eq!(pressed.elapsed().as_millis(), wait);
        }
    }
}
