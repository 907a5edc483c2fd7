//! What the palette looks like: the line, what is said of it, and what fits it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::super::dialog::{frame, inside, wrapped_in};
use super::super::field::draw_input;
use super::super::rows::{self, Row};
use super::{Below, Palette};
use crate::tui::model::Model;
use crate::tui::view::text::harmless;

/// Columns and lines that it takes, where there are so many.
const WIDTH: u16 = 86;
const HEIGHT: u16 = 18;
/// Lines that why something is not done may take.
const SAID: usize = 3;

/// What is at a place.
pub(super) enum Hit {
    Row(usize),
    Inside,
    Outside,
}

fn place(area: Rect) -> Rect {
    let width = WIDTH.min(area.width);
    let height = HEIGHT
        .min(area.height.saturating_sub(2))
        .max(area.height.min(6));
    Rect {
        x: area.x + (area.width - width) / 2,
        // Near the top: what is looked for is read downwards.
        y: area.y + (area.height - height).min(2) / 2,
        width,
        height,
    }
}

fn screen(model: &Model) -> Rect {
    Rect::new(0, 0, model.size.0, model.size.1)
}

/// How many rows a page has.
pub(super) fn page(model: &Model) -> usize {
    usize::from(inside(place(screen(model))).height.saturating_sub(2))
}

impl Palette {
    /// What is said under the line, in the scopes that it is drawn in.
    fn said(&self, model: &Model, width: usize) -> Vec<(String, &'static str)> {
        let ellipsis = model.theme.glyphs().ellipsis;
        let mut said = Vec::new();
        if let Some(refusal) = &self.refusal {
            let mut say = |text: &str, most, scope| {
                let lines = wrapped_in(&harmless(text), width, most, ellipsis);
                said.extend(lines.into_iter().map(|line| (line, scope)));
            };
            let message = refusal.message.lines().next().unwrap_or_default();
            say(
                message,
                if refusal.hint.is_some() {
                    SAID - 1
                } else {
                    SAID
                },
                "input.error",
            );
            if let Some(hint) = &refusal.hint {
                say(hint, 1, "input.hint");
            }
            return said;
        }
        let why = match &self.below {
            Below::Offers(offers, at) => offers.get(*at).and_then(|offer| offer.why_not(model)),
            Below::Words(..) => None,
        };
        let text = match (&self.below, why) {
            (_, Some(why)) => why,
            (Below::Offers(offers, _), None) if offers.is_empty() => {
                "nothing is called that; Enter reads it as a command".into()
            }
            (Below::Offers(..), None) if self.input.value().is_empty() => {
                "a name, or a command: machine stop web".into()
            }
            (Below::Words(..), None) => "a command: Enter does it, Tab completes it".into(),
            (Below::Offers(..), None) => String::new(),
        };
        said.extend(
            wrapped_in(&harmless(&text), width, 1, ellipsis)
                .into_iter()
                .map(|line| (line, "input.hint")),
        );
        said
    }

    fn rows(&self, model: &Model) -> (Vec<Row>, Option<usize>) {
        match &self.below {
            Below::Offers(offers, at) => {
                let row = |offer: &super::Offer| {
                    let why_not = offer.why_not(model);
                    Row {
                        text: offer.text(),
                        is_dim: why_not.is_some(),
                        note: why_not.map(|why| harmless(&why).into_owned()),
                        right: vec![offer.aside.into(), offer.key(model)],
                    }
                };
                (offers.iter().map(row).collect(), Some(*at))
            }
            Below::Words(completion, at) => {
                let row = |(word, about): &(String, String)| Row {
                    text: harmless(word).into_owned(),
                    note: Some(about.lines().next().unwrap_or_default().into())
                        .filter(|about: &String| !about.is_empty()),
                    ..Row::default()
                };
                (completion.words.iter().map(row).collect(), *at)
            }
        }
    }

    /// The line, what is said of it, and the rows.
    fn parts(&self, model: &Model, area: Rect) -> (Rect, Rect, Rect) {
        let inner = inside(place(area));
        let width = usize::from(inner.width);
        let line = Rect {
            height: 1.min(inner.height),
            ..inner
        };
        let rest = inner.height - line.height;
        let said = u16::try_from(self.said(model, width).len())
            .unwrap_or(1)
            .max(1)
            .min(rest);
        let said = Rect {
            y: inner.y + line.height,
            height: said,
            ..inner
        };
        let rows = Rect {
            y: said.y + said.height,
            height: rest - said.height,
            ..inner
        };
        (line, said, rows)
    }

    pub(super) fn row_at(&self, model: &Model, at: Position) -> Hit {
        let (_, _, area) = self.parts(model, screen(model));
        let (rows, chosen) = self.rows(model);
        if !place(screen(model)).contains(at) {
            return Hit::Outside;
        }
        if !area.contains(at) {
            return Hit::Inside;
        }
        let top = rows::top(chosen.unwrap_or(0), rows.len(), usize::from(area.height));
        let row = top + usize::from(at.y - area.y);
        match row < rows.len() {
            true => Hit::Row(row),
            false => Hit::Inside,
        }
    }

    /// Draws it, and gives the cursor's place.
    pub(super) fn render(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Position {
        frame(model, place(area), "Do", buffer);
        let (line, said, area) = self.parts(model, area);
        let theme = &model.theme;
        buffer.set_stringn(
            line.x,
            line.y,
            ":",
            usize::from(line.width),
            theme.style("key"),
        );
        let typed = Rect {
            x: line.x + 2.min(line.width),
            width: line.width.saturating_sub(2),
            ..line
        };
        let cursor = draw_input(model, &self.input, typed, buffer);
        let width = usize::from(said.width);
        for ((text, scope), y) in self
            .said(model, width)
            .into_iter()
            .zip(said.y..said.bottom())
        {
            let place = Rect {
                y,
                height: 1,
                ..said
            };
            Line::from(Span::styled(text, theme.style(scope))).render(place, buffer);
        }
        let (rows, at) = self.rows(model);
        let top = rows::top(at.unwrap_or(0), rows.len(), usize::from(area.height));
        rows::draw(model, area, &rows, at, top, buffer);
        cursor
    }
}
