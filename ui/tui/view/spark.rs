//! Small drawings in a line: sparklines and gauges.

use crate::tui::theme::Glyphs;

/// The newest values as a line of bars, as many as there is room for, the newest at the right. Without a largest value
/// the largest of those that are shown is. What is not nothing is never drawn as nothing.
pub(crate) fn line(values: &[f64], most: Option<f64>, width: u16, glyphs: &Glyphs) -> String {
    let width = usize::from(width);
    let shown = &values[values.len().saturating_sub(width)..];
    let most = most
        .unwrap_or_else(|| shown.iter().copied().fold(0.0, f64::max))
        .max(f64::MIN_POSITIVE);
    let mut text = " ".repeat(width - shown.len());
    for value in shown {
        text += glyphs.level(value / most);
    }
    text
}

/// A bar of which `share`, 0 to 1, is filled.
pub(crate) fn gauge(share: f64, width: u16, glyphs: &Glyphs) -> String {
    let filled = (share.clamp(0.0, 1.0) * f64::from(width)).round() as usize;
    let empty = usize::from(width) - filled;
    glyphs.gauge_full.repeat(filled) + &glyphs.gauge_empty.repeat(empty)
}
