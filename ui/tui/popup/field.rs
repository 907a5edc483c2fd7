//! A line in which one types.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_input::Input;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::tui::model::Model;
use crate::tui::view::text::harmless;

/// Draws what is typed, that part of it in which the cursor is, and gives the cursor's place.
pub(crate) fn draw_input(
    model: &Model,
    input: &Input,
    place: Rect,
    buffer: &mut Buffer,
) -> Position {
    let place = place.intersection(*buffer.area());
    let width = usize::from(place.width);
    buffer.set_style(place, model.theme.style("input"));
    let scroll = input.visual_scroll(width);
    let shown = harmless(input.value());
    let mut skipped = 0;
    let rest: String = shown
        .graphemes(true)
        .skip_while(|letter| {
            let skips = skipped < scroll;
            skipped += if skips { letter.width() } else { 0 };
            skips
        })
        .collect();
    Line::from(rest)
        .style(model.theme.style("input"))
        .render(place, buffer);
    let at = input
        .visual_cursor()
        .saturating_sub(skipped)
        .min(width.saturating_sub(1));
    Position {
        x: place.x + u16::try_from(at).unwrap_or(0),
        y: place.y,
    }
}
