//! How a split shares its area between its two parts.

use ratatui::layout::Rect;

use super::tree::{Axis, HALF, Split, WHOLE};

impl Split {
    /// The first part, the line between, the second part. A line below another is within the second part.
    pub(super) fn areas(&self, area: Rect) -> (Rect, Rect, Rect) {
        match self.axis {
            Axis::Beside => {
                let first = self.share(area.width.saturating_sub(1));
                let line = area.width.min(1);
                let cut = |x: u16, width: u16| Rect {
                    x: area.x + x,
                    width,
                    ..area
                };
                let rest = area.width - first - line;
                (cut(0, first), cut(first, line), cut(first + line, rest))
            }
            Axis::Below => {
                let first = self.share(area.height);
                let cut = |y: u16, height: u16| Rect {
                    y: area.y + y,
                    height,
                    ..area
                };
                let rest = area.height - first;
                (cut(0, first), cut(first, rest.min(1)), cut(first, rest))
            }
        }
    }

    /// What the first part gets of the columns or lines that there are.
    fn share(&self, all: u16) -> u16 {
        let wished = u32::from(all) * u32::from(self.ratio) + u32::from(HALF);
        let wished = u16::try_from(wished / u32::from(WHOLE)).unwrap_or(all);
        match self.limits(all) {
            Some((low, high)) => wished.clamp(low, high),
            None if all < 2 => wished.min(all),
            None => wished.clamp(1, all - 1),
        }
    }

    /// Between what the first part may be, if there is room enough for the least of both.
    fn limits(&self, all: u16) -> Option<(u16, u16)> {
        let along = |(columns, lines): (u16, u16)| match self.axis {
            Axis::Beside => columns,
            Axis::Below => lines,
        };
        let low = along(self.first.least());
        let high = all.checked_sub(along(self.second.least()))?;
        (low <= high).then_some((low, high))
    }

    /// Moves the line to where the first part has so many columns or lines, as far as both parts keep their least.
    /// Whether that changes anything.
    pub(super) fn set_first(&mut self, first: i32, area: Rect) -> bool {
        let all = match self.axis {
            Axis::Beside => area.width.saturating_sub(1),
            Axis::Below => area.height,
        };
        let Some((low, high)) = self.limits(all) else {
            return false;
        };
        let first = first.clamp(low.into(), high.into());
        if first == i32::from(self.share(all)) {
            return false;
        }
        self.ratio = portion_of(first.unsigned_abs(), all.into());
        true
    }

    /// What the first part has now.
    pub(super) fn first_extent(&self, area: Rect) -> u16 {
        let (first, ..) = self.areas(area);
        match self.axis {
            Axis::Beside => first.width,
            Axis::Below => first.height,
        }
    }
}

/// `part` of `all` in [`WHOLE`]ths, rounded, within what a ratio may be.
pub(super) fn portion_of(part: u32, all: u32) -> u16 {
    let all = all.max(1);
    let ratio = (part * u32::from(WHOLE) + all / 2) / all;
    u16::try_from(ratio).unwrap_or(WHOLE).clamp(1, WHOLE - 1)
}
