//! What is said where there is nothing to list, with the key that changes it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use crate::tui::model::Model;
use crate::tui::model::place::View;

pub(super) fn draw(model: &Model, view: View, area: Rect, buffer: &mut Buffer) {
    let filtered = model
        .lists
        .get(view)
        .filter(|list| !list.filter.text.trim().is_empty());
    let key = |action| model.shown(action);
    let (says, way_out) = if let Some(trouble) = &model.world.trouble {
        (trouble.clone(), String::new())
    } else if !model.world.is_known {
        ("reading …".into(), String::new())
    } else if let Some(list) = filtered {
        (
            format!("nothing matches {:?}", list.filter.text.trim()),
            format!(
                "{} clears the filter",
                key(crate::tui::action::Action::Back)
            ),
        )
    } else {
        use crate::tui::action::Action;
        match view {
            View::Machines => (
                "no machines yet".into(),
                format!("press {} to deploy one", key(Action::Deploy)),
            ),
            View::Volumes => (
                "no volumes yet".into(),
                format!("press {} to make one", key(Action::Create)),
            ),
            View::Images => (
                "no images yet".into(),
                format!(
                    "press {} to pull one, {} to build one",
                    key(Action::Pull),
                    key(Action::Build)
                ),
            ),
            View::Networks => (
                "no networks yet".into(),
                format!("press {} to make one", key(Action::Create)),
            ),
            View::History => ("nothing has been done yet".into(), String::new()),
            View::Panes => (
                "no shell is open".into(),
                format!("press {} to choose a machine", key(Action::Enter)),
            ),
        }
    };
    let lines = vec![
        Line::from(Span::styled(says, model.theme.style("text.strong"))),
        Line::from(Span::styled(way_out, model.theme.style("text.dim"))),
    ];
    let y = area.y + area.height / 3;
    let place = Rect {
        y,
        height: area.bottom().saturating_sub(y),
        ..area
    };
    let paragraph = Paragraph::new(lines)
        .alignment(Alignment::Center)
        .wrap(Wrap { trim: true });
    paragraph.render(place, buffer);
}
