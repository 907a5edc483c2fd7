//! Where the parts of a form are. What has no room is scrolled to, so that the field with the focus is always there.

use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use super::field::Kind;
use super::{Focus, Form};
use crate::tui::model::Model;
use crate::tui::popup::dialog;
use crate::tui::view::text::harmless;

/// Columns that a form takes, where there are so many.
const WIDTH: u16 = 78;
/// Screens of fewer lines are small: one line of help and one of the command.
pub(super) const SMALL: u16 = 18;
/// The most lines that say what is wrong with a field.
const WRONG: usize = 2;

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Button(usize),
    /// A field, and the column in it.
    Field(usize, usize),
}

/// A line of the form's scrolled part.
pub(super) enum Row {
    Field(usize),
    Wrong {
        text: String,
        is_first: bool,
    },
    /// What one should know of the field above.
    Told {
        text: String,
        is_first: bool,
    },
    Note(String),
}

/// Where its parts are.
pub(super) struct Parts {
    pub(super) frame: Rect,
    /// The scrolled part, and the first row of it that is shown.
    pub(super) fields: Rect,
    pub(super) rows: Vec<Row>,
    pub(super) top: usize,
    /// Columns of the labels, with the blank behind them.
    pub(super) label: u16,
    pub(super) help: Rect,
    pub(super) command: Rect,
    pub(super) buttons: Rect,
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
                let lines = lines.into_iter().enumerate();
                rows.extend(lines.map(|(number, text)| Row::Wrong {
                    text,
                    is_first: number == 0,
                }));
            }
            let key = self.fields[at].key;
            for (_, text) in self.reading.told.iter().filter(|(of, _)| *of == key) {
                let lines = dialog::wrapped_in(&harmless(text), columns, WRONG, ellipsis);
                let lines = lines.into_iter().enumerate();
                rows.extend(lines.map(|(number, text)| Row::Told {
                    text,
                    is_first: number == 0,
                }));
            }
        }
        for note in self.content.notes(self.values(), model) {
            let lines = dialog::wrapped_in(&harmless(&note), usize::from(width), 3, ellipsis);
            rows.extend(lines.into_iter().map(Row::Note));
        }
        rows
    }

    pub(super) fn parts(&self, model: &Model, area: Rect) -> Parts {
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

    /// The first row that is shown, so that the field with the focus and what is told of it are.
    fn top(&self, rows: &[Row], height: usize) -> usize {
        let last = rows.len().saturating_sub(height);
        let is_focused = |row: &Row| matches!((row, self.focus), (Row::Field(at), Focus::Field(focus)) if *at == focus);
        let Some(at) = rows.iter().position(is_focused) else {
            return last;
        };
        let wrong = rows[at + 1..]
            .iter()
            .take_while(|row| matches!(row, Row::Wrong { .. } | Row::Told { .. }))
            .count();
        // One more, so that one sees that it goes on.
        let end = (at + wrong + 2).min(rows.len());
        end.saturating_sub(height).min(at).min(last)
    }

    /// The command that does the same, in as many lines as it may take.
    pub(super) fn command(&self, model: &Model, width: usize, is_small: bool) -> Vec<String> {
        let Some(task) = &self.reading.task else {
            return vec![String::new()];
        };
        let ellipsis = model.theme.glyphs().ellipsis;
        let most = if is_small { 1 } else { 3 };
        let line = format!("$ {}", task.command_line());
        dialog::wrapped_in(&harmless(&line), width, most, ellipsis)
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
            Row::Wrong { .. } | Row::Told { .. } | Row::Note(_) => None,
        }
    }
}
