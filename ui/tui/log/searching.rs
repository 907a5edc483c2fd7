//! Looking for patterns in a log, and keeping only the lines that have one.

use std::sync::Arc;

use super::kind::{Kind, Patterns};
use super::pattern::Pattern;
use super::seek::{Progress, Seek};
use super::view::LogView;

impl LogView {
    /// Looks for a pattern from here on, or for nothing any more.
    pub(super) fn search(&mut self, text: &str) {
        let mut patterns = self.pages.patterns().clone();
        patterns.search = match self.compiled(text, Pattern::new) {
            Some(pattern) => pattern,
            None => return,
        };
        self.look_for(patterns);
        if self.pages.patterns().search.is_some() {
            let from = self.here.unwrap_or(self.cursor);
            self.begin_seek(Seek::new(Kind::Found, from, true));
        }
    }

    /// Keeps only the lines that have a pattern, or all of them.
    pub(super) fn filter(&mut self, text: &str) {
        let mut patterns = self.pages.patterns().clone();
        patterns.filter = match self.compiled(text, Pattern::filter) {
            Some(pattern) => pattern,
            None => return,
        };
        self.look_for(patterns);
        self.came_far = true;
    }

    /// The pattern that a text is, none if it is empty. Nothing if it cannot be looked for.
    fn compiled(
        &mut self,
        text: &str,
        build: impl Fn(&str) -> Option<Pattern>,
    ) -> Option<Option<Arc<Pattern>>> {
        if text.is_empty() {
            return Some(None);
        }
        let Some(pattern) = build(text) else {
            self.notice = Some("that is too long to be looked for".into());
            return None;
        };
        if pattern.is_literal {
            self.notice = Some("that is no regular expression: taken as it stands".into());
        }
        self.typed.retain(|typed| typed != text);
        self.typed.push(text.to_owned());
        Some(Some(Arc::new(pattern)))
    }

    fn look_for(&mut self, patterns: Patterns) {
        self.pages.source().state().around = self.here.unwrap_or(self.cursor);
        self.pages.look_for(patterns);
    }

    pub(super) fn seek_next(&mut self, kind: Kind, forwards: bool) {
        if kind == Kind::Found && self.pages.patterns().search.is_none() {
            self.notice = Some("nothing has been searched for yet".into());
            return;
        }
        let mut state = self.pages.source().state();
        state.begin(kind);
        state.around = self.here.unwrap_or(self.cursor);
        drop(state);
        let here = self.here.unwrap_or(self.cursor);
        let from = if forwards { here + 1 } else { here };
        self.begin_seek(Seek::new(kind, from, forwards));
    }

    fn begin_seek(&mut self, seek: Seek) {
        self.seek = Some(seek);
        self.go_on();
    }

    /// Goes on looking for a line, if one is looked for.
    pub(super) fn go_on(&mut self) {
        let Some(mut seek) = self.seek.take() else {
            return;
        };
        match seek.advance(&mut self.pages) {
            Progress::Looking => self.seek = Some(seek),
            Progress::Nothing => {
                let what = if seek.kind == Kind::Error {
                    "no error"
                } else {
                    "not found"
                };
                self.notice = Some(what.into());
            }
            Progress::Found(line) => {
                self.cursor = line;
                self.here = Some(line);
                self.follows = false;
                self.came_far = true;
                if seek.wrapped {
                    let end = if seek.is_forwards() {
                        "beginning"
                    } else {
                        "end"
                    };
                    self.notice = Some(format!("went on from the {end}"));
                }
            }
        }
    }

    pub(super) fn stop_seeking(&mut self) {
        if self.seek.take().is_some() {
            self.pages.want(None);
        }
    }
}
