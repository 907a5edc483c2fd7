//! The screen of a computer that lacks what machines need: what that is, the key that brings it, and how it goes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::tasks;
use super::text::harmless;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::task::Task;

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let glyphs = theme.glyphs();
    let mut lines = vec![
        Line::styled("Welcome to Sistemo", theme.style("title")),
        Line::raw(""),
        Line::styled(
            "Small real machines on this computer: own kernel, own init, own network.",
            theme.style("text"),
        ),
        Line::raw(""),
    ];
    let setup = model
        .tasks
        .running
        .iter()
        .find(|running| running.task == Task::Setup);
    match setup {
        Some(running) => {
            lines.push(Line::styled(
                "Setting this computer up:",
                theme.style("text.strong"),
            ));
            for note in &running.notes {
                lines.push(Line::styled(
                    format!("  {} {}", glyphs.check, harmless(note)),
                    theme.style("text"),
                ));
            }
            let spans: Vec<Span<'_>> = (tasks::long(running, model).into_iter())
                .map(|part| Span::styled(part.text, theme.style(part.scope)))
                .collect();
            lines.push(Line::from([vec![Span::raw("  ")], spans].concat()));
        }
        None => {
            lines.push(Line::styled(
                "Before the first one this computer needs:",
                theme.style("text.strong"),
            ));
            for lack in &model.host.lacks {
                lines.push(Line::styled(
                    format!("  {} {}", glyphs.separator, harmless(lack)),
                    theme.style("text"),
                ));
            }
            lines.push(Line::raw(""));
            let key = model.shown(Action::Setup);
            lines.push(Line::from(vec![
                Span::raw("press "),
                Span::styled(key, theme.style("key")),
                Span::raw(" to have it done, or "),
                Span::styled(model.shown(Action::Quit), theme.style("key")),
                Span::raw(" to leave"),
            ]));
        }
    }
    let margin = if area.width > 60 { 4 } else { 1 };
    let place = Rect {
        x: area.x + margin,
        y: area.y + u16::from(area.height > 16) * 2,
        width: area.width.saturating_sub(margin * 2),
        height: area.height.saturating_sub(u16::from(area.height > 16) * 2),
    };
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .render(place, buffer);
}
