//! How a form looks: labels and fields, what is wrong under its field, the command that does the same, and buttons. What
//! has no room is scrolled to, so that the field with the focus is always there.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::field::{Field, Kind};
use super::{Focus, Form};
use crate::tui::model::Model;
use crate::tui::popup::{dialog, field};
use crate::tui::view::text::{fitted, harmless};

/// Columns that a form takes, where there are so many.
const WIDTH: u16 = 78;
/// Screens of fewer lines are small: one line of help and one of the command.
const SMALL: u16 = 18;
/// The most lines that say what is wrong with a field.
const WRONG: usize = 2;
const LEAVE: &str = "Throw away what you have typed?";

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Button(usize),
    /// A field, and the column in it.
    Field(usize, usize),
}

/// A line of the form's scrolled part.
enum Row {
    Field(usize),
    Wrong(String),
    Note(String),
}

/// Where its parts are.
struct Parts {
    frame: Rect,
    /// The scrolled part, and the first row of it that is shown.
    fields: Rect,
    rows: Vec<Row>,
    top: usize,
    /// Columns of the labels, with the blank behind them.
    label: u16,
    help: Rect,
    command: Rect,
    buttons: Rect,
}

impl Form {
    fn rows(&self, model: &Model, label: u16, width: u16) -> Vec<Row> {
        let ellipsis = model.theme.glyphs().ellipsis;
        let columns = usize::from(width.saturating_sub(label + 2));
        let mut rows = Vec::new();
        for at in self.shown() {
            rows.push(Row::Field(at));
            if let Some(wrong) = self.wrong(&self.fields[at]) {
                let lines = dialog::wrapped_in(&harmless(&wrong.why), columns, WRONG, ellipsis);
                rows.extend(lines.into_iter().map(Row::Wrong));
            }
        }
        for note in self.content.notes(self.values(), model) {
            let lines = dialog::wrapped_in(&harmless(&note), usize::from(width), 3, ellipsis);
            rows.extend(lines.into_iter().map(Row::Note));
        }
        rows
    }

    fn parts(&self, model: &Model, area: Rect) -> Parts {
        let is_small = area.height < SMALL;
        let width = dialog::inside(dialog::centred(area, WIDTH, area.height)).width;
        let labels = self
            .shown()
            .into_iter()
            .map(|at| self.fields[at].label.width());
        // A sign, a blank, the label, two blanks.
        let label = u16::try_from(labels.max().unwrap_or(0) + 4).unwrap_or(width);
        let rows = self.rows(model, label, width);
        let command_lines = self.command(model, usize::from(width), is_small).len();
        let command_lines = u16::try_from(command_lines).unwrap_or(0);
        let help_lines = if is_small { 1 } else { 2 };
        let gap = u16::from(!is_small);
        let wanted = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        let around = 2 + gap + help_lines + command_lines + gap + 1;
        let frame = dialog::centred(area, WIDTH, wanted.saturating_add(around));
        let inside = dialog::inside(frame);
        let mut bottom = inside.bottom();
        let mut lines = |wanted: u16, gap: u16| {
            let height = wanted.min(bottom - inside.y);
            bottom -= height;
            let part = Rect {
                y: bottom,
                height,
                ..inside
            };
            bottom -= gap.min(bottom - inside.y);
            part
        };
        let buttons = lines(1, gap);
        let command = lines(command_lines, 0);
        let help = lines(help_lines, gap);
        let fields = Rect {
            height: bottom - inside.y,
            ..inside
        };
        let top = self.top(&rows, usize::from(fields.height));
        Parts {
            frame,
            fields,
            rows,
            top,
            label,
            help,
            command,
            buttons,
        }
    }

