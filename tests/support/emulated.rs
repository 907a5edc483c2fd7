//! The emulator at the other end of a terminal: it reads what a program writes as long as it runs, and answers it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Config, Term, TermMode};
use alacritty_terminal::vte::ansi::{Processor, Rgb};
use nix::poll::{PollFd, PollFlags, poll};

/// How long a synchronized update may last, in milliseconds (mode 2026, as most terminals have it).
const UPDATE: u16 = 150;

/// The emulator, for the one who reads and the one who looks.
#[derive(Clone)]
pub struct Emulated {
    shown: Arc<(Mutex<Shown>, Condvar)>,
    heard: Heard,
}

/// What the terminal shows.
struct Shown {
    term: Term<Heard>,
    parser: Processor,
    /// How many bytes the program has written.
    bytes: u64,
    has_ended: bool,
}

/// What the emulator says beside what it shows.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Words>>);

#[derive(Default)]
struct Words {
    replies: Vec<u8>,
    clipboard: Option<String>,
    title: String,
}

impl EventListener for Heard {
    fn send_event(&self, event: Event) {
        let mut words = self.0.lock().unwrap();
        match event {
            Event::PtyWrite(text) => words.replies.extend(text.bytes()),
            // The background, number 257, is dark, and the rest light.
            Event::ColorRequest(index, form) => {
                let level = if index == 257 { 0x10 } else { 0xd0 };
                let color = Rgb {
                    r: level,
                    g: level,
                    b: level,
                };
                words.replies.extend(form(color).bytes());
            }
            Event::TextAreaSizeRequest(form) => {
                let size = WindowSize {
                    num_lines: 24,
                    num_cols: 80,
                    cell_width: 9,
                    cell_height: 19,
                };
                words.replies.extend(form(size).bytes());
            }
            Event::ClipboardStore(_, text) => words.clipboard = Some(text),
            Event::Title(title) => words.title = title,
            _ => {}
        }
    }
}

/// Columns and rows.
struct Size(u16, u16);

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        self.1.into()
    }

    fn columns(&self) -> usize {
        self.0.into()
    }
}

impl Emulated {
    pub fn new(columns: u16, rows: u16) -> Emulated {
        let heard = Heard::default();
        let shown = Shown {
            term: Term::new(Config::default(), &Size(columns, rows), heard.clone()),
            parser: Processor::new(),
            bytes: 0,
            has_ended: false,
        };
        Emulated {
            shown: Arc::new((Mutex::new(shown), Condvar::new())),
            heard,
        }
    }

    /// Reads until the other end of `stopped` is closed, and then what is left.
    pub fn read(&self, mut side: File, stopped: &OwnedFd) {
        let mut bytes = vec![0; 64 << 10];
        let mut is_stopped = false;
        loop {
            let patience = match (is_stopped, self.is_updating()) {
                (true, _) => 0,
                (false, true) => i32::from(UPDATE),
                (false, false) => -1,
            };
            let descriptor = side.try_clone().unwrap();
            let mut fds = [
                PollFd::new(descriptor.as_fd(), PollFlags::POLLIN),
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            ];
            let both = if is_stopped { 1 } else { 2 };
            let patience = nix::poll::PollTimeout::try_from(patience).unwrap();
            let ready = poll(&mut fds[..both], patience).unwrap_or(0);
            let can_read = fds[0].any().unwrap_or(false);
            if can_read {
                match side.read(&mut bytes) {
                    Ok(count) if count > 0 => {
                        let replies = self.take(&bytes[..count]);
                        // The program may have ended meanwhile.
                        let _ = side.write_all(&replies);
                    }
                    _ => break,
                }
            } else if is_stopped {
                break;
            } else if ready == 0 {
                self.end_update();
            }
            is_stopped |= fds[both - 1].any().unwrap_or(false) && both == 2;
        }
        self.lock().has_ended = true;
        self.shown.1.notify_all();
    }

    /// Takes what a program wrote; what it is to be answered.
    fn take(&self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = self.lock();
        let Shown { term, parser, .. } = &mut *shown;
        parser.advance(term, bytes);
        shown.bytes += bytes.len() as u64;
        drop(shown);
        self.shown.1.notify_all();
        std::mem::take(&mut self.heard.0.lock().unwrap().replies)
    }

    fn is_updating(&self) -> bool {
        self.lock().parser.sync_timeout().sync_timeout().is_some()
    }

    /// Shows what came in an update that did not end in time.
    fn end_update(&self) {
        let mut shown = self.lock();
        let Shown { term, parser, .. } = &mut *shown;
        parser.stop_sync(term);
        drop(shown);
        self.shown.1.notify_all();
    }

    /// Waits until what is shown is so; why it is not, and what is shown instead.
    pub fn until(
        &self,
        end: Instant,
        mut holds: impl FnMut(&str) -> bool,
    ) -> Result<(), (&'static str, String)> {
        let mut shown = self.lock();
        loop {
            let text = shown.text();
            let left = end.saturating_duration_since(Instant::now());
            match (holds(&text), shown.has_ended, left.is_zero()) {
                (true, ..) => return Ok(()),
                (_, true, _) => return Err(("and the program has ended", text)),
                (.., true) => return Err(("in time", text)),
                _ => shown = self.shown.1.wait_timeout(shown, left).unwrap().0,
            }
        }
    }

    /// Waits until more than so many bytes were written, but no longer than that; how many were written.
    pub fn more_than(&self, bytes: u64, patience: Duration) -> u64 {
        let waits = |shown: &mut Shown| shown.bytes <= bytes && !shown.has_ended;
        let waited = self
            .shown
            .1
            .wait_timeout_while(self.lock(), patience, waits);
        waited.unwrap().0.bytes
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.lock().term.resize(Size(columns, rows));
    }

    pub fn text(&self) -> String {
        self.lock().text()
    }

    pub fn mode(&self) -> TermMode {
        *self.lock().term.mode()
    }

    pub fn clipboard(&self) -> Option<String> {
        self.heard.0.lock().unwrap().clipboard.clone()
    }

    pub fn title(&self) -> String {
        self.heard.0.lock().unwrap().title.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.0.lock().unwrap()
    }
}

impl Shown {
    /// The lines, without blanks at their ends.
    fn text(&self) -> String {
        let grid = self.term.grid();
        let mut text = String::new();
        for line in 0..grid.screen_lines() {
            let row = &grid[Line(i32::try_from(line).unwrap())];
            let begin = text.len();
            for column in 0..grid.columns() {
                let cell = &row[Column(column)];
                if !cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                    text.push(cell.c);
                    text.extend(cell.zerowidth().into_iter().flatten());
                }
            }
            let end = begin + text[begin..].trim_end().len();
            text.truncate(end);
            text.push('\n');
        }
        text
    }
}
