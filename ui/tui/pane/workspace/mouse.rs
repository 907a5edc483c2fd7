//! The mouse: it gives panes the keys, selects, scrolls, drags borders, chooses tabs; or it is the guest's.

use std::time::{Duration, Instant};

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::super::emulator::{Kind, Mouse};
use super::super::layout::PaneId;
use super::super::view::tabs;
use super::{Mode, Request, Workspace, content};

/// Lines that one notch of the wheel scrolls.
const NOTCH: i32 = 3;
/// Clicks that follow each other so soon at the same place are one double or triple click.
const TOGETHER: Duration = Duration::from_millis(400);

/// What the mouse does at the moment.
#[derive(Debug, Default)]
pub(super) struct Hand {
    holds: Holds,
    clicked: Option<Click>,
}

#[derive(Debug, Default)]
enum Holds {
    #[default]
    Nothing,
    /// A border, by the path to its split.
    Border(Vec<bool>),
    /// The end of a selection, which has been moved or not.
    Selection(PaneId, bool),
    /// A button that the guest was told of.
    Guests(PaneId),
}

#[derive(Clone, Copy, Debug)]
struct Click {
    at: Position,
    when: Instant,
    count: u8,
}

impl Hand {
    /// Whether a border is being moved.
    pub(super) fn drags(&self) -> bool {
        matches!(self.holds, Holds::Border(_))
    }

    /// Counts a click: 1, 2, 3, and 1 again.
    fn click(&mut self, at: Position, now: Instant) -> u8 {
        let before = self.clicked.filter(|click| {
            click.at == at && now.saturating_duration_since(click.when) <= TOGETHER
        });
        let count = before.map_or(1, |click| click.count % 3 + 1);
        self.clicked = Some(Click {
            at,
            when: now,
            count,
        });
        count
    }
}

