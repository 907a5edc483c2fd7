//! From what a theme's files say to styles that a terminal can show.

use std::collections::HashMap;

use ratatui::style::{Color, Modifier, Style};

use super::depth::Depth;
use super::error::{ThemeError, did_you_mean};
use super::scope::{self, DIM, FIELDS, SCOPES, SELECTIONS, SURFACES, TEXT};
use super::sheet::{Draft, Paint, Sheet, Word};
use super::sixteen::Sixteen;
use super::{GuestColors, Kind, colour};

/// A style for every scope and every parent of one.
pub(super) fn styles(
    sheet: &Sheet,
    depth: Depth,
) -> Result<HashMap<&'static str, Style>, ThemeError> {
    let mut said = HashMap::new();
    for (scope, draft) in &sheet.styles {
        said.insert(scope.as_str(), style(sheet, depth, draft)?);
    }
    let nearest = |scope| {
        scope::with_parents(scope)
            .chain([TEXT])
            .find_map(|scope| said.get(scope))
    };
    let nearest = |scope| nearest(scope).copied().unwrap_or_default();
    let (text, dim) = (nearest(TEXT), nearest(DIM));
    let meant = |scope| {
        let mut style = nearest(scope);
        if SURFACES.contains(&scope) {
            (style.fg, style.bg) = (style.fg.or(text.fg), style.bg.or(text.bg));
        }
        style
    };
    let fit = |style: Style| match depth {
        // Without colours a style says nothing of them, so that it leaves alone what is below.
        Depth::None => Style {
            fg: None,
            bg: None,
            underline_color: None,
            ..style
        },
        Depth::Sixteen => Sixteen { text, dim }.fit(style),
        Depth::Indexed | Depth::True => Style {
            fg: style.fg.map(|color| depth.fit(color)),
            bg: style.bg.map(|color| depth.fit(color)),
            underline_color: style.underline_color.map(|color| depth.fit(color)),
            ..style
        },
    };
    let grounds = SURFACES.iter().map(|scope| meant(scope)).chain([text]);
    let grounds: Vec<_> = grounds.map(|style| (style.bg, fit(style).bg)).collect();
    let all = SCOPES.iter().flat_map(|scope| scope::with_parents(scope));
    let resolved = all.map(|scope| {
        let (style, fitted) = (meant(scope), fit(meant(scope)));
        // Two grounds may have become one; what they told apart is told by other means.
        let is_lost = |(bg, shown): &(Option<Color>, Option<Color>)| {
            style.bg.is_some() && style.bg != *bg && fitted.bg == *shown
        };
        let instead = match grounds.iter().any(is_lost) {
            true if SELECTIONS.contains(&scope) => Modifier::REVERSED,
            true if FIELDS.contains(&scope) => Modifier::UNDERLINED,
            _ => Modifier::empty(),
        };
        (scope, fitted.add_modifier(instead))
    });
    Ok(resolved.collect())
}

/// Colours for panes. A terminal of sixteen colours keeps its own.
pub(super) fn guest(sheet: &Sheet, depth: Depth) -> Result<GuestColors, ThemeError> {
    let color = |paint: &Paint| Ok::<_, ThemeError>(depth.fit(found(sheet, depth, paint)?));
    let ground = |paint: &Option<Paint>| paint.as_ref().map_or(Ok(Color::Reset), color);
    let mut guest = GuestColors {
        foreground: ground(&sheet.foreground)?,
        background: ground(&sheet.background)?,
        ansi: colour::ANSI,
    };
    for (place, paint) in guest.ansi.iter_mut().zip(sheet.ansi.iter().flatten()) {
        let color = color(paint)?;
        if depth > Depth::Sixteen {
            *place = color;
        }
    }
    if depth == Depth::None {
        guest.ansi = [Color::Reset; 16];
    }
    Ok(guest)
}

/// A style as it is meant, its colours not fitted yet.
fn style(sheet: &Sheet, depth: Depth, draft: &Draft) -> Result<Style, ThemeError> {
    let color = |paint: &Option<Paint>| {
        paint
            .as_ref()
            .map(|paint| found(sheet, depth, paint))
            .transpose()
    };
    let style = Style {
        fg: color(&draft.fg)?,
        bg: color(&draft.bg)?,
        underline_color: color(&draft.underline)?,
        ..Style::default()
    };
    let underlined = match draft.underline {
        Some(_) => Modifier::UNDERLINED,
        None => Modifier::empty(),
    };
    Ok(style.add_modifier(draft.modifiers | underlined))
}

/// The colour that is written so.
fn found(sheet: &Sheet, depth: Depth, paint: &Paint) -> Result<Color, ThemeError> {
    let name = match &paint.word {
        Word::Color(color) => return Ok(*color),
        Word::Name(name) => name,
    };
    let own = sheet.palette.iter().find(|(own, _)| own == name);
    if let Some((_, color)) = own {
        // What the author calls red is the terminal's red where that is all there is.
        let hue = colour::hue_by_name(name, sheet.kind == Kind::Dark);
        let hue = hue.filter(|_| depth == Depth::Sixteen && matches!(color, Color::Rgb(..)));
        return Ok(hue.unwrap_or(*color));
    }
    let unknown = || {
        let known = colour::names().map(|name| -> &str { name });
        let names = sheet
            .palette
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(known);
        let hint = did_you_mean(name, names, "the colours");
        ThemeError::new(format!("there is no colour {name:?}"), hint).at(&paint.at)
    };
    colour::by_name(name).ok_or_else(unknown)
}
