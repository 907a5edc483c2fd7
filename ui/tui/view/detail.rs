//! A machine's own screen: its name and state, and one of its tabs.

mod history;
mod overview;
mod ports;
mod shell;
mod tabs;
mod volumes;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use sistemo::machine::Machine;

use super::text::harmless;
use super::{looks, status, tasks};
use crate::tui::model::Model;
use crate::tui::model::place::{Detail, Tab};

pub(crate) use tabs::tab_at;

/// A piece of a line and its scope.
pub(super) type Piece = (String, &'static str);
/// A line of a tab.
pub(super) type Row = Vec<Piece>;

/// Draws it. Gives the place of the cursor while something is typed.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let detail = model.place.detail.as_ref()?;
    let Some(machine) = model.world.machine(&detail.id) else {
        let line = Line::styled(" this machine is gone", model.theme.style("text.strong"));
        line.render(
            Rect {
                height: area.height.min(1),
                ..area
            },
            buffer,
        );
        return None;
    };
    let (title, tabs_line, body) = parts(area);
    draw_title(model, machine, title, buffer);
    tabs::draw(model, detail, tabs_line, buffer);
    match detail.tab {
        Tab::Overview => scroll(
            model,
            &overview::rows(model, machine, body.width),
            detail,
            body,
            buffer,
        ),
        Tab::Log => return draw_log(model, body, buffer),
        Tab::Shell => shell::draw(model, machine, body, buffer),
        Tab::Volumes => scroll(model, &volumes::rows(model, machine), detail, body, buffer),
        Tab::Ports => scroll(model, &ports::rows(model, machine), detail, body, buffer),
        Tab::History => scroll(model, &history::rows(model, machine), detail, body, buffer),
    }
    None
}

/// The machine's line, the line of tabs, and the rest.
pub(crate) fn parts(area: Rect) -> (Rect, Rect, Rect) {
    let line = |y: u16, height: u16| Rect { y, height, ..area };
    let title = area.height.min(1);
    let tabs = (area.height - title).min(1);
    let above = title + tabs;
    (
        line(area.y, title),
        line(area.y + title, tabs),
        line(area.y + above, area.height - above),
    )
}

/// How many lines a tab has, of which one can be scrolled to.
pub(crate) fn lines(model: &Model, width: u16) -> usize {
    let Some(detail) = &model.place.detail else {
        return 0;
    };
    let Some(machine) = model.world.machine(&detail.id) else {
        return 0;
    };
    match detail.tab {
        Tab::Overview => overview::rows(model, machine, width).len(),
        Tab::Volumes => volumes::rows(model, machine).len(),
        Tab::Ports => ports::rows(model, machine).len(),
        Tab::History => history::rows(model, machine).len(),
        Tab::Log | Tab::Shell => 0,
    }
}

fn draw_title(model: &Model, machine: &Machine, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let (sign, scope) = status::sign(machine.status, model.theme.glyphs());
    let mut spans = vec![
        Span::styled(
            format!(" {} ", harmless(&machine.name)),
            model.theme.style("title"),
        ),
        Span::styled(
            format!("{sign} {}", machine.status),
            model.theme.style(scope),
        ),
    ];
    if let Some(running) = model.tasks.about(&machine.id, &machine.name).next() {
        spans.push(Span::raw("  "));
        for part in tasks::short(running, model) {
            spans.push(Span::styled(part.text, model.theme.style(part.scope)));
        }
    } else if let Some(failure) = &machine.failure {
        let said = format!(": {}", harmless(failure));
        spans.push(Span::styled(said, model.theme.style("machine.failed")));
    }
    Line::from(spans).render(area, buffer);
}

fn draw_log(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    match &model.log {
        Some(open) => {
            open.view.draw(area, buffer, &looks::log(model));
            open.view.cursor_place(area)
        }
        None => {
            let why = model
                .log_trouble
                .as_deref()
                .unwrap_or("opening the boot log");
            let line = Line::styled(format!(" {}", harmless(why)), model.theme.style("text.dim"));
            line.render(
                Rect {
                    height: area.height.min(1),
                    ..area
                },
                buffer,
            );
            None
        }
    }
}

/// Draws lines from the one that the user has scrolled to.
fn scroll(model: &Model, rows: &[Row], detail: &Detail, area: Rect, buffer: &mut Buffer) {
    let height = usize::from(area.height);
    let top = detail.line.min(rows.len().saturating_sub(height));
    for (number, row) in rows.iter().skip(top).take(height).enumerate() {
        let spans: Vec<Span<'_>> = row
            .iter()
            .map(|(text, scope)| Span::styled(text.as_str(), model.theme.style(scope)))
            .collect();
        let y = area.y + u16::try_from(number).unwrap_or(u16::MAX);
        Line::from(spans).render(
            Rect {
                y,
                height: 1,
                ..area
            },
            buffer,
        );
    }
    // What is below is said, not only cut.
    if top + height < rows.len() && area.height > 0 {
        let more = format!(
            " {} {} more ",
            model.theme.glyphs().down,
            rows.len() - top - height
        );
        let width = u16::try_from(more.len()).unwrap_or(u16::MAX);
        let x = area.right().saturating_sub(width.min(area.width));
        buffer.set_stringn(
            x,
            area.bottom() - 1,
            more,
            usize::from(area.width),
            model.theme.style("text.dim"),
        );
    }
}
