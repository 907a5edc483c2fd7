//! Draws a pane's grid.

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::color::Colors;
use alacritty_terminal::term::search::Match;
use alacritty_terminal::vte::ansi::{self, NamedColor, Rgb};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::{Emulator, text};
use crate::tui::theme::{ANSI, Depth};
use crate::tui::view::text::is_harmful;

/// How a pane looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// How many colours the user's terminal has.
    pub(crate) depth: Depth,
    /// Where the guest names no colour; the user's terminal's own if `None`.
    pub(crate) foreground: Option<Color>,
    pub(crate) background: Option<Color>,
    /// The guest's sixteen colours; the user's terminal's own if `None`.
    pub(crate) ansi: Option<[Color; 16]>,
    /// What is selected. A reversed style reverses what the guest has there.
    pub(crate) selection: Style,
    /// What a search has found.
    pub(crate) found: Style,
    /// The one of them that one is at.
    pub(crate) found_current: Style,
    /// Whether the pane has the focus. If not, the cursor's cell is underlined, as the terminal's cursor is elsewhere.
    pub(crate) focused: bool,
}

/// Draws the grid into an area, from its corner; what is left of the area is blank. The cursor is the caller's to place
/// ([`Emulator::cursor`]).
pub(crate) fn paint(emulator: &mut Emulator, look: &Look, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    let (found, current) = emulator.visible_matches();
    let cursor = emulator.cursor().filter(|_| !look.focused);
    let term = &emulator.screen.term;
    let grid = term.grid();
    let selection = term
        .selection
        .as_ref()
        .and_then(|selection| selection.to_range(term));
    let mut found = found.iter().peekable();
    let mut inks = Inks::new(look, term.colors());
    let blank = inks.blank();
    let offset = i32::try_from(grid.display_offset()).unwrap_or_default();
    let shown = usize::from(area.width).min(grid.columns());
    for (line, y) in (area.top()..area.bottom()).enumerate() {
        let mut x = area.left();
        if line < grid.screen_lines() {
            let line = Line(i32::try_from(line).unwrap_or_default() - offset);
            let row = &grid[line];
            for column in 0..shown {
                let cell = &row[Column(column)];
                let point = Point::new(line, Column(column));
                let mut style = inks.style(cell);
                while found.next_if(|found| *found.end() < point).is_some() {}
                if holds(current.as_ref(), point) {
                    style = over(style, look.found_current);
                } else if holds(found.peek().copied(), point) {
                    style = over(style, look.found);
                }
                if selection.is_some_and(|selection| selection.contains(point)) {
                    style = over(style, look.selection);
                }
                // What is behind a wide character is the terminal's own business; ratatui wants it blank.
                let hidden = column > 0 && is_wide(&row[Column(column - 1)], cell);
                let room = column + 1 < shown && is_wide(cell, &row[Column(column + 1)]);
                let target = &mut buffer[(x, y)];
                target.reset();
                target.set_style(style);
                if !hidden {
                    symbol(cell, room, |symbol| {
                        target.set_symbol(symbol);
                    });
                }
                x += 1;
            }
        }
        for x in x..area.right() {
            buffer[(x, y)].reset();
            buffer[(x, y)].set_style(blank);
        }
    }
    if let Some(cursor) = cursor
        && cursor.column < area.width
        && cursor.line < area.height
    {
        let cell = &mut buffer[(area.left() + cursor.column, area.top() + cursor.line)];
        cell.set_style(Style::new().add_modifier(Modifier::UNDERLINED));
    }
}

fn holds(found: Option<&Match>, point: Point) -> bool {
    found.is_some_and(|found| found.contains(&point))
}

/// Whether two cells are one wide character.
fn is_wide(cell: &Cell, next: &Cell) -> bool {
    cell.flags.contains(Flags::WIDE_CHAR) && next.flags.contains(Flags::WIDE_CHAR_SPACER)
}

