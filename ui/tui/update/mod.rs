//! How the model changes: one function from what happened to what is to be done about it.

mod act;
mod arrive;
mod go;
mod keys;
mod lists;
mod log;
mod mouse;
mod panes;
mod steps;
#[cfg(test)]
mod tests;

use ratatui::layout::Rect;

use crate::tui::effect::Effect;
use crate::tui::list;
use crate::tui::message::Message;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::toasts::{self, Toast};
use crate::tui::theme::Kind;
use crate::tui::view;

/// Changes the model by what happened, and says what is to be done.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let effects = match message {
        Message::Key(key) => keys::key(model, key),
        Message::Mouse(event) => mouse::mouse(model, event),
        Message::Paste(text) => keys::paste(model, &text),
        Message::Resize(columns, rows) => {
            model.size = (columns, rows);
            Vec::new()
        }
        Message::Focus(has) => panes::focus(model, has),
        Message::World(world) => arrive::world(model, world),
        Message::Stats(stats) => {
            model.samples.take(stats);
            Vec::new()
        }
        Message::Host(host) => arrive::host(model, host),
        Message::Task(id, news) => arrive::task(model, id, news),
        Message::Remarks(remarks) => {
            for remark in remarks {
                model.say(Toast::new(toasts::Kind::Warning, remark));
            }
            Vec::new()
        }
        Message::Panes => panes::news(model),
        // It is taken in with its size, when all is settled.
        Message::Log => Vec::new(),
        Message::LogOpened {
            machine,
            previous,
            console,
        } => log::opened(model, machine, previous, console),
        Message::Time => Vec::new(),
        Message::Continued => vec![Effect::Redraw],
        Message::Background(color) => {
            model.themes.background = Kind::of_background(color);
            let setting = model.settings.theme.clone();
            model.show_theme(&setting);
            Vec::new()
        }
        Message::Ended => vec![Effect::Remember, Effect::Quit],
    };
    let mut effects = effects;
    effects.extend(settle(model));
    effects
}

/// Puts in order what hangs on other things: rows on filters, places on sizes.
fn settle(model: &mut Model) -> Vec<Effect> {
    model.toasts.pass(model.clock.instant);
    let (columns, rows) = model.size;
    let area = Rect::new(0, 0, columns, rows);
    let view = model.place.view;
    if view != View::Panes {
        // Twice where the line of the filter comes or goes.
        let body = view::areas(model, area).body;
        let height = view::body_rows(model, body);
        list::settle(model, view, height);
    }
    let body = view::areas(model, area).body;
    if model.place.detail.is_some() {
        let (_, _, inner) = view::detail_parts(body);
        let lines = view::detail_lines(model, inner.width);
        let last = lines.saturating_sub(usize::from(inner.height));
        if let Some(detail) = &mut model.place.detail {
            detail.line = detail.line.min(last);
        }
    }
    let mut effects = log::settle(model);
    effects.extend(panes::settle(model, body));
    let mut popups = std::mem::take(&mut model.popups);
    for popup in &mut popups {
        popup.refresh(model);
    }
    model.popups = popups;
    effects
}
