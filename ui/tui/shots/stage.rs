//! A console on a stage: the real model, driven by the keys that a user presses, and drawn into a buffer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use sistemo::guest::client::Exit;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::ink::{Palette, Rgb};
use super::state::{self, State};
use super::svg;
use crate::shell::{Broken, Ends, Transport};
use crate::tui::effect::Effect;
use crate::tui::keymap::{Key, Keymap, Overrides};
use crate::tui::log::Saves;
use crate::tui::message::Message;
use crate::tui::model::logs::Logs;
use crate::tui::model::themes::Themes;
use crate::tui::model::{Clock, Model, Start};
use crate::tui::pane::Workspace;
use crate::tui::remembered::Remembered;
use crate::tui::settings;
use crate::tui::task::Failure;
use crate::tui::theme::{Depth, Glyphs, Kind};
use crate::tui::update::update;
use crate::tui::view;

/// How long what other threads do may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What programs wrote on terminals of 60 and of 59 columns and 38 rows: vim for the machine `web`, and a shell for `db`.
const VIM: &[u8] = include_bytes!("recordings/vim.bytes");
const SHELL: &[u8] = include_bytes!("recordings/shell.bytes");

/// Guests whose shells say what was recorded, and nothing more.
struct Recorded {
    /// The identifier of the machine that runs vim.
    editor: String,
    /// Told when one has said all.
    said: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl Transport for Recorded {
    async fn shell(&self, machine: &str, mut ends: Ends) -> Result<Exit, Broken> {
        let _ = ends.entered.send(());
        let bytes = if machine == self.editor { VIM } else { SHELL };
        let written = ends.output.write_all(bytes).await;
        written.expect("the terminal takes all that it is given");
        let _ = self.said.send(());
        std::future::pending().await
    }
}

/// The console.
pub(super) struct Stage {
    model: Model,
    news: mpsc::UnboundedReceiver<Message>,
    said: mpsc::UnboundedReceiver<()>,
}

impl Stage {
    pub(super) fn new(state: &State, theme: &str, (columns, rows): (u16, u16)) -> Stage {
        let (send, news) = mpsc::unbounded_channel();
        let (say, said) = mpsc::unbounded_channel();
        let notify = |message: fn() -> Message| {
            let send = send.clone();
            Arc::new(move || drop(send.send(message())))
        };
        let machines = state.engine.machines().clone();
        let world = state.world();
        let editor = world.machine("web").unwrap().id.clone();
        let mut settings = settings::read(state.engine.config()).settings;
        settings.theme = theme.into();
        let mut model = Model::new(Start {
            size: (columns, rows),
            keymap: Keymap::new(Key::PREFIX, &Overrides::new()).unwrap(),
            settings,
            config: state.engine.config().clone(),
            themes: Themes {
                depth: Depth::True,
                glyphs: Glyphs::unicode(),
                folders: Vec::new(),
                background: Kind::Dark,
            },
            workspace: Workspace::new(
                Arc::new(Recorded { editor, said: say }),
                notify(|| Message::Panes),
                1000,
            ),
            remembered: Remembered::default(),
            logs: Logs {
                open: Arc::new(move |machine, previous| {
                    let opened = machines.logs(machine, previous);
                    opened.map_err(|error| Failure::from(&error))
                }),
                notify: notify(|| Message::Log),
                saves: Saves::default(),
            },
        });
        model.clock = Clock {
            now: state::NOW.parse().unwrap(),
            zone: TimeZone::UTC,
            instant: Instant::now(),
        };
        let mut stage = Stage { model, news, said };
        let readings: Vec<_> = state::readings(&world).collect();
        stage.hears(Message::Host(state::host()));
        stage.hears(Message::World(Ok(Box::new(world))));
        for reading in readings {
            stage.hears(Message::Stats(reading));
        }
        stage
    }

    /// Takes a message, and leaves undone what it has as an effect, but for the opening of logs.
    fn hears(&mut self, message: Message) {
        for effect in update(&mut self.model, message) {
            if let Effect::OpenLog { machine, previous } = effect {
                let console = (self.model.logs.open)(&machine, previous);
                self.hears(Message::LogOpened {
                    machine,
                    previous,
                    console,
                });
            }
        }
    }

    /// Presses keys, parted by blanks.
    pub(super) fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let key: Key = key.parse().unwrap();
            self.hears(Message::Key(key.event()));
        }
    }

    /// Types text.
    pub(super) fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.hears(Message::Key(crossterm::event::KeyCode::Char(c).into()));
        }
    }

    /// Waits until a line of the screen holds `text`.
    pub(super) async fn sees(&mut self, text: &str) {
        self.until(text, |shown| shown.contains(text)).await;
    }

    /// Waits until a guest has said all, and it is shown.
    pub(super) async fn hears_a_guest(&mut self) {
        let said = tokio::time::timeout(PATIENCE, self.said.recv()).await;
        said.expect("a guest says something in time");
        self.until("a shell", |shown| !shown.contains("connecting"))
            .await;
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        loop {
            let shown = self.text();
            if holds(&shown) {
                return;
            }
            let news = tokio::time::timeout(PATIENCE, self.news.recv()).await;
            let Ok(Some(message)) = news else {
                panic!("no {what:?} in time:\n{shown}");
            };
            self.hears(message);
        }
    }

    fn buffer(&self) -> Buffer {
        let (columns, rows) = self.model.size;
        let area = Rect::new(0, 0, columns, rows);
        let mut buffer = Buffer::empty(area);
        let cursor = view::draw(&self.model, area, &mut buffer);
        if let Some(cell) = cursor.and_then(|cursor| buffer.cell_mut(cursor.at)) {
            cell.modifier.toggle(Modifier::REVERSED);
        }
        buffer
    }

    fn text(&self) -> String {
        let buffer = self.buffer();
        let rows = buffer.content.chunks(usize::from(buffer.area.width));
        let lines: Vec<String> = rows
            .map(|row| row.iter().map(|cell| cell.symbol()).collect())
            .collect();
        lines.join("\n")
    }

    /// The screen as a picture.
    pub(super) fn picture(&self) -> String {
        svg::svg(&self.buffer(), "sistemo", &self.palette())
    }

    /// What stands for the terminal's own colours: those that the theme gives to guests, else a terminal's of its kind.
    fn palette(&self) -> Palette {
        let theme = &self.model.theme;
        let mut palette = match theme.kind() {
            Kind::Dark => Palette::default(),
            Kind::Light => Palette {
                foreground: Rgb(0x24, 0x24, 0x24),
                background: Rgb(0xfc, 0xfc, 0xfc),
                ..Palette::default()
            },
        };
        let guest = theme.guest();
        let rgb = |color: Color| match color {
            Color::Rgb(red, green, blue) => Some(Rgb(red, green, blue)),
            _ => None,
        };
        palette.foreground = rgb(guest.foreground).unwrap_or(palette.foreground);
        palette.background = rgb(guest.background).unwrap_or(palette.background);
        for (own, color) in palette.ansi.iter_mut().zip(guest.ansi) {
            *own = rgb(color).unwrap_or(*own);
        }
        palette
    }
}
