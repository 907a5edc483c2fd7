//! A chunk of a log that is kept, and what was found in it.

use std::sync::{Arc, OnceLock};

use ratatui::style::Style;

use super::chunk::{Chunk, Line};
use super::colours;
use super::kind::{Kind, Patterns};
use super::strip::{Part, parts};

/// A chunk, and what was found in it.
#[derive(Debug)]
pub(super) struct Page {
    pub slot: usize,
    pub chunk: Chunk,
    lines: [OnceLock<Vec<u32>>; 3],
    styles: OnceLock<Vec<Style>>,
}

impl Page {
    pub fn new(slot: usize, chunk: Chunk) -> Page {
        Page {
            slot,
            chunk,
            lines: Default::default(),
            styles: OnceLock::new(),
        }
    }

    /// The lines of a kind, by number.
    pub fn lines(&self, kind: Kind, patterns: &Patterns) -> &[u32] {
        let place = match kind {
            Kind::Line | Kind::Shown => 0,
            Kind::Found => 1,
            Kind::Error => 2,
        };
        self.lines[place].get_or_init(|| patterns.lines(kind, &self.chunk))
    }

    /// The guest's style at the beginning of each line: what those before it in the chunk have left.
    fn style(&self, index: usize) -> Style {
        let styles = self.styles.get_or_init(|| {
            let mut style = Style::new();
            let mut styles = Vec::with_capacity(self.chunk.lines().len());
            for index in 0..self.chunk.lines().len() {
                styles.push(style);
                parts(self.chunk.text(index), |part| {
                    if let Part::Colours(parameters) = part {
                        style = colours::choose(style, parameters);
                    }
                });
            }
            styles
        });
        styles.get(index).copied().unwrap_or_default()
    }
}

/// A line with the chunk that it is in.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub page: Arc<Page>,
    pub index: usize,
}

impl Found {
    pub fn line(&self) -> Line {
        self.page.chunk.lines()[self.index]
    }

    pub fn text(&self) -> &[u8] {
        match self.line().left_out {
            0 => self.page.chunk.text(self.index),
            _ => &[],
        }
    }

    /// The guest's style at its beginning.
    pub fn style(&self) -> Style {
        self.page.style(self.index)
    }
}
