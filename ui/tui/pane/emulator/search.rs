//! Searching what a pane shows and has shown.

use alacritty_terminal::grid::{Dimensions, Scroll};
use alacritty_terminal::index::{Column, Direction, Line, Point, Side};
use alacritty_terminal::term::search::{Match, RegexIter, RegexSearch};

use super::Emulator;

/// How many rows around the view are looked at for the rest of a match that is only partly on it.
const MARGIN: usize = 100;

/// The most matches that are looked for at once.
const MOST_STEPS: u32 = 100;

/// What is being searched for.
pub(super) struct Search {
    regex: RegexSearch,
    /// The match that one is at.
    current: Option<Match>,
}

/// What is wrong with a search's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadSearch(pub(crate) String);

impl Emulator {
    /// Searches for a regular expression, upper and lower case alike unless it has an upper one. Goes to the match that is
    /// nearest above the end of the view, and says whether there is any. An empty text ends the search.
    pub(crate) fn set_search(&mut self, text: &str) -> Result<bool, BadSearch> {
        if text.is_empty() {
            self.clear_search();
            return Ok(false);
        }
        let regex = RegexSearch::new(text).map_err(|error| BadSearch(reason(text, &error)))?;
        self.search = Some(Search {
            regex,
            current: None,
        });
        let from = if self.in_copy_mode() {
            self.screen.term.vi_mode_cursor.point
        } else {
            let offset = i32::try_from(self.scrolled_back()).unwrap_or_default();
            let last = self.screen.term.bottommost_line() - offset;
            Point::new(last, self.screen.term.last_column())
        };
        Ok(self.find(from, Direction::Left))
    }

    /// Whether something is being searched for.
    #[cfg(test)]
    pub(crate) fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Ends the search; the view stays.
    pub(crate) fn clear_search(&mut self) {
        self.search = None;
        self.settle();
    }

    /// Goes to the next match towards the end, or from there to the first. Whether there is one.
    pub(crate) fn search_next(&mut self) -> bool {
        let from = self.current().map(|found| *found.end());
        let after = |point: Point| {
            let term = &self.screen.term;
            let next = term.expand_wide(point, Direction::Right);
            next.add(term, alacritty_terminal::index::Boundary::None, 1)
        };
        let start = Point::new(self.screen.term.topmost_line(), Column(0));
        let from = from.map_or(start, after);
        self.find(from, Direction::Right)
    }

    /// Goes to the match before, or from the first to the last. Whether there is one.
    pub(crate) fn search_previous(&mut self) -> bool {
        let term = &self.screen.term;
        let end = Point::new(term.bottommost_line(), term.last_column());
        let before = |point: Point| {
            let next = term.expand_wide(point, Direction::Left);
            next.sub(term, alacritty_terminal::index::Boundary::None, 1)
        };
        let from = self.current().map_or(end, |found| before(*found.start()));
        self.find(from, Direction::Left)
    }

    /// Goes on by as many matches; how many had to be looked for. Once around they are only counted, as each may cost a
    /// look through all of history, and where there are very many it stops after [`MOST_STEPS`].
    pub(crate) fn search_on(&mut self, back: bool, times: u32) -> u32 {
        let (mut left, mut steps, mut first) = (times, 0, None);
        while left > 0 && steps < MOST_STEPS {
            let found = match back {
                true => self.search_previous(),
                false => self.search_next(),
            };
            if !found {
                break;
            }
            left -= 1;
            let place = self.current().map(|found| *found.start());
            if *first.get_or_insert(place) == place && steps > 0 {
                left %= steps;
            }
            steps += 1;
        }
        steps
    }

    /// The match that one is at, if the grid still has its place.
    fn current(&self) -> Option<Match> {
        let current = self.search.as_ref()?.current.clone()?;
        let term = &self.screen.term;
        let there = current.start().line >= term.topmost_line()
            && current.end().line <= term.bottommost_line()
            && current.start().column.max(current.end().column) <= term.last_column();
        there.then_some(current)
    }

    /// Has the match that one is at go along when lines go up. Once the history is full, and the view at its end, nobody
    /// can tell how far they went; then [`Emulator::visible_matches`] no longer finds it where it was.
    pub(super) fn follow(&mut self, lines: usize) {
        let current = self
            .search
            .as_mut()
            .and_then(|search| search.current.as_mut());
        if let Some(current) = current.filter(|_| lines > 0) {
            let up = |point: Point| Point::new(point.line - lines, point.column);
            *current = up(*current.start())..=up(*current.end());
        }
    }

    fn find(&mut self, from: Point, direction: Direction) -> bool {
        self.bring_back();
        let term = &mut self.screen.term;
        let Some(search) = &mut self.search else {
            return false;
        };
        let side = match direction {
            Direction::Left => Side::Right,
            Direction::Right => Side::Left,
        };
        search.current = term.search_next(&mut search.regex, from, direction, side, None);
        let Some(found) = search.current.clone() else {
            return false;
        };
        self.show(*found.start());
        true
    }

    /// Has a point in the view: in the middle, if it was not there before.
    fn show(&mut self, point: Point) {
        let term = &mut self.screen.term;
        if self.search.is_some() && term.mode().contains(alacritty_terminal::term::TermMode::VI) {
            term.vi_goto_point(point);
        }
        let offset = i32::try_from(term.grid().display_offset()).unwrap_or_default();
        let lines = i32::try_from(term.screen_lines()).unwrap_or(i32::MAX);
        let row = point.line.0 + offset;
        if !(0..lines).contains(&row) {
            let wanted = lines / 2 - point.line.0;
            term.scroll_display(Scroll::Delta(wanted - offset));
        }
    }

    /// The matches that are on the view at least in part, from its top to its end, and the one that one is at.
    pub(super) fn visible_matches(&mut self) -> (Vec<Match>, Option<Match>) {
        let current = self.current();
        let term = &self.screen.term;
        let Some(search) = &mut self.search else {
            return (Vec::new(), None);
        };
        let still = |found: &Match| {
            let again = term.regex_search_right(&mut search.regex, *found.start(), *found.end());
            again.as_ref() == Some(found)
        };
        let current = current.filter(still);
        let offset = i32::try_from(term.grid().display_offset()).unwrap_or_default();
        let (first, last) = (Line(-offset), term.bottommost_line() - offset);
        let mut start = term.line_search_left(Point::new(first, Column(0)));
        let mut end = term.line_search_right(Point::new(last, term.last_column()));
        start.line = start.line.max(first - MARGIN);
        end.line = end.line.min(last + MARGIN);
        let found = RegexIter::new(start, end, Direction::Right, term, &mut search.regex)
            .skip_while(|found| found.end().line < first)
            .take_while(|found| found.start().line <= last);
        (found.collect(), current)
    }
}

/// What is wrong with a regular expression, in one line; the crate that reads it only says where its own limits are.
fn reason(text: &str, error: &dyn std::error::Error) -> String {
    match regex::Regex::new(text) {
        Err(regex::Error::Syntax(long)) => {
            let last = long.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
        Err(error) => error.to_string(),
        Ok(_) => error.to_string(),
    }
}