    /// The first row that is shown, so that the field with the focus and what is wrong with it are.
    fn top(&self, rows: &[Row], height: usize) -> usize {
        let last = rows.len().saturating_sub(height);
        let is_focused = |row: &Row| matches!((row, self.focus), (Row::Field(at), Focus::Field(focus)) if *at == focus);
        let Some(at) = rows.iter().position(is_focused) else {
            return last;
        };
        let wrong = rows[at + 1..]
            .iter()
            .take_while(|row| matches!(row, Row::Wrong(_)))
            .count();
        // One more, so that one sees that it goes on.
        let end = (at + wrong + 2).min(rows.len());
        end.saturating_sub(height).min(at).min(last)
    }

    /// The command that does the same, in as many lines as it may take.
    fn command(&self, model: &Model, width: usize, is_small: bool) -> Vec<String> {
        let Some(task) = &self.reading.task else {
            return vec![String::new()];
        };
        let ellipsis = model.theme.glyphs().ellipsis;
        let most = if is_small { 1 } else { 3 };
        let line = format!("$ {}", task.command_line());
        dialog::wrapped_in(&harmless(&line), width, most, ellipsis)
    }

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
                Row::Wrong(text) => {
                    let is_first = !matches!(
                        parts
                            .rows
                            .get(usize::from(y - parts.fields.y) + parts.top - 1),
                        Some(Row::Wrong(_))
                    );
                    let sign = if is_first { theme.glyphs().cross } else { " " };
                    let text = format!("{:1$}{sign} {text}", "", usize::from(parts.label));
                    Line::styled(text, theme.style("input.error")).render(line, buffer);
                }
                Row::Note(text) => {
                    Line::styled(text.clone(), theme.style("text.dim")).render(line, buffer)
                }
            }
        }
        self.draw_more(model, &parts, buffer);
        self.draw_help(model, parts.help, buffer);
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
        if self.is_leaving {
            Line::styled(LEAVE, theme.style("text.strong")).render(parts.help, buffer);
        }
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
        let mut lines = dialog::wrapped_in(
            field.hint,
            width,
            usize::from(place.height),
            glyphs.ellipsis,
        );
        if let Some(offers) = self.offered(width, glyphs.separator) {
            lines.truncate(usize::from(place.height).saturating_sub(1));
            lines.push(offers);
        }
        for (text, y) in lines.into_iter().zip(place.y..place.bottom()) {
            let line = Rect {
                y,
                height: 1,
                ..place
            };
            Line::from(Span::styled(text, theme.style("input.hint"))).render(line, buffer);
        }
    }

    /// What could be in the field, as far as there is room, beginning with what Tab takes.
    fn offered(&self, width: usize, separator: &str) -> Option<String> {
        let at = if self.completion().is_some() {
            self.offer
        } else {
            0
        };
        let offers = self.offers.iter().cycle().skip(at).take(self.offers.len());
        let mut line = String::new();
        for offer in offers {
            let offer = harmless(offer);
            let gap = if line.is_empty() {
                String::from("Ctrl-n: ")
            } else {
                format!(" {separator} ")
            };
            if line.width() + gap.width() + offer.width() > width {
                break;
            }
            line = format!("{line}{gap}{offer}");
        }
        (!line.is_empty()).then_some(line)
    }

    /// What is at a place of the screen.
    pub(super) fn hit(&self, model: &Model, area: Rect, at: Position) -> Option<Hit> {
        let parts = self.parts(model, area);
        if let Some(button) = dialog::button_at(parts.buttons, &self.buttons(), at) {
            return Some(Hit::Button(button));
        }
        if !parts.fields.contains(at) {
            return None;
        }
        let row = parts.top + usize::from(at.y - parts.fields.y);
        match parts.rows.get(row)? {
            Row::Field(field) => {
                let begin = parts.fields.x + parts.label;
                let width = usize::from(parts.fields.width.saturating_sub(parts.label));
                let column = usize::from(at.x.saturating_sub(begin));
                let column = match &self.fields[*field].kind {
                    Kind::Text { input, .. } => column + input.visual_scroll(width),
                    Kind::Choice { .. } | Kind::Toggle { .. } => column,
                };
                Some(Hit::Field(*field, column))
            }
            Row::Wrong(_) | Row::Note(_) => None,
        }
    }
}
