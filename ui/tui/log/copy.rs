//! Marking lines, and copying them.

use super::action::LogRequest;
use super::shown::plain;
use super::status::grouped;
use super::view::LogView;

/// The most that is copied, in bytes; what is longer is for a file.
const MOST_COPIED: usize = 1 << 20;

impl LogView {
    /// The first and the last of the marked lines.
    pub(super) fn marked(&self) -> Option<(u64, u64)> {
        let (mark, here) = (self.mark?, self.here?);
        Some((mark.min(here), mark.max(here)))
    }

    /// The marked lines, or the one that one is at, as text.
    pub(super) fn copy(&mut self) -> Option<LogRequest> {
        let here = self.here?;
        let (from, to) = self.marked().unwrap_or((here, here));
        let (mut text, mut count) = (String::new(), 0);
        let mut next = Some(from);
        while let Some(at) = next.filter(|at| *at <= to) {
            if let Some(found) = self.pages.line(at)
                && found.line().left_out == 0
            {
                text += &plain(found.text());
                text.push('\n');
                count += 1;
            }
            if text.len() > MOST_COPIED {
                self.notice = Some("that is too much to copy: save it to a file".into());
                return None;
            }
            next = self.pages.behind(at);
        }
        // A single line is one that something may be put behind.
        if count == 1 {
            text.pop();
        }
        self.mark = None;
        self.notice = Some(match count {
            1 => "copied the line".into(),
            count => format!("copied {} lines", grouped(count)),
        });
        Some(LogRequest::Copy(text))
    }
}