impl Workspace {
    /// Something was done with the mouse, anywhere on the screen.
    pub(crate) fn mouse(&mut self, event: MouseEvent, now: Instant) -> Vec<Request> {
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(button) => self.pressed(button, &event, at, now),
            MouseEventKind::Drag(_) => self.dragged(&event, at),
            MouseEventKind::Up(_) => self.released(&event),
            MouseEventKind::Moved => {}
            MouseEventKind::ScrollUp
            | MouseEventKind::ScrollDown
            | MouseEventKind::ScrollLeft
            | MouseEventKind::ScrollRight => self.scrolled(&event, at),
        }
        self.settle()
    }

    fn pressed(&mut self, button: MouseButton, event: &MouseEvent, at: Position, now: Instant) {
        self.hand.holds = Holds::Nothing;
        if matches!(
            self.mode,
            Mode::Confirm(_) | Mode::Rename(_) | Mode::Prefix(_)
        ) {
            self.set_mode(Mode::Typing);
        }
        let [line, body] = self.parts(self.area);
        if line.contains(at) {
            if let Some(tab) = tabs::at(self, line, at.x) {
                self.set_mode(Mode::Typing);
                self.layout.select_tab(tab);
            }
            return;
        }
        let placed = self.layout.placed(body);
        let border = placed.border_at(at).filter(|_| button == MouseButton::Left);
        if let Some(border) = border {
            self.hand.holds = Holds::Border(border.path.clone());
        }
        let Some((pane, place)) = placed.pane_at(at) else {
            return;
        };
        self.focus_on(pane);
        if content(place).contains(at) {
            self.pressed_in(pane, content(place), button, event, now);
        }
    }

    fn pressed_in(
        &mut self,
        pane: PaneId,
        place: Rect,
        button: MouseButton,
        event: &MouseEvent,
        now: Instant,
    ) {
        let at = Position::new(event.column, event.row);
        let count = self.hand.click(at, now);
        let Some(session) = self.panes.get(&pane).and_then(|pane| pane.session.as_ref()) else {
            return;
        };
        let (column, line) = (at.x - place.x, at.y - place.y);
        let mut emulator = session.emulator();
        if let Mouse::Guest(bytes) = emulator.mouse(event, column, line) {
            drop(emulator);
            session.send(&bytes);
            self.hand.holds = Holds::Guests(pane);
            return;
        }
        match button {
            MouseButton::Left => {
                let link = emulator
                    .link_at(column, line)
                    .filter(|_| event.modifiers.contains(KeyModifiers::CONTROL));
                if let Some(link) = link {
                    drop(emulator);
                    self.keep_copied(link);
                    return;
                }
                let kind = match count {
                    _ if event.modifiers.contains(KeyModifiers::ALT) => Kind::Block,
                    1 => Kind::Simple,
                    2 => Kind::Word,
                    _ => Kind::Line,
                };
                emulator.begin_selection(kind, column, line);
                drop(emulator);
                self.hand.holds = Holds::Selection(pane, count > 1);
            }
            MouseButton::Middle => {
                drop(emulator);
                if let Some(text) = self.copied.clone() {
                    self.paste_text(&text);
                }
            }
            MouseButton::Right => {}
        }
    }

    fn dragged(&mut self, event: &MouseEvent, at: Position) {
        let body = self.body();
        match &mut self.hand.holds {
            Holds::Nothing => {}
            Holds::Border(path) => {
                self.layout.drag(path, (at.x, at.y), body);
            }
            Holds::Guests(pane) => {
                let pane = *pane;
                self.to_guest(pane, event);
            }
            Holds::Selection(pane, moved) => {
                let pane = *pane;
                *moved = true;
                let Some((place, session)) = self.place_of(pane) else {
                    return;
                };
                let mut emulator = session.emulator();
                // Beyond the edge it goes on to what is out of sight.
                if at.y < place.y {
                    emulator.scroll(1);
                } else if at.y >= place.bottom() {
                    emulator.scroll(-1);
                }
                let inside = nearest(at, place);
                emulator.extend_selection(inside.x - place.x, inside.y - place.y);
            }
        }
    }

    fn released(&mut self, event: &MouseEvent) {
        match std::mem::take(&mut self.hand.holds) {
            Holds::Nothing | Holds::Border(_) => {}
            Holds::Guests(pane) => self.to_guest(pane, event),
            Holds::Selection(pane, moved) => {
                let Some((_, session)) = self.place_of(pane) else {
                    return;
                };
                let mut emulator = session.emulator();
                let text = emulator.selected_text().filter(|_| moved);
                if text.is_none() {
                    emulator.clear_selection();
                }
                drop(emulator);
                if let Some(text) = text {
                    self.keep_copied(text);
                }
            }
        }
    }

    fn scrolled(&mut self, event: &MouseEvent, at: Position) {
        let placed = self.layout.placed(self.body());
        let Some((pane, _)) = placed.pane_at(at) else {
            return;
        };
        let Some((place, session)) = self.place_of(pane) else {
            return;
        };
        let inside = nearest(at, place);
        let mut emulator = session.emulator();
        match emulator.mouse(event, inside.x - place.x, inside.y - place.y) {
            Mouse::Guest(bytes) => {
                drop(emulator);
                session.send(&bytes);
            }
            Mouse::Ours => match event.kind {
                MouseEventKind::ScrollUp => emulator.scroll(NOTCH),
                MouseEventKind::ScrollDown => emulator.scroll(-NOTCH),
                _ => {}
            },
        }
    }

    /// Tells a guest of what is done with a button that it was told of.
    fn to_guest(&self, pane: PaneId, event: &MouseEvent) {
        if let Some((place, session)) = self.place_of(pane) {
            let inside = nearest(Position::new(event.column, event.row), place);
            let (column, line) = (inside.x - place.x, inside.y - place.y);
            let told = session.emulator().mouse(event, column, line);
            if let Mouse::Guest(bytes) = told {
                session.send(&bytes);
            }
        }
    }

    /// Where the terminal of a pane is seen.
    fn place_of(&self, pane: PaneId) -> Option<(Rect, &super::Session)> {
        let place = content(self.layout.placed(self.body()).of(pane)?);
        let session = self.panes.get(&pane)?.session.as_ref()?;
        (!place.is_empty()).then_some((place, session))
    }
}

/// The place within an area that is nearest.
fn nearest(at: Position, area: Rect) -> Position {
    Position::new(
        at.x.clamp(area.left(), area.right().saturating_sub(1).max(area.left())),
        at.y.clamp(area.top(), area.bottom().saturating_sub(1).max(area.top())),
    )
}