/// Says what to draw for a cell. Whatever the user's terminal could give another width than the grid does, or that could
/// act on it, is left out.
fn symbol(cell: &Cell, room: bool, draw: impl FnOnce(&str)) {
    let wide = cell.flags.contains(Flags::WIDE_CHAR);
    let layout = Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER | Flags::HIDDEN;
    // Skin tones join the character before them in many terminals, and what follows moves.
    let tone = matches!(cell.c, '\u{1f3fb}'..='\u{1f3ff}');
    if cell.c == ' ' || is_harmful(cell.c) || cell.flags.intersects(layout) || tone || wide != room
    {
        return draw(" ");
    }
    let mut buffer = [0; 4];
    let base: &str = cell.c.encode_utf8(&mut buffer);
    let marks = cell.zerowidth().unwrap_or_default();
    let marks = marks
        .iter()
        .filter(|c| !text::is_invisible(**c) && !is_harmful(**c));
    let mut marks = marks.peekable();
    if marks.peek().is_none() {
        return draw(base);
    }
    let mut whole = base.to_owned();
    whole.extend(marks);
    let width = if wide { 2 } else { 1 };
    draw(if whole.width() == width { &whole } else { base });
}

/// A style over a guest's. Reversing what is reversed shows it as it was, so that it differs from what is around it.
fn over(style: Style, top: Style) -> Style {
    let both = style.add_modifier.contains(Modifier::REVERSED)
        && top.add_modifier.contains(Modifier::REVERSED);
    let style = style.patch(top);
    if both {
        style.remove_modifier(Modifier::REVERSED)
    } else {
        style
    }
}

/// From a guest's colours to the user's terminal's.
struct Inks<'a> {
    look: &'a Look,
    /// What the guest has set (OSC 4, 10, 11).
    set: &'a Colors,
    /// The last cell's colours and what they came to: cells side by side mostly have the same.
    last: Option<(ansi::Color, ansi::Color, Style)>,
}

impl<'a> Inks<'a> {
    fn new(look: &'a Look, set: &'a Colors) -> Inks<'a> {
        Inks {
            look,
            set,
            last: None,
        }
    }

    /// The style where the grid has no cells.
    fn blank(&mut self) -> Style {
        let foreground = self.color(ansi::Color::Named(NamedColor::Foreground));
        let background = self.color(ansi::Color::Named(NamedColor::Background));
        Style::new().fg(foreground).bg(background)
    }

    fn style(&mut self, cell: &Cell) -> Style {
        let colors = match self.last {
            Some((fg, bg, style)) if (fg, bg) == (cell.fg, cell.bg) => style,
            _ => {
                let style = Style::new().fg(self.color(cell.fg)).bg(self.color(cell.bg));
                self.last = Some((cell.fg, cell.bg, style));
                style
            }
        };
        let mut modifiers = Modifier::empty();
        for (flag, modifier) in [
            (Flags::BOLD, Modifier::BOLD),
            (Flags::DIM, Modifier::DIM),
            (Flags::ITALIC, Modifier::ITALIC),
            (Flags::ALL_UNDERLINES, Modifier::UNDERLINED),
            (Flags::STRIKEOUT, Modifier::CROSSED_OUT),
            (Flags::INVERSE, Modifier::REVERSED),
        ] {
            if cell.flags.intersects(flag) {
                modifiers |= modifier;
            }
        }
        let style = colors.add_modifier(modifiers);
        match cell.underline_color() {
            Some(color) => style.underline_color(self.color(color)),
            None => style,
        }
    }

    fn color(&self, color: ansi::Color) -> Color {
        let index = match color {
            ansi::Color::Spec(rgb) => return self.fit(rgb),
            ansi::Color::Indexed(index) => usize::from(index),
            ansi::Color::Named(name) => name as usize,
        };
        if let Some(rgb) = self.set[index] {
            return self.fit(rgb);
        }
        let color = match index {
            0..16 => self.look.ansi.map_or(ANSI[index], |ansi| ansi[index]),
            16..256 => Color::Indexed(u8::try_from(index).unwrap_or_default()),
            _ if color == ansi::Color::Named(NamedColor::Background) => {
                self.look.background.unwrap_or(Color::Reset)
            }
            _ => self.look.foreground.unwrap_or(Color::Reset),
        };
        self.look.depth.fit(color)
    }

    fn fit(&self, Rgb { r, g, b }: Rgb) -> Color {
        self.look.depth.fit(Color::Rgb(r, g, b))
    }
}
