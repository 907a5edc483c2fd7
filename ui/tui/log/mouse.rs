//! What the mouse does in a log.

use ratatui::layout::Size;

use super::view::LogView;

impl LogView {
    /// The wheel was turned by so many rows, up if they are negative.
    pub(crate) fn wheel(&mut self, rows: isize, size: Size) {
        self.size = size;
        self.pages.refresh();
        self.settle();
        self.scroll(rows, false);
        self.settle();
    }

    /// A row was clicked on, counted from the view's top; with `drag`, lines are marked up to it.
    pub(crate) fn click(&mut self, row: u16, drag: bool, size: Size) {
        self.size = size;
        self.settle();
        let Some(line) = self.window.line(usize::from(row)).map(|line| line.at) else {
            return;
        };
        if drag && self.mark.is_none() && self.here != Some(line) {
            self.mark = self.here;
        }
        self.follows = false;
        self.cursor = line;
        self.settle();
    }
}
