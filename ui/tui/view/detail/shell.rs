//! The terminal tab: the shell that is open in the machine, as it is now, or how to open one.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::widgets::{Paragraph, Widget, Wrap};
use sistemo::machine::Machine;
use sistemo::store::machines::Status;

use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::view::looks;

pub(super) fn draw(model: &Model, machine: &Machine, area: Rect, buffer: &mut Buffer) {
    let key = model.shown(Action::Shell);
    if model
        .workspace
        .preview(&machine.id, &looks::panes(model), area, buffer)
    {
        return;
    }
    let says = match machine.status {
        Status::Running => format!("press Enter or {key} to open a shell in {}", machine.name),
        status => format!(
            "{} is {status}; {} starts it",
            machine.name,
            model.shown(Action::Start)
        ),
    };
    let y = area.y + area.height / 3;
    let place = Rect {
        y,
        height: area.bottom().saturating_sub(y),
        ..area
    };
    let paragraph = Paragraph::new(says).style(model.theme.style("text.dim"));
    paragraph
        .alignment(Alignment::Center)
        .wrap(Wrap { trim: true })
        .render(place, buffer);
}
