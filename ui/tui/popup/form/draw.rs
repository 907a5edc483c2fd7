//! How a form looks: labels and fields, what is wrong under its field, the command that does the same, and buttons. What
//! has no room is scrolled to, so that the field with the focus is always there.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::field::{Field, Kind};
use super::parts::{Parts, Row, SMALL};
use super::{Focus, Form};
use crate::tui::model::Model;
use crate::tui::popup::{dialog, field};
use crate::tui::view::text::{fitted, harmless};

const LEAVE: &str = "Throw away what you have typed?";
/// Before what could be in a field: the key that chooses.
const CHOOSE: &str = "Ctrl-n: ";

impl Form {
    pub(super) fn draw_in(
        &self,
        model: &Model,
        area: Rect,
        buffer: &mut Buffer,
    ) -> Option<Position> {
        let parts = self.parts(model, area);
        let theme = &model.theme;
        dialog::frame(model, parts.frame, &self.content.title(), buffer);
        let mut cursor = None;
        let shown = parts.rows.iter().skip(parts.top);
        for (row, y) in shown.zip(parts.fields.y..parts.fields.bottom()) {
            let line = Rect {
                y,
                height: 1,
                ..parts.fields
            };
            match row {
                Row::Field(at) => {
                    let at_cursor = self.draw_field(model, *at, parts.label, line, buffer);
                    cursor = cursor.or(at_cursor);
                }
                Row::Wrong { text, is_first } => {
                    let sign = if *is_first { theme.glyphs().cross } else { " " };
                    let text = format!("{:1$}{sign} {text}", "", usize::from(parts.label));
                    Line::styled(text, theme.style("input.error")).render(line, buffer);
                }
                Row::Note(text) => {
                    Line::styled(text.clone(), theme.style("text.dim")).render(line, buffer);
                }
            }
        }
        self.draw_more(model, &parts, buffer);
        if self.is_leaving {
            Line::styled(LEAVE, theme.style("text.strong")).render(parts.help, buffer);
        } else {
            self.draw_help(model, parts.help, buffer);
        }
        let is_small = area.height < SMALL;
        let command = self.command(model, usize::from(parts.command.width), is_small);
        for (text, y) in command
            .into_iter()
            .zip(parts.command.y..parts.command.bottom())
        {
            let line = Rect {
                y,
                height: 1,
                ..parts.command
            };
            Line::styled(text, theme.style("text.dim")).render(line, buffer);
        }
        let focus = match self.focus {
            _ if self.is_leaving => None,
            Focus::Go => Some(0),
            Focus::Cancel => Some(1),
            Focus::Field(_) => None,
        };
        dialog::draw_buttons(model, parts.buttons, &self.buttons(), focus, buffer);
        cursor.filter(|_| !self.is_leaving)
    }

    /// Says in the frame that there is more above or below.
    fn draw_more(&self, model: &Model, parts: &Parts, buffer: &mut Buffer) {
        let glyphs = model.theme.glyphs();
        let x = parts.frame.right().saturating_sub(1);
        let style = model.theme.style("border.focused");
        let below = parts.top + usize::from(parts.fields.height) < parts.rows.len();
        for (is_there, sign, y) in [
            (parts.top > 0, glyphs.up, parts.fields.y),
            (below, glyphs.down, parts.fields.bottom().saturating_sub(1)),
        ] {
            if is_there && parts.fields.height > 0 {
                buffer.set_string(x, y, sign, style);
            }
        }
    }

