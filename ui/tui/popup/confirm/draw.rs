//! How a question looks: what it means, the things that it is about, and buttons.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::{Focus, KEEP, Question};
use crate::tui::model::Model;
use crate::tui::popup::dialog::{self, Button};
use crate::tui::popup::field;

/// Columns that a question takes, where there are so many.
const WIDTH: u16 = 64;

/// Where its parts are.
pub(super) struct Parts {
    frame: Rect,
    says: Vec<String>,
    things: Vec<String>,
    text: Rect,
    pub(super) keep: Rect,
    pub(super) input: Rect,
    pub(super) buttons: Rect,
}

impl Question {
    pub(super) fn buttons(&self) -> [Button; 2] {
        let go = self.asking.go;
        [
            Button::new("Cancel"),
            match self.asking.is_danger {
                true => Button::danger(go),
                false => Button::new(go),
            },
        ]
    }

    pub(super) fn parts(&self, area: Rect) -> Parts {
        let columns = dialog::inside(dialog::centred(area, WIDTH, area.height)).width;
        let columns = usize::from(columns);
        let asking = &self.asking;
        let says: Vec<String> = asking
            .says
            .iter()
            .flat_map(|text| dialog::wrapped(text, columns))
            .collect();
        let extra = u16::from(asking.can_keep) + u16::from(asking.typed.is_some());
        // The frame, a blank line where there is room for it, the buttons.
        let around = 2 + extra + 1;
        let room = usize::from(dialog::most_lines(area).saturating_sub(around));
        let room_for_things = room.saturating_sub(says.len()).max(1);
        let indented = columns.saturating_sub(2);
        let things = dialog::listed(&asking.things, indented, room_for_things);
        let text = u16::try_from(says.len() + things.len()).unwrap_or(u16::MAX);
        let blank = u16::from(text.saturating_add(around) < dialog::most_lines(area));
        let height = text.saturating_add(around + blank);
        let frame = dialog::centred(area, WIDTH, height);
        let inside = dialog::inside(frame);
        let mut bottom = inside.bottom();
        let mut line = |wanted: bool| {
            let height = u16::from(wanted && bottom > inside.y);
            bottom -= height;
            Rect {
                y: bottom,
                height,
                ..inside
            }
        };
        let buttons = line(true);
        let input = line(asking.typed.is_some());
        let keep = line(asking.can_keep);
        Parts {
            frame,
            says,
            things,
            text: Rect {
                height: bottom - inside.y,
                ..inside
            },
            keep,
            input,
            buttons,
        }
    }

    pub(super) fn draw_in(
        &self,
        model: &Model,
        area: Rect,
        buffer: &mut Buffer,
    ) -> Option<Position> {
        let parts = self.parts(area);
        let (theme, glyphs) = (&model.theme, model.theme.glyphs());
        dialog::frame(model, parts.frame, &self.asking.title, buffer);
        let says = parts
            .says
            .iter()
            .map(|line| Line::styled(line.clone(), theme.style("popup")));
        let things = parts.things.iter();
        let things =
            things.map(|line| Line::styled(format!("  {line}"), theme.style("text.strong")));
        for (line, y) in says.chain(things).zip(parts.text.y..parts.text.bottom()) {
            line.render(
                Rect {
                    y,
                    height: 1,
                    ..parts.text
                },
                buffer,
            );
        }
        if parts.keep.height > 0 {
            let many = if self.tasks.len() > 1 { "s" } else { "" };
            let sign = if self.keeps() { glyphs.check } else { " " };
            let pointer = if self.focus == Focus::Keep {
                glyphs.selected
            } else {
                " "
            };
            let scope = if self.focus == Focus::Keep {
                "popup.selected"
            } else {
                "popup"
            };
            let text = format!("{pointer}[{sign}] {KEEP}{many} (k)");
            Line::styled(text, theme.style(scope)).render(parts.keep, buffer);
        }
        let mut cursor = None;
        if let (Some(typed), true) = (&self.asking.typed, parts.input.height > 0) {
            let says = match self.is_refused {
                true => format!("{} type {typed}: ", glyphs.cross),
                false => format!("type {typed} to go on: "),
            };
            let scope = if self.is_refused {
                "input.error"
            } else {
                "input.hint"
            };
            let label = u16::try_from(says.width())
                .unwrap_or(u16::MAX)
                .min(parts.input.width);
            let span = Span::styled(says, theme.style(scope));
            Line::from(span).render(parts.input, buffer);
            let field = Rect {
                x: parts.input.x + label,
                width: parts.input.width - label,
                ..parts.input
            };
            let at = field::draw_input(model, &self.input, field, buffer);
            cursor = (self.focus == Focus::Input).then_some(at);
        }
        let focus = match self.focus {
            Focus::Cancel => Some(0),
            Focus::Go => Some(1),
            Focus::Input | Focus::Keep => None,
        };
        dialog::draw_buttons(model, parts.buttons, &self.buttons(), focus, buffer);
        cursor
    }
}
