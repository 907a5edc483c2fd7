//! What is being done: in a row, on a line above the bottom bar, and on the screen of a computer that is set up.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::spark;
use super::text::{fitted, harmless, took};
use crate::tui::action::Action;
use crate::tui::list::{Part, part};
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::tasks::Running;

/// The most lines that tell of tasks.
const LINES: usize = 3;
/// Columns of a gauge in a row, and of one on a line of its own.
const SMALL: u16 = 6;
const LARGE: u16 = 16;

/// The sign of what turns, or of what is being taken back.
fn sign(running: &Running, model: &Model) -> Part {
    match running.is_cancelled {
        true => part(model.theme.glyphs().cross, "toast.warning"),
        false => part(model.spinner(), "toast.info"),
    }
}

/// What it is at.
fn step(running: &Running) -> String {
    let title = || running.task.title();
    let step = match (running.is_cancelled, running.step.is_empty()) {
        (true, _) => "cancelling".into(),
        (false, true) => title(),
        (false, false) => running.step.clone(),
    };
    harmless(&step).into_owned()
}

fn gauge(running: &Running, model: &Model, width: u16) -> Option<String> {
    let share = running.share()?;
    let gauge = spark::gauge(share, width, model.theme.glyphs());
    Some(format!("{gauge} {:.0}%", share * 100.0))
}

/// In the row of what it is about: a sign, how far it is, and what it is at, which is cut where there is no room.
pub(crate) fn short(running: &Running, model: &Model) -> Vec<Part> {
    let mut parts = vec![sign(running, model), part(" ", "text")];
    if let Some(gauge) = gauge(running, model, SMALL) {
        parts.push(part(format!("{gauge} "), "gauge"));
    }
    parts.push(part(step(running), "text"));
    parts
}

/// All of it in one line.
pub(crate) fn long(running: &Running, model: &Model) -> Vec<Part> {
    let separator = model.theme.glyphs().separator;
    let mut parts = vec![sign(running, model), part(" ", "text")];
    parts.push(part(
        harmless(&running.task.title()).into_owned(),
        "text.strong",
    ));
    if running.is_cancelled || !running.step.is_empty() {
        parts.push(part(format!(" {separator} {}", step(running)), "text"));
    }
    if let Some(gauge) = gauge(running, model, LARGE) {
        parts.push(part(format!(" {gauge}"), "gauge"));
    }
    let time = model.clock.instant.saturating_duration_since(running.begun);
    parts.push(part(format!(" {}", took(time)), "text.dim"));
    parts
}

/// Tasks that no row on the screen tells of, those that were begun last first.
fn loose(model: &Model) -> Vec<&Running> {
    let running = model.tasks.running.iter().rev();
    running
        .filter(|running| {
            !running
                .task
                .target()
                .is_some_and(|target| has_row(model, target))
        })
        .collect()
}

/// Whether what is open has a row for a thing, or is about it.
fn has_row(model: &Model, target: &str) -> bool {
    if let Some(detail) = &model.place.detail {
        return detail.id == target;
    }
    let world = &model.world;
    let is_target = |id: &str, name: &str| id == target || name == target;
    let at = match model.place.view {
        View::Machines => world
            .machines
            .iter()
            .position(|machine| is_target(&machine.id, &machine.name)),
        View::Volumes => world
            .volumes
            .iter()
            .position(|volume| is_target(&volume.id, &volume.name)),
        View::Images => world
            .images
            .iter()
            .position(|image| is_target(&image.digest, &image.name)),
        View::Networks => world
            .networks
            .iter()
            .position(|network| network.name == target),
        View::History | View::Panes => None,
    };
    let list = model.lists.get(model.place.view);
    at.is_some_and(|at| list.is_some_and(|list| list.rows.contains(&at)))
}

/// How many lines tell of tasks.
pub(crate) fn lines(model: &Model) -> u16 {
    // The screen of a computer that is set up tells of it itself.
    if model.place.first_run || model.tasks.running.is_empty() {
        return 0;
    }
    u16::try_from(loose(model).len().min(LINES)).unwrap_or(0)
}

/// Draws them, one a line. The last line tells how many more there are.
pub(crate) fn line(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let all = loose(model);
    let shown = usize::from(area.height);
    for (number, y) in (area.y..area.bottom()).enumerate() {
        let place = Rect {
            y,
            height: 1,
            ..area
        };
        buffer.set_style(place, model.theme.style("text"));
        let more = all.len().saturating_sub(shown);
        let cancel = model.shown(Action::Cancel);
        let end = match number {
            0 if !cancel.is_empty() => format!("{cancel} cancels"),
            _ if number + 1 == shown && more > 0 => format!("and {more} more"),
            _ => String::new(),
        };
        if let Some(running) = all.get(number) {
            draw(model, running, &end, place, buffer);
        }
    }
}

/// Draws one, with as much of it as there is room for: the title goes last, what it is at first.
fn draw(model: &Model, running: &Running, end: &str, place: Rect, buffer: &mut Buffer) {
    let width = usize::from(place.width).saturating_sub(2);
    let wide = |parts: &[Part]| parts.iter().map(|part| part.text.width()).sum::<usize>();
    let mut parts = long(running, model);
    let ellipsis = model.theme.glyphs().ellipsis;
    let over = wide(&parts).saturating_sub(width);
    if over > 0
        && let Some(at) = parts
            .iter()
            .position(|part| part.scope == "text" && part.text.width() > 1)
    {
        let room = parts[at].text.width().saturating_sub(over);
        match room {
            0..8 => drop(parts.remove(at)),
            _ => parts[at].text = fitted(&parts[at].text, room, ellipsis),
        }
    }
    if wide(&parts) > width
        && let Some(part) = parts.iter_mut().find(|part| part.scope == "gauge")
    {
        let small = gauge(running, model, SMALL).unwrap_or_default();
        part.text = format!(" {small}");
    }
    if wide(&parts) > width && parts.len() > 3 {
        // The time.
        parts.pop();
    }
    let over = wide(&parts).saturating_sub(width);
    if over > 0
        && let Some(title) = parts.get_mut(2)
    {
        title.text = fitted(
            &title.text,
            title.text.width().saturating_sub(over),
            ellipsis,
        );
    }
    let end_room = if end.is_empty() { 0 } else { end.width() + 2 };
    let has_end = wide(&parts) + end_room <= width;
    let spans = parts
        .into_iter()
        .map(|part| Span::styled(part.text, model.theme.style(part.scope)));
    let line = Line::from_iter([Span::raw(" ")].into_iter().chain(spans));
    line.render(place, buffer);
    if has_end && !end.is_empty() {
        let line = Line::styled(format!("{end} "), model.theme.style("text.dim"));
        line.right_aligned().render(place, buffer);
    }
}
