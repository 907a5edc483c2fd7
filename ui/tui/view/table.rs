//! A list as a table: columns that fit, the rows that are on the screen, and what a click means.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::empty;
use super::text::{fitted, harmless};
use crate::tui::list::{self, Column};
use crate::tui::model::Model;
use crate::tui::model::list::List;
use crate::tui::model::place::View;

/// Columns between two columns.
const GAP: u16 = 2;
/// The mark and the sign of the selected row.
const MARGIN: u16 = 2;
/// The least and the most that a drawing takes.
const DRAWN: (u16, u16) = (6, 24);
/// Of so many rows the widest tells how wide a column is, besides those on the screen: to write out thousands for every
/// frame takes longer than a frame may.
const MEASURED: usize = 200;
/// What is never dropped may be cut down to this.
const LEAST: u16 = 8;
/// What one long text takes of the room of other columns at most; it gets what none of them wants.
const LONG: u16 = 28;

/// What a click in a table means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// The row at this place among those that are shown.
    Row(usize),
    /// The title of this column.
    Title(&'static str),
}

/// A column and where it is.
struct Placed {
    column: &'static Column,
    x: u16,
    width: u16,
}

/// How many rows of a list there is room for in a body.
pub(crate) fn body_rows(model: &Model, area: Rect) -> usize {
    let (_, rows, _) = parts(model, area);
    usize::from(rows.height)
}

/// The line of titles, the rows, and the line of the filter.
fn parts(model: &Model, area: Rect) -> (Rect, Rect, Rect) {
    let list = model.lists.get(model.place.view);
    let filters =
        list.is_some_and(|list| list.input.is_some() || !list.filter.text.trim().is_empty());
    let title = area.height.min(1);
    let filter = u16::from(filters).min(area.height - title);
    let rows = area.height - title - filter;
    let line = |y, height| Rect { y, height, ..area };
    (
        line(area.y, title),
        line(area.y + title, rows),
        line(area.y + title + rows, filter),
    )
}

/// Draws the list of the view that is open. Gives the cursor's place while the filter is typed.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let view = model.place.view;
    let list = model.lists.get(view)?;
    let (titles, rows, filter) = parts(model, area);
    if list.rows.is_empty() {
        empty::draw(model, view, rows, buffer);
    } else {
        let columns = place(model, view, list, rows);
        draw_titles(model, list, &columns, titles, buffer);
        draw_rows(model, view, list, &columns, rows, buffer);
    }
    draw_filter(model, list, filter, buffer)
}

/// What is at a place of the screen.
pub(crate) fn hit(model: &Model, area: Rect, column: u16, line: u16) -> Option<Hit> {
    let view = model.place.view;
    let list = model.lists.get(view)?;
    let (titles, rows, _) = parts(model, area);
    let at = Position::new(column, line);
    if rows.contains(at) {
        let row = list.top + usize::from(line - rows.y);
        return (row < list.rows.len()).then_some(Hit::Row(row));
    }
    if titles.contains(at) {
        let columns = place(model, view, list, rows);
        let found = columns
            .iter()
            .find(|placed| (placed.x..placed.x + placed.width).contains(&column));
        return found.map(|placed| Hit::Title(placed.column.id));
    }
    None
}

fn visible(list: &List, rows: Rect) -> &[usize] {
    let end = list.rows.len().min(list.top + usize::from(rows.height));
    &list.rows[list.top.min(end)..end]
}

/// Chooses columns and gives each its place.
fn place(model: &Model, view: View, list: &List, area: Rect) -> Vec<Placed> {
    let columns = list::wanted(model, view);
    let step = list.rows.len().div_ceil(MEASURED).max(1);
    let wish = |column: &&'static Column| -> u16 {
        if column.drawn {
            return DRAWN.0;
        }
        // Room for the arrow of the order.
        let title = column.title.width() + usize::from(is_sorted(list, column)) * 2;
        let measured = list.rows.iter().step_by(step).chain(visible(list, area));
        let widest = measured.map(|row| column.text(model, *row).width()).max();
        u16::try_from(widest.unwrap_or(0).max(title)).unwrap_or(u16::MAX)
    };
    let whole: Vec<u16> = columns.iter().map(wish).collect();
    let mut columns: Vec<(&'static Column, u16)> = columns.into_iter().zip(whole).collect();
    let mut widths: Vec<u16> = columns
        .iter()
        .map(|(_, whole)| (*whole).min(LONG))
        .collect();
    let needed = |widths: &[u16]| -> u16 {
        let gaps = GAP * u16::try_from(widths.len().saturating_sub(1)).unwrap_or(u16::MAX);
        widths
            .iter()
            .fold(MARGIN.saturating_add(gaps), |sum, width| {
                sum.saturating_add(*width)
            })
    };
    while columns.len() > 1 && needed(&widths) > area.width {
        let least = (0..columns.len())
            .min_by_key(|at| columns[*at].0.weight)
            .unwrap_or(0);
        columns.remove(least);
        widths.remove(least);
    }
    if let [only] = widths.as_mut_slice() {
        *only = (*only)
            .min(area.width.saturating_sub(MARGIN))
            .max(LEAST.min(area.width));
    }
    let mut spare = area.width.saturating_sub(needed(&widths));
    for ((_, whole), width) in columns.iter().zip(&mut widths) {
        let more = spare.min(whole.saturating_sub(*width));
        *width += more;
        spare -= more;
    }
    for ((column, _), width) in columns.iter().zip(&mut widths) {
        if column.drawn {
            let more = spare.min(DRAWN.1 - *width);
            *width += more;
            spare -= more;
        }
    }
    let mut x = area.x + MARGIN;
    let placed = columns.into_iter().zip(widths).map(|((column, _), width)| {
        let placed = Placed { column, x, width };
        x += width + GAP;
        placed
    });
    placed.collect()
}

