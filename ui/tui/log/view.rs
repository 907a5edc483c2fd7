//! The view of a boot log: where one is in it and how it is shown. Everything that is drawn is here; `act`, `refresh` and
//! the like bring it up to date, `draw` only draws it.
//!
//! Places are where lines begin in the log, so they stay what they are while the log grows, is cut or is filtered. When
//! the line that one was at is not shown, the next one is taken for it until it is shown again.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use ratatui::layout::Size;
use sistemo::machine::{Console, Error, LogReader};

use super::action::{LogAction, LogRequest};
use super::kind::Kind;
use super::pages::Pages;
use super::prompt::{Prompt, Purpose};
use super::save::{Order, Results, Saved, Saves};
use super::seek::Seek;
use super::source::{Notify, Source};
use super::status::Position;
use super::window::Window;

/// A boot log on the screen.
pub(crate) struct LogView {
    pub(super) name: String,
    /// Whether it is the log of the start before the last.
    pub(super) is_previous: bool,
    pub(super) pages: Pages,
    notify: Notify,
    /// The line one is at, and the line and row at the top: where one wants to be, and what is nearest to it now.
    pub(super) cursor: u64,
    pub(super) here: Option<u64>,
    pub(super) top: (u64, usize),
    pub(super) left: usize,
    pub(super) follows: bool,
    pub(super) wraps: bool,
    pub(super) times: bool,
    /// Where the marked lines begin, or end.
    pub(super) mark: Option<u64>,
    pub(super) prompt: Option<Prompt>,
    /// What was typed before.
    pub(super) typed: Vec<String>,
    pub(super) seek: Option<Seek>,
    /// Whether the cursor came from afar, and from how far it is to be seen.
    pub(super) came_far: bool,
    pub(super) notice: Option<String>,
    pub(super) results: Arc<Results>,
    pub(super) size: Size,
    pub(super) zone: TimeZone,
    // What is drawn.
    pub(super) window: Window,
    pub(super) stamps: Vec<Option<String>>,
    pub(super) position: Position,
}

impl LogView {
    /// Shows a machine's log, from its end. What is being saved when it is closed ends in `saves`. To be called on the
    /// runtime.
    pub(crate) fn new(
        name: &str,
        console: Console,
        is_previous: bool,
        notify: Notify,
        saves: Saves,
    ) -> Result<LogView, Error> {
        let reader = console.reader()?;
        let mut view = LogView::of(name, reader, is_previous, notify);
        view.results = Results::new(saves);
        view.watch(console);
        Ok(view)
    }

    fn watch(&mut self, console: Console) {
        self.pages.watch(console);
    }

    /// The same of a log that nobody watches.
    pub(super) fn of(name: &str, reader: LogReader, is_previous: bool, notify: Notify) -> LogView {
        LogView {
            name: name.into(),
            is_previous,
            pages: Pages::new(Source::new(reader, Arc::clone(&notify))),
            notify,
            cursor: 0,
            here: None,
            top: (0, 0),
            left: 0,
            follows: true,
            wraps: false,
            times: false,
            mark: None,
            prompt: None,
            typed: Vec::new(),
            seek: None,
            came_far: false,
            notice: None,
            results: Arc::default(),
            size: Size::default(),
            zone: TimeZone::system(),
            window: Window::default(),
            stamps: Vec::new(),
            position: Position::default(),
        }
    }

    /// Whether long lines are wrapped, and whether it is shown when lines were written.
    pub(crate) fn modes(&self) -> (bool, bool) {
        (self.wraps, self.times)
    }

    pub(crate) fn set_modes(&mut self, wraps: bool, times: bool) {
        (self.wraps, self.times) = (wraps, times);
    }

    /// Shows another log of the same machine in the same way.
    pub(crate) fn open(
        &mut self,
        console: Console,
        is_previous: bool,
        size: Size,
    ) -> Result<(), Error> {
        let reader = console.reader()?;
        self.replace(reader, is_previous, size);
        self.watch(console);
        Ok(())
    }

    pub(super) fn replace(&mut self, reader: LogReader, is_previous: bool, size: Size) {
        let patterns = self.pages.patterns().clone();
        self.pages = Pages::new(Source::new(reader, Arc::clone(&self.notify)));
        self.pages.look_for(patterns);
        self.is_previous = is_previous;
        self.begin_anew();
        let _ = self.refresh(size);
    }

    /// Goes to the end of what is another log now.
    fn begin_anew(&mut self) {
        (self.cursor, self.here, self.top, self.left) = (0, None, (0, 0), 0);
        (self.mark, self.seek, self.notice) = (None, None, None);
        self.follows = true;
    }

