//! Short messages: in the lower corner of the screen, where lists have least to say; over shells, whose last lines matter
//! most, in the upper one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::text::harmless;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::popup::dialog::wrapped_in;
use crate::tui::theme::Glyphs;

/// Columns that a message takes at most, frame and all.
const WIDTH: u16 = 60;
/// Lines of its text, and of the way out.
const TEXT: usize = 4;
const HINT: usize = 2;

/// The sign, the word and the scope of a kind.
pub(crate) fn sign(kind: Kind, glyphs: &Glyphs) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::News => (glyphs.info, "news", "toast.info"),
        Kind::Good => (glyphs.check, "done", "toast.good"),
        Kind::Warning => (glyphs.warning, "warning", "toast.warning"),
        Kind::Error => (glyphs.cross, "error", "toast.error"),
    }
}

/// Draws those that are shown, the newest at the edge.
pub(crate) fn draw(model: &Model, body: Rect, buffer: &mut Buffer) {
    let is_upper = model.place.view == View::Panes;
    // Lines that are taken by those before.
    let mut taken = u16::from(is_upper);
    let all: Vec<&Toast> = model.toasts.shown().collect();
    for toast in all.into_iter().rev() {
        let lines = lines(model, toast, body.width);
        let widest = lines
            .iter()
            .map(|(text, _)| text.width())
            .max()
            .unwrap_or(0);
        let (sign, word, scope) = sign(toast.kind, model.theme.glyphs());
        let title = format!(" {sign} {word} ");
        let width = u16::try_from(widest.max(title.width()))
            .unwrap_or(u16::MAX)
            .saturating_add(4);
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(2);
        let width = width.min(body.width);
        // One that has no room whole is not shown: it is kept, and said again by `messages`.
        let room = body.height.saturating_sub(taken);
        if height > room && taken > 1 {
            break;
        }
        let height = height.min(room);
        if height < 3 || width < 8 {
            break;
        }
        let y = match is_upper {
            true => body.y + taken,
            false => body.bottom() - taken - height,
        };
        let place = Rect {
            x: body.right() - width,
            y,
            width,
            height,
        };
        Clear.render(place, buffer);
        let style = model.theme.style(scope);
        Block::bordered()
            .border_set(model.theme.glyphs().border)
            .border_style(style)
            .style(model.theme.style("popup"))
            .title(Line::from(Span::styled(title, style)))
            .render(place, buffer);
        for ((text, scope), y) in lines.into_iter().zip(place.y + 1..place.bottom() - 1) {
            let line = Rect {
                x: place.x + 2,
                y,
                width: place.width - 4,
                height: 1,
            };
            Line::styled(text, model.theme.style(scope)).render(line, buffer);
        }
        taken += height;
    }
}

/// Its lines, each with its scope.
fn lines(model: &Model, toast: &Toast, columns: u16) -> Vec<(String, &'static str)> {
    let glyphs = model.theme.glyphs();
    let width = usize::from(WIDTH.min(columns).saturating_sub(4));
    let text = wrapped_in(&harmless_lines(&toast.text), width, TEXT, glyphs.ellipsis);
    let mut lines: Vec<_> = text.into_iter().map(|line| (line, "popup")).collect();
    if let Some(hint) = &toast.hint {
        let hint = format!("{} {}", glyphs.right, harmless_lines(hint));
        let hint = wrapped_in(&hint, width, HINT, glyphs.ellipsis);
        lines.extend(hint.into_iter().map(|line| (line, "input.hint")));
    }
    // One that stays says how it goes, and where the rest of it is.
    if toast.kind == Kind::Error {
        let mut ways = match model.shown(Action::Back) {
            // In a shell any key does.
            key if key.is_empty() => "any key dismisses".into(),
            key => format!("{key} dismisses"),
        };
        if toast.detail.is_some() && model.place.view != View::Panes {
            ways = format!("{} shows why, {ways}", model.shown(Action::Messages));
        }
        lines.extend(
            wrapped_in(&ways, width, 1, glyphs.ellipsis)
                .into_iter()
                .map(|line| (line, "text.dim")),
        );
    }
    lines
}

/// Text whose lines stay lines.
pub(crate) fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}
