//! The line below a log: where one is in it, how it is shown, and what is to be said.

use super::kind::Kind;
use super::pages::Pages;
use super::view::LogView;
use unicode_width::UnicodeWidthStr;

/// A count of lines, and whether it is known to be all.
type Count = (u64, bool);

/// Where one is in a log, as far as its lines are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub line: Option<u64>,
    pub lines: Count,
    /// How much of the log is before the end of the line, in percent.
    pub percent: Option<u64>,
    pub found: Option<(Option<u64>, Count)>,
    pub shown: Option<Count>,
    pub errors: Option<(Option<u64>, Count)>,
    pub is_there: bool,
    pub is_gone: bool,
    pub is_old: bool,
    pub failure: Option<String>,
}

impl Position {
    pub fn of(pages: &mut Pages, here: Option<u64>) -> Position {
        let mut number = |kind: Kind| here.and_then(|here| pages.number(here, kind));
        let (line, found) = (number(Kind::Line), number(Kind::Found));
        let error = number(Kind::Error);
        let total = |kind: Kind| pages.total(kind);
        let (lines, shown) = (total(Kind::Line).unwrap_or_default(), total(Kind::Shown));
        let found = total(Kind::Found).map(|count| (found, count));
        let errors = total(Kind::Error).map(|count| (error, count));
        let end = here
            .and_then(|here| pages.line(here))
            .map(|found| found.line().end);
        let shape = pages.shape();
        let percent = end.map(|end| shape.present_before(end) * 100 / shape.present().max(1));
        let state = pages.source().state();
        Position {
            line,
            lines,
            percent,
            found,
            shown,
            errors,
            is_there: state.is_there(),
            is_gone: state.is_gone,
            is_old: state.is_old,
            failure: state.failure.clone(),
        }
    }
}

/// Something to say, and how much that matters.
pub(super) struct Remark {
    weight: u8,
    pub text: String,
    /// Whether it is to be seen at a glance.
    pub is_strong: bool,
}

impl LogView {
    /// What there is to say, the first thing first.
    pub(super) fn remarks(&self, ellipsis: &str) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let mut say = |weight: u8, is_strong: bool, text: String| {
            remarks.push(Remark {
                weight,
                text,
                is_strong,
            });
        };
        let position = &self.position;
        if let Some(failure) = &position.failure {
            say(10, true, failure.clone());
        }
        if let Some(notice) = &self.notice {
            say(9, true, notice.clone());
        }
        if position.is_gone {
            say(8, true, "deleted with its machine".into());
        } else if position.is_old {
            say(8, true, "started again: the new log is at the end".into());
        }
        match (position.line, position.lines) {
            (Some(line), lines) => {
                say(
                    7,
                    false,
                    format!("line {} of {}", grouped(line), count(lines)),
                );
            }
            (None, (0, true)) => {}
            (None, lines) => say(2, false, format!("{} lines", count(lines))),
        }
        if let Some(percent) = position.percent {
            say(3, false, format!("{percent}%"));
        }
        if self.seek.is_some() {
            say(8, true, format!("searching{ellipsis}"));
        }
        if self.follows && !position.is_gone {
            say(6, true, "following".into());
        }
        let patterns = self.pages.patterns();
        if let (Some(pattern), Some((number, all))) = (&patterns.search, position.found) {
            let text = shortened(&pattern.text, ellipsis);
            say(5, false, format!("/{text} {}", one_of(number, all)));
        }
        if let (Some(pattern), Some(shown)) = (&patterns.filter, position.shown) {
            let text = shortened(&pattern.text, ellipsis);
            say(5, false, format!("&{text} {}", lines(shown)));
        }
        if let Some((number, all)) = position.errors {
            say(4, false, format!("errors {}", one_of(number, all)));
        }
        if self.is_previous {
            say(5, false, "start before the last".into());
        }
        if self.mark.is_some() {
            say(4, false, "marking".into());
        }
        if self.wraps {
            say(1, false, "wrap".into());
        }
        remarks
    }
}

/// Leaves out what matters least until the rest fits into so many cells.
pub(super) fn fit(mut remarks: Vec<Remark>, separator: usize, width: usize) -> Vec<Remark> {
    let needed = |remarks: &[Remark]| {
        let texts = remarks.iter().map(|remark| remark.text.width() + separator);
        texts.sum::<usize>().saturating_sub(separator)
    };
    while remarks.len() > 1 && needed(&remarks) > width {
        let least = remarks.iter().enumerate().rev();
        let Some((index, _)) = least.min_by_key(|(_, remark)| remark.weight) else {
            break;
        };
        remarks.remove(index);
    }
    remarks
}

fn one_of(number: Option<u64>, all: Count) -> String {
    match number {
        Some(number) => format!("{} of {}", grouped(number), count(all)),
        None => count(all),
    }
}

fn lines(all: Count) -> String {
    match all {
        (1, true) => "1 line".into(),
        all => format!("{} lines", count(all)),
    }
}

/// A count; with a `+` when there may be more.
fn count((number, is_all): Count) -> String {
    let more = if is_all { "" } else { "+" };
    format!("{}{more}", grouped(number))
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A pattern at a length at which it can be said.
fn shortened(text: &str, ellipsis: &str) -> String {
    match text.char_indices().nth(24) {
        Some((end, _)) => format!("{}{ellipsis}", &text[..end]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let numbers = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn what_matters_least_goes_first() {
        let remark = |weight: u8, text: &str| Remark {
            weight,
            text: text.into(),
            is_strong: false,
        };
        let all = || vec![remark(3, "aaa"), remark(1, "bbb"), remark(2, "ccc")];
        let texts = |width: usize| {
            let left = fit(all(), 3, width);
            left.into_iter()
                .map(|remark| remark.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(15), ["aaa", "bbb", "ccc"]);
        assert_eq!(texts(14), ["aaa", "ccc"]);
        assert_eq!(texts(2), ["aaa"]);
    }
}
