//! From what a theme's files say to styles that a terminal can show.

use std::collections::HashMap;

use ratatui::style::{Color, Modifier, Style};

use super::depth::Depth;
use super::error::{ThemeError, did_you_mean};
use super::file::{Draft, Paint, Sheet, Word};
use super::scope::{self, SCOPES, SURFACES, TEXT};
use super::{GuestColors, Kind, colour};

/// The least contrast (WCAG 2, 1.4.11) that greys keep when a terminal has only sixteen colours.
const LEAST_CONTRAST: f32 = 3.0;

/// A style for every scope and every parent of one.
pub(super) fn styles(sheet: &Sheet, depth: Depth) -> Result<HashMap<&'static str, Style>, ThemeError> {
    let mut said = HashMap::new();
    for (scope, draft) in &sheet.styles {
        said.insert(scope.as_str(), style(sheet, depth, draft)?);
    }
    let text = said.get(TEXT).copied().unwrap_or_default();
    let all = SCOPES.iter().flat_map(|scope| scope::with_parents(scope));
    let resolved = all.map(|scope| {
        let nearest = scope::with_parents(scope).find_map(|scope| said.get(scope));
        let style = nearest.copied().unwrap_or(text);
        let style = match SURFACES.contains(&scope) {
            true => Style {
                fg: style.fg.or(text.fg),
                bg: style.bg.or(text.bg),
                ..style
            },
            false => style,
        };
        (scope, readable(style, text, depth))
    });
    Ok(resolved.collect())
}

/// Colours for panes. A terminal of sixteen colours keeps its own.
pub(super) fn guest(sheet: &Sheet, depth: Depth) -> Result<GuestColors, ThemeError> {
    let color = |paint: &Option<Paint>| match paint {
        Some(paint) => fitted(sheet, depth, paint),
        None => Ok(Color::Reset),
    };
    let mut guest = GuestColors {
        foreground: color(&sheet.foreground)?,
        background: color(&sheet.background)?,
        ansi: colour::ANSI,
    };
    for (place, paint) in guest.ansi.iter_mut().zip(sheet.ansi.iter().flatten()) {
        let color = fitted(sheet, depth, paint)?;
        if depth > Depth::Sixteen {
            *place = color;
        }
    }
    if depth == Depth::None {
        guest.ansi = [Color::Reset; 16];
    }
    Ok(guest)
}

fn style(sheet: &Sheet, depth: Depth, draft: &Draft) -> Result<Style, ThemeError> {
    let color = |paint: &Option<Paint>| {
        let color = paint.as_ref().map(|paint| fitted(sheet, depth, paint));
        // Without colours a style says nothing of them, so that it leaves alone what is below.
        color.transpose().map(|color| color.filter(|_| depth != Depth::None))
    };
    let mut style = Style {
        fg: color(&draft.fg)?,
        bg: color(&draft.bg)?,
        underline_color: color(&draft.underline)?,
        ..Style::default()
    }
    .add_modifier(draft.modifiers);
    if draft.underline.is_some() {
        style = style.add_modifier(Modifier::UNDERLINED);
    }
    Ok(style)
}

fn fitted(sheet: &Sheet, depth: Depth, paint: &Paint) -> Result<Color, ThemeError> {
    let name = match &paint.word {
        Word::Color(color) => return Ok(depth.fit(*color)),
        Word::Name(name) => name,
    };
    let own = sheet.palette.iter().find(|(own, _)| own == name);
    if let Some((_, color)) = own {
        // What the author calls red is the terminal's red where that is all there is.
        let hue = colour::hue_by_name(name, sheet.kind == Kind::Dark);
        let hue = hue.filter(|_| depth == Depth::Sixteen && matches!(color, Color::Rgb(..)));
        return Ok(hue.unwrap_or_else(|| depth.fit(*color)));
    }
    let unknown = || {
        let palette = sheet.palette.iter().map(|(name, _)| name.as_str());
        let names = palette.chain(colour::names());
        ThemeError::new(
            format!("there is no colour {name:?}"),
            did_you_mean(name, names, "the colours"),
        )
        .at(&paint.at)
    };
    colour::by_name(name).map(|color| depth.fit(color)).ok_or_else(unknown)
}

/// Among sixteen colours two shades may become one. Greys on greys stay legible, and nothing is drawn in its own colour.
fn readable(style: Style, text: Style, depth: Depth) -> Style {
    let (Depth::Sixteen, Some(fg), Some(bg)) = (depth, style.fg, style.bg.or(text.bg)) else {
        return style;
    };
    let (Some(fore), Some(back)) = (colour::rgb(fg), colour::rgb(bg)) else {
        return style;
    };
    let greys = !colour::is_chromatic(fore) && !colour::is_chromatic(back);
    let faint = greys && colour::contrast(fore, back) < LEAST_CONTRAST;
    if fg != bg && !faint {
        return style;
    }
    let on_black = colour::contrast([0; 3], back) < colour::contrast([255; 3], back);
    style.fg(if on_black { Color::White } else { Color::Black })
}
