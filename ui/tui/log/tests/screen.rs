//! A view of a log in a file, and what it looks like.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Modifier, Style};
use sistemo::machine::LogReader;

use super::super::save::{Results, Saves};
use super::super::{LogAction, LogLook, LogRequest, LogView};

pub(super) struct Screen {
    pub view: LogView,
    pub size: Size,
    pub folder: tempfile::TempDir,
    news: Receiver<()>,
    saves: Saves,
}

impl Screen {
    pub fn new(text: impl AsRef<[u8]>, width: u16, height: u16) -> Screen {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("console.log"), text).unwrap();
        Screen::of(folder, width, height)
    }

    pub fn of(folder: tempfile::TempDir, width: u16, height: u16) -> Screen {
        let (tell, news) = channel();
        let notify = Arc::new(move || {
            let _ = tell.send(());
        });
        let reader = LogReader::open(folder.path().join("console.log")).unwrap();
        let mut view = LogView::of("web", reader, false, notify);
        view.zone = TimeZone::UTC;
        let saves = Saves::default();
        view.results = Results::new(saves.clone());
        let size = Size { width, height };
        let _ = view.refresh(size);
        Screen {
            view,
            size,
            folder,
            news,
            saves,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("console.log")
    }

    pub fn act(&mut self, action: LogAction) -> Vec<LogRequest> {
        self.view.act(action, self.size)
    }

    pub fn acts(&mut self, actions: &[LogAction]) {
        for action in actions {
            let _ = self.act(*action);
        }
    }

    /// Types a text into the prompt and ends it.
    pub fn enter(&mut self, action: LogAction, text: &str) {
        let _ = self.act(action);
        self.type_text(text);
        self.key(KeyCode::Enter);
    }

    pub fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            self.key(KeyCode::Char(letter));
        }
    }

    pub fn key(&mut self, code: KeyCode) {
        assert!(self.view.has_input());
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        let _ = self.view.input_key(key, self.size);
    }

    /// The guest writes more.
    pub fn write(&mut self, text: &str) {
        let path = self.path();
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        self.view.pages.source().grown();
        self.settled();
    }

    /// Waits until the worker has nothing left to do.
    pub fn settled(&mut self) -> Vec<LogRequest> {
        self.view.refresh(self.size);
        let mut requests = Vec::new();
        loop {
            let is_busy = !self.view.pages.source().state().is_counted();
            requests.extend(self.view.refresh(self.size));
            if !is_busy && self.view.seek.is_none() {
                return requests;
            }
            self.wait();
        }
    }

    /// Waits for news.
    pub fn wait(&mut self) -> Vec<LogRequest> {
        let news = self.news.recv_timeout(Duration::from_secs(60));
        news.expect("the worker tells when there is something new");
        self.view.refresh(self.size)
    }

    /// Closes the log, and waits for what comes of saving it.
    pub fn close(self) -> (tempfile::TempDir, Vec<(bool, String)>) {
        drop(self.view);
        loop {
            let told = self.saves.take();
            if !told.is_empty() {
                return (self.folder, told);
            }
            let news = self.news.recv_timeout(Duration::from_secs(60));
            news.expect("what comes of saving is told");
        }
    }

    pub fn buffer(&self) -> Buffer {
        let area = Rect::new(0, 0, self.size.width, self.size.height);
        let mut buffer = Buffer::empty(area);
        self.view.draw(area, &mut buffer, &look());
        buffer
    }

    /// The text of each row.
    pub fn rows(&self) -> Vec<String> {
        let buffer = self.buffer();
        let row = |y: u16| {
            let mut text = String::new();
            let mut hidden = 0;
            for x in 0..self.size.width {
                if hidden > 0 {
                    hidden -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                hidden = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                text += symbol;
            }
            text.trim_end().to_owned()
        };
        (0..self.size.height).map(row).collect()
    }

    pub fn status(&self) -> String {
        self.rows().pop().unwrap()
    }

    /// The text of the line that the cursor is on, without the signs before it.
    pub fn here(&self) -> String {
        let rows = self.rows();
        let row = rows.iter().find(|row| row.starts_with('▌')).unwrap();
        row.chars().skip(2).collect()
    }

    /// The rows, and below them where which style is, but for that of plain text.
    pub fn picture(&self) -> String {
        let mut picture = self.rows().join("\n");
        picture += "\n----\n";
        let buffer = self.buffer();
        for y in 0..self.size.height {
            let mut runs: Vec<(u16, u16, String)> = Vec::new();
            for x in 0..self.size.width {
                let style = said(buffer[(x, y)].style());
                match runs.last_mut() {
                    Some((_, end, last)) if *last == style => *end = x + 1,
                    _ => runs.push((x, x + 1, style)),
                }
            }
            runs.retain(|(_, _, style)| !style.is_empty());
            let runs: Vec<_> = runs
                .iter()
                .map(|(from, to, style)| format!("{from}..{to} {style}"))
                .collect();
            if !runs.is_empty() {
                let _ = writeln!(picture, "{y}: {}", runs.join(", "));
            }
        }
        picture
    }
}

fn said(style: Style) -> String {
    let mut words = Vec::new();
    let reset = [None, Some(Color::Reset)];
    if !reset.contains(&style.fg) {
        words.push(style.fg.unwrap().to_string());
    }
    if !reset.contains(&style.bg) {
        words.push(format!("on {}", style.bg.unwrap()));
    }
    if style.add_modifier != Modifier::empty() {
        words.push(format!("{:?}", style.add_modifier));
    }
    words.join(" ")
}

/// Styles that can be told apart.
pub(super) fn look() -> LogLook {
    LogLook {
        dim: Style::new().dim(),
        time: Style::new().fg(Color::Blue),
        error: Style::new().fg(Color::Red).bold(),
        found: Style::new().bg(Color::Yellow),
        found_here: Style::new().bg(Color::LightYellow).bold(),
        marked: Style::new().bg(Color::Magenta),
        cursor: Style::new().bg(Color::DarkGray),
        bar: Style::new().reversed(),
        bar_strong: Style::new().bold(),
        input: Style::new().underlined(),
        ..LogLook::default()
    }
}