fn is_sorted(list: &List, column: &Column) -> bool {
    list.sort.as_ref().is_some_and(|(id, _)| id == column.id)
}

fn draw_titles(model: &Model, list: &List, columns: &[Placed], area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let style = model.theme.style("table.header");
    buffer.set_style(area, style);
    for placed in columns {
        let glyphs = model.theme.glyphs();
        let arrow = match &list.sort {
            Some((id, true)) if id == placed.column.id => glyphs.down,
            Some((id, false)) if id == placed.column.id => glyphs.up,
            _ => "",
        };
        let title = match arrow {
            "" => placed.column.title.to_string(),
            arrow => format!("{} {arrow}", placed.column.title),
        };
        put(buffer, placed, area.y, &[(title, style)], glyphs.ellipsis);
    }
}

fn draw_rows(
    model: &Model,
    view: View,
    list: &List,
    columns: &[Placed],
    area: Rect,
    buffer: &mut Buffer,
) {
    let glyphs = model.theme.glyphs();
    let words = list.filter.words();
    for (number, row) in visible(list, area).iter().enumerate() {
        let y = area.y + u16::try_from(number).unwrap_or(u16::MAX);
        let is_selected = list.top + number == list.at;
        let id = list::identity(model, view, *row).unwrap_or_default();
        let is_marked = list.marked.contains(&id);
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let over = match (is_selected, is_marked) {
            (true, _) => Some(model.theme.style("table.selected")),
            (false, true) => Some(model.theme.style("table.marked")),
            (false, false) => None,
        };
        let base = model.theme.style("table.row");
        buffer.set_style(line, over.unwrap_or(base));
        let sign = match (is_selected, is_marked) {
            (_, true) => glyphs.marked,
            (true, false) => glyphs.selected,
            (false, false) => " ",
        };
        buffer.set_string(area.x, y, sign, over.unwrap_or(base));
        for placed in columns {
            let cell = (placed.column.cell)(model, *row, placed.width);
            let mut parts = Vec::with_capacity(cell.len());
            for part in cell {
                let style = model.theme.style(part.scope);
                let style = match over {
                    // The row's own colours say more than the cell's; bold and the like stay.
                    Some(over) => style.patch(over),
                    None => style,
                };
                parts.push((part.text, style));
            }
            put(buffer, placed, y, &parts, glyphs.ellipsis);
            if !placed.column.drawn && !words.is_empty() {
                let text: String = parts.iter().map(|(text, _)| text.as_str()).collect();
                highlight(model, buffer, placed, y, &text, &words);
            }
        }
    }
}

/// Writes the parts of a cell into its column.
fn put(buffer: &mut Buffer, placed: &Placed, y: u16, parts: &[(String, Style)], ellipsis: &str) {
    let whole: usize = parts.iter().map(|(text, _)| text.width()).sum();
    let mut room = usize::from(placed.width);
    let mut x = placed.x;
    if placed.column.right && whole < room {
        x += u16::try_from(room - whole).unwrap_or(0);
    }
    for (text, style) in parts {
        let text = fitted(text, room, ellipsis);
        let (next, _) = buffer.set_stringn(x, y, &text, room, *style);
        room -= usize::from(next - x);
        x = next;
    }
}

/// Makes what the filter looks for stand out.
fn highlight(
    model: &Model,
    buffer: &mut Buffer,
    placed: &Placed,
    y: u16,
    text: &str,
    words: &[String],
) {
    let small = text.to_lowercase();
    // Small letters of a few scripts take other bytes than capital ones; there nothing stands out.
    if small.len() != text.len() || placed.column.right {
        return;
    }
    for word in words {
        for (at, found) in small.match_indices(word.as_str()) {
            let (Some(before), Some(found)) = (text.get(..at), text.get(at..at + found.len()))
            else {
                continue;
            };
            let x = placed
                .x
                .saturating_add(u16::try_from(before.width()).unwrap_or(u16::MAX));
            let end = x.saturating_add(u16::try_from(found.width()).unwrap_or(u16::MAX));
            let end = end.min(placed.x + placed.width);
            if x < end {
                let place = Rect {
                    x,
                    y,
                    width: end - x,
                    height: 1,
                };
                let style = model.theme.style("table.match");
                buffer.set_style(
                    place,
                    Style {
                        add_modifier: style.add_modifier | Modifier::UNDERLINED,
                        ..style
                    },
                );
            }
        }
    }
}

fn draw_filter(model: &Model, list: &List, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.height == 0 {
        return None;
    }
    let typed = list.input.as_ref().map(|input| input.value());
    let text = typed.unwrap_or(&list.filter.text);
    buffer.set_style(area, model.theme.style("input"));
    let total = model
        .lists
        .get(model.place.view)
        .map_or(0, |list| list.rows.len());
    let count = format!("{total} shown");
    let width = usize::from(area.width);
    let line = format!(" /{}", harmless(text));
    buffer.set_stringn(
        area.x,
        area.y,
        fitted(&line, width, model.theme.glyphs().ellipsis),
        width,
        model.theme.style("input"),
    );
    let used = line.width() + 2;
    if used + count.width() < width {
        let x = area
            .right()
            .saturating_sub(u16::try_from(count.width() + 1).unwrap_or(0));
        buffer.set_string(x, area.y, count, model.theme.style("input.hint"));
    }
    let input = list.input.as_ref()?;
    let x = area.x + 2 + u16::try_from(input.visual_cursor()).unwrap_or(0);
    Some(Position::new(x.min(area.right().saturating_sub(1)), area.y))
}