    /// Takes in what has happened to the log, and that the view has this size now, status line included.
    pub(crate) fn refresh(&mut self, size: Size) -> Vec<LogRequest> {
        self.size = size;
        let is_old = self.pages.source().state().is_old;
        if is_old && self.follows {
            self.pages.renew();
            self.begin_anew();
            let which = if self.is_previous {
                "the start before"
            } else {
                "it"
            };
            self.notice = Some(format!("the machine was started again: the log of {which}"));
        }
        self.pages.refresh();
        self.go_on();
        let requests = self.saved();
        self.settle();
        requests
    }

    /// Does something.
    pub(crate) fn act(&mut self, action: LogAction, size: Size) -> Vec<LogRequest> {
        self.size = size;
        self.notice = None;
        self.stop_seeking();
        self.pages.refresh();
        self.settle();
        let mut requests = Vec::new();
        match action {
            LogAction::Follow if self.follows => self.follows = false,
            LogAction::Follow | LogAction::Last => self.go_to_end(),
            LogAction::First => self.go_to(0),
            LogAction::Down => self.go_down(1),
            LogAction::Up => self.go_up(1),
            LogAction::HalfDown => self.scroll(self.page() / 2, true),
            LogAction::HalfUp => self.scroll(-(self.page() / 2), true),
            LogAction::PageDown => self.scroll(self.page(), true),
            LogAction::PageUp => self.scroll(-self.page(), true),
            LogAction::Left => self.left = self.left.saturating_sub(self.sideways()),
            LogAction::Right => self.go_right(),
            LogAction::Search => self.prompt = Some(Prompt::new(Purpose::Search)),
            LogAction::Filter => self.prompt = Some(Prompt::new(Purpose::Filter)),
            LogAction::Next => self.seek_next(Kind::Found, true),
            LogAction::Previous => self.seek_next(Kind::Found, false),
            LogAction::NextError => self.seek_next(Kind::Error, true),
            LogAction::PreviousError => self.seek_next(Kind::Error, false),
            LogAction::Wrap => self.wraps = !self.wraps,
            LogAction::Times => self.times = !self.times,
            LogAction::Mark => self.mark = if self.mark.is_some() { None } else { self.here },
            LogAction::Copy => requests.extend(self.copy()),
            LogAction::Save => requests.push(LogRequest::AskPath {
                suggested: format!("{}-boot.log", self.name),
            }),
            LogAction::OtherStart => requests.push(LogRequest::Open {
                previous: !self.is_previous,
            }),
        }
        self.settle();
        requests
    }

    /// Lets go of what is being done, the last thing first. `false` when there is nothing to let go of.
    pub(crate) fn escape(&mut self, size: Size) -> bool {
        self.size = size;
        let had_prompt = self.prompt.take().is_some();
        let was_busy = had_prompt || self.seek.is_some() || self.mark.is_some();
        if self.seek.is_some() {
            self.notice = None;
        }
        if !had_prompt && self.seek.is_none() {
            self.mark = None;
        }
        self.stop_seeking();
        // What is left out comes back before one leaves.
        let was_filtered = !was_busy && self.pages.patterns().filter.is_some();
        if was_filtered {
            self.filter("");
        }
        self.settle();
        was_busy || was_filtered
    }

    fn go_to_end(&mut self) {
        let is_old = self.pages.source().state().is_old;
        if is_old {
            self.pages.renew();
            self.begin_anew();
        }
        self.follows = true;
    }

    /// Saves the marked lines, or all that are shown, to a file.
    pub(crate) fn save(&mut self, path: PathBuf, replace: bool) {
        let all = (0, self.pages.shape().length);
        let range = self.marked().map_or(all, |(from, to)| (from, to + 1));
        self.notice = Some(format!("saving to {}", path.display()));
        let reader = self.pages.source().state().reader();
        let order = match reader {
            Ok(reader) => Order {
                reader,
                patterns: self.pages.patterns().clone(),
                path,
                replace,
                range,
            },
            Err(error) => {
                self.results.put(Saved::Failed(path, error.to_string()));
                return;
            }
        };
        order.begin(Arc::clone(&self.results), Arc::clone(&self.notify));
    }

    /// What came of saving since.
    fn saved(&mut self) -> Vec<LogRequest> {
        let mut requests = Vec::new();
        for saved in self.results.take() {
            self.notice = Some(saved.says().1);
            if let Saved::Exists(path) = saved {
                requests.push(LogRequest::AskReplace(path));
            }
        }
        requests
    }
}

impl std::fmt::Debug for LogView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogView")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
