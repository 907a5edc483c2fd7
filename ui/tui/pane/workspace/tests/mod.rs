//! What users do in the workspace, as sequences of events, with machines that the test plays.

mod more;
mod panes;
mod storm;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use tokio::sync::{mpsc, watch};

use super::super::action::PaneAction as A;
use super::super::layout::Axis;
use super::super::look::PaneLook;
use super::super::session::tests::fake::{Fake, Guest, machine, notices, until};
use super::super::session::{MachineState, State};
use super::super::view::CursorPlace;
use super::*;

/// A workspace at work.
pub struct Bench {
    pub workspace: Workspace,
    pub guests: mpsc::UnboundedReceiver<Guest>,
    pub notices: watch::Receiver<u64>,
    pub area: Rect,
    pub now: Instant,
}

impl Bench {
    pub fn new(columns: u16, lines: u16) -> Bench {
        let (fake, guests) = Fake::new();
        let (notify, notices) = notices();
        let mut workspace = Workspace::new(fake, notify, 1000);
        let area = Rect::new(0, 0, columns, lines);
        workspace.resize(area);
        workspace.show(true);
        Bench {
            workspace,
            guests,
            notices,
            area,
            now: Instant::now(),
        }
    }

    /// One with a live shell in `web`.
    pub async fn live(columns: u16, lines: u16) -> (Bench, Guest) {
        let mut bench = Bench::new(columns, lines);
        bench
            .workspace
            .open(machine("web", MachineState::Running), Place::Tab);
        let guest = bench.guest().await;
        (bench, guest)
    }

    /// The next shell, as soon as it lives.
    pub async fn guest(&mut self) -> Guest {
        let mut guest = self.guests.recv().await.unwrap();
        guest.enter();
        let workspace = &self.workspace;
        let id = &guest.machine;
        let mut panes = workspace.panes.values();
        let all = || {
            workspace
                .panes
                .values()
                .filter(|pane| pane.machine.id == *id)
        };
        assert!(panes.any(|pane| pane.machine.id == *id));
        until(&mut self.notices, || {
            all().all(|pane| pane.session.is_none() || pane.state() == State::Live)
        })
        .await;
        guest
    }

    pub async fn split(&mut self, action: A) -> Guest {
        self.workspace.act(action);
        self.guest().await
    }

    /// Presses keys: characters, or names of crokey's in `<>`.
    pub fn press(&mut self, keys: &str) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut rest = keys;
        while let Some(char) = rest.chars().next() {
            let key = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((name, after)) => {
                    rest = after;
                    name.parse::<crokey::KeyCombination>().unwrap().into()
                }
                None => {
                    rest = &rest[char.len_utf8()..];
                    let shift = char.is_uppercase();
                    let modifiers = if shift {
                        KeyModifiers::SHIFT
                    } else {
                        KeyModifiers::NONE
                    };
                    KeyEvent::new(KeyCode::Char(char), modifiers)
                }
            };
            requests.extend(self.workspace.key(key, self.now));
        }
        requests.retain(|request| *request != Request::Remember);
        requests
    }

    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Request> {
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let mut requests = self.workspace.mouse(event, self.now);
        requests.retain(|request| *request != Request::Remember);
        requests
    }

    pub fn click(&mut self, column: u16, row: u16) -> Vec<Request> {
        let mut requests = self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
        requests.extend(self.mouse(MouseEventKind::Up(MouseButton::Left), column, row));
        requests
    }

    fn drag(&mut self, from: (u16, u16), to: (u16, u16)) -> Vec<Request> {
        self.mouse(MouseEventKind::Down(MouseButton::Left), from.0, from.1);
        self.mouse(MouseEventKind::Drag(MouseButton::Left), to.0, to.1);
        self.mouse(MouseEventKind::Up(MouseButton::Left), to.0, to.1)
    }

    pub fn machine_is(&mut self, name: &str, state: MachineState) {
        self.workspace.machines(&[machine(name, state)]);
    }

    pub async fn all_are(&mut self, state: State) {
        let panes = &self.workspace.panes;
        until(&mut self.notices, || {
            panes.values().all(|pane| pane.state() == state)
        })
        .await;
    }

    pub fn draw(&self) -> (Buffer, Option<CursorPlace>) {
        self.draw_as(&PaneLook::default())
    }

    pub fn draw_as(&self, look: &PaneLook) -> (Buffer, Option<CursorPlace>) {
        let mut buffer = Buffer::empty(self.area);
        let cursor = self.workspace.draw(self.area, &mut buffer, look);
        (buffer, cursor)
    }

    /// Width of the panes of the tab, from left to right.
    fn widths(&self) -> Vec<u16> {
        let placed = self.workspace.layout.placed(self.workspace.body());
        placed.panes.iter().map(|(_, place)| place.width).collect()
    }
}

/// The characters of a buffer, line by line.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| {
        let mut line = String::new();
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol))
                .unwrap()
                .max(1);
        }
        line.truncate(line.trim_end().len());
        line
    };
    (area.top()..area.bottom())
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}
