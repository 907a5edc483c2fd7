//! The question before the program ends: what is being done is taken back, and shells end.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::dialog::{self, Button};
use super::{Popup, Step};
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::view::text::harmless;

const WIDTH: u16 = 60;

#[derive(Debug)]
struct Quitting {
    says: Vec<String>,
    /// Whether the button with the focus is the one that ends it.
    goes: bool,
}

/// Nothing, when nothing ends with the program.
pub(super) fn question(model: &Model) -> Option<Box<dyn Popup>> {
    let says = ends(model);
    (!says.is_empty()).then(|| Box::new(Quitting { says, goes: false }) as Box<dyn Popup>)
}

/// What ends with the program.
fn ends(model: &Model) -> Vec<String> {
    let running = &model.tasks.running;
    let mut says: Vec<String> = running
        .iter()
        .map(|running| format!("{}: it is taken back", running.task.title()))
        .collect();
    let shells = model.workspace.live_panes();
    match shells.len() {
        0 => {}
        1 => says.push(format!("the shell in {} ends", shells[0])),
        count => says.push(format!("{count} shells end, and what runs in them")),
    }
    says
}

impl Quitting {
    fn buttons() -> [Button; 2] {
        [Button::new("Stay"), Button::danger("Quit")]
    }

    fn parts(&self, area: Rect) -> (Rect, Vec<String>, Rect) {
        let width = usize::from(dialog::inside(dialog::centred(area, WIDTH, area.height)).width);
        let room = usize::from(dialog::most_lines(area).saturating_sub(4));
        let says: Vec<String> = self
            .says
            .iter()
            .map(|line| harmless(line).into_owned())
            .collect();
        let lines = dialog::listed(&says, width, room.max(1));
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(4);
        let frame = dialog::centred(area, WIDTH, height);
        let inside = dialog::inside(frame);
        let buttons = Rect {
            y: inside.bottom().saturating_sub(1),
            height: inside.height.min(1),
            ..inside
        };
        (frame, lines, buttons)
    }
}

fn quit() -> Vec<Step> {
    vec![
        Step::Close,
        Step::Effect(Effect::Remember),
        Step::Effect(Effect::Quit),
    ]
}

impl Popup for Quitting {
    fn key(&mut self, key: KeyEvent, _model: &Model) -> Vec<Step> {
        match key.code {
            KeyCode::Char('y' | 'Y') => quit(),
            KeyCode::Enter | KeyCode::Char(' ') if self.goes => quit(),
            KeyCode::Left
            | KeyCode::Right
            | KeyCode::Tab
            | KeyCode::BackTab
            | KeyCode::Char('h' | 'l') => {
                self.goes = !self.goes;
                Vec::new()
            }
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('n' | 'N' | 'q' | ' ') => {
                vec![Step::Close]
            }
            _ => Vec::new(),
        }
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        if event.kind != MouseEventKind::Down(MouseButton::Left) {
            return Vec::new();
        }
        let (_, _, line) = self.parts(Rect::new(0, 0, model.size.0, model.size.1));
        match dialog::button_at(
            line,
            &Quitting::buttons(),
            Position::new(event.column, event.row),
        ) {
            Some(0) => vec![Step::Close],
            Some(_) => quit(),
            None => Vec::new(),
        }
    }

    fn refresh(&mut self, model: &Model) {
        self.says = ends(model);
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let (frame, lines, buttons) = self.parts(area);
        let inside = dialog::frame(model, frame, "Quit?", buffer);
        for (line, y) in lines.into_iter().zip(inside.y..buttons.y) {
            let place = Rect {
                y,
                height: 1,
                ..inside
            };
            Line::styled(line, model.theme.style("popup")).render(place, buffer);
        }
        let focus = Some(usize::from(self.goes));
        dialog::draw_buttons(model, buttons, &Quitting::buttons(), focus, buffer);
        None
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("y", "quit"), ("n", "stay"), ("tab", "next")]
    }
}