    fn draw_field(
        &self,
        model: &Model,
        at: usize,
        label: u16,
        line: Rect,
        buffer: &mut Buffer,
    ) -> Option<Position> {
        let (theme, glyphs) = (&model.theme, model.theme.glyphs());
        let field = &self.fields[at];
        let is_focused = self.focus == Focus::Field(at);
        let pointer = if is_focused { glyphs.selected } else { " " };
        let scope = if is_focused {
            "popup.selected"
        } else {
            "popup"
        };
        let name = Rect {
            width: label.saturating_sub(1).min(line.width),
            ..line
        };
        Line::from(format!("{pointer} {}", field.label))
            .style(theme.style(scope))
            .render(name, buffer);
        let label = label.min(line.width);
        let place = Rect {
            x: line.x + label,
            width: line.width - label,
            ..line
        };
        match &field.kind {
            Kind::Text { input, .. } => {
                let at = field::draw_input(model, input, place, buffer);
                self.draw_rest(model, field, is_focused, at, place, buffer);
                is_focused.then_some(at)
            }
            Kind::Choice { options, at } => {
                let room = usize::from(place.width)
                    .saturating_sub(glyphs.left.width() + glyphs.right.width() + 2);
                let says = options.get(*at).map_or("", |option| &option.says);
                let says = fitted(&harmless(says), room, glyphs.ellipsis);
                let text = match options.len() {
                    0 | 1 => says,
                    _ => format!("{} {says} {}", glyphs.left, glyphs.right),
                };
                Line::styled(text, theme.style(scope)).render(place, buffer);
                None
            }
            Kind::Toggle { is_on } => {
                let sign = if *is_on { glyphs.check } else { " " };
                Line::styled(format!("[{sign}]"), theme.style(scope)).render(place, buffer);
                None
            }
        }
    }

    /// What is behind the cursor: the rest of what Tab completes, or what an empty field stands for.
    fn draw_rest(
        &self,
        model: &Model,
        field: &Field,
        is_focused: bool,
        at: Position,
        place: Rect,
        buffer: &mut Buffer,
    ) {
        let completion = self.completion().filter(|_| is_focused);
        let rest = match (completion, field.piece()) {
            (Some(whole), Some(piece)) => whole.strip_prefix(piece.trim_start()).map(str::to_owned),
            _ if field.value().is_empty() => {
                let usual = self.content.usual(field.key, self.values(), model);
                usual.map(|usual| format!("({usual})"))
            }
            _ => None,
        };
        if let Some(rest) = rest {
            let room = usize::from(place.right().saturating_sub(at.x));
            let rest = fitted(&harmless(&rest), room, model.theme.glyphs().ellipsis);
            buffer.set_stringn(at.x, at.y, rest, room, model.theme.style("input.hint"));
        }
    }

    /// A line about the field, and one about what could be in it.
    fn draw_help(&self, model: &Model, place: Rect, buffer: &mut Buffer) {
        let Some(field) = self.focused() else {
            return;
        };
        let (theme, glyphs) = (&model.theme, model.theme.glyphs());
        let width = usize::from(place.width);
        let offers = self.offered(width, glyphs.separator);
        // In a single line one chooses from what is there, or reads what could be typed when there is nothing.
        let room = usize::from(place.height).saturating_sub(usize::from(offers.is_some()));
        let mut lines = match room {
            0 => Vec::new(),
            room => dialog::wrapped_in(field.hint, width, room, glyphs.ellipsis),
        };
        lines.extend(offers);
        for (text, y) in lines.into_iter().zip(place.y..place.bottom()) {
            let line = Rect {
                y,
                height: 1,
                ..place
            };
            Line::from(Span::styled(text, theme.style("input.hint"))).render(line, buffer);
        }
    }

    /// What could be in the field, as far as there is room: from the first on, or as many as end with the one picked.
    fn offered(&self, width: usize, separator: &str) -> Option<String> {
        let picked = if self.is_picked { self.offer } else { 0 };
        let room = width.saturating_sub(CHOOSE.width());
        (0..=picked).find_map(|from| {
            let mut line = String::new();
            let mut shown = from;
            for offer in self.offers.get(from..)? {
                let offer = harmless(offer);
                let gap = match line.is_empty() {
                    true => String::new(),
                    false => format!(" {separator} "),
                };
                if line.width() + gap.width() + offer.width() > room {
                    break;
                }
                line = format!("{line}{gap}{offer}");
                shown += 1;
            }
            (shown > picked).then(|| format!("{CHOOSE}{line}"))
        })
    }
}
