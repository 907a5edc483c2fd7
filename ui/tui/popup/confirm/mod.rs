//! The question before something ends or is lost. Enter alone never does harm: the button that it presses at first is
//! the one that does nothing, and where much would be lost its name has to be typed.

mod words;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};
use unicode_width::UnicodeWidthStr;

use super::dialog::{self, Button};
use super::{Popup, Step};
use crate::tui::model::Model;
use crate::tui::task::Task;
use words::{Asking, asking};

/// Columns that a question takes, where there are so many.
const WIDTH: u16 = 64;
const KEEP: &str = "keep the disk";

/// The question before a task, if there is one to ask.
pub(crate) fn for_task(task: &Task, model: &Model) -> Option<Box<dyn Popup>> {
    for_tasks(vec![task.clone()], model)
}

/// The question before tasks that are done together.
pub(crate) fn for_tasks(tasks: Vec<Task>, model: &Model) -> Option<Box<dyn Popup>> {
    let asking = asking(&tasks, model)?;
    let focus = match asking.typed {
        Some(_) => Focus::Input,
        None => Focus::Cancel,
    };
    Some(Box::new(Question {
        tasks,
        asking,
        input: Input::default(),
        focus,
        is_refused: false,
    }))
}

/// The question.
#[derive(Debug)]
struct Question {
    tasks: Vec<Task>,
    asking: Asking,
    input: Input,
    focus: Focus,
    /// Whether what was typed was not what has to be typed.
    is_refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Input,
    Keep,
    Cancel,
    Go,
}

/// Where its parts are.
struct Parts {
    frame: Rect,
    says: Vec<String>,
    things: Vec<String>,
    text: Rect,
    keep: Rect,
    input: Rect,
    buttons: Rect,
}

impl Question {
    fn keeps(&self) -> bool {
        let keeps = |task: &Task| {
            matches!(
                task,
                Task::Delete {
                    keep_storage: true,
                    ..
                }
            )
        };
        self.tasks.iter().all(keeps)
    }

    fn toggle_keep(&mut self, model: &Model) {
        let keep = !self.keeps();
        for task in &mut self.tasks {
            if let Task::Delete { keep_storage, .. } = task {
                *keep_storage = keep;
            }
        }
        self.refresh(model);
    }

    fn stops(&self) -> Vec<Focus> {
        let mut stops = Vec::new();
        stops.extend(self.asking.typed.is_some().then_some(Focus::Input));
        stops.extend(self.asking.can_keep.then_some(Focus::Keep));
        stops.extend([Focus::Cancel, Focus::Go]);
        stops
    }

    fn step(&mut self, by: isize) {
        let stops = self.stops();
        let at = stops
            .iter()
            .position(|stop| *stop == self.focus)
            .unwrap_or(0) as isize;
        self.focus = stops[(at + by).rem_euclid(stops.len() as isize) as usize];
    }

    /// Does it, if it may be done.
    fn go(&mut self) -> Vec<Step> {
        if let Some(typed) = &self.asking.typed
            && self.input.value().trim() != typed
        {
            self.is_refused = true;
            self.focus = Focus::Input;
            return Vec::new();
        }
        let tasks = std::mem::take(&mut self.tasks);
        [Step::Close]
            .into_iter()
            .chain(tasks.into_iter().map(Step::Do))
            .collect()
    }

    fn press(&mut self, focus: Focus, model: &Model) -> Vec<Step> {
        match focus {
            Focus::Input | Focus::Go => self.go(),
            Focus::Keep => {
                self.toggle_keep(model);
                Vec::new()
            }
            Focus::Cancel => vec![Step::Close],
        }
    }

    /// Whether letters go into the field. Where a number is to be typed, only digits do.
    fn takes(&self, letter: char) -> bool {
        let digits = self
            .asking
            .typed
            .as_ref()
            .is_some_and(|typed| typed.bytes().all(|b| b.is_ascii_digit()));
        self.focus == Focus::Input && (!digits || letter.is_ascii_digit())
    }

    fn buttons(&self) -> [Button; 2] {
        let go = self.asking.go;
        [
            Button::new("Cancel"),
            match self.asking.is_danger {
                true => Button::danger(go),
                false => Button::new(go),
            },
        ]
    }

    fn parts(&self, area: Rect) -> Parts {
        let columns = dialog::inside(dialog::centred(area, WIDTH, area.height)).width;
        let columns = usize::from(columns);
        let asking = &self.asking;
        let says: Vec<String> = asking
            .says
            .iter()
            .flat_map(|text| dialog::wrapped(text, columns))
            .collect();
        let extra = u16::from(asking.can_keep) + u16::from(asking.typed.is_some());
        // The frame, a blank line where there is room for it, the buttons.
        let around = 2 + extra + 1;
        let room = usize::from(area.height.saturating_sub(around));
        let room_for_things = room.saturating_sub(says.len()).max(1);
        let indented = columns.saturating_sub(2);
        let things = dialog::listed(&asking.things, indented, room_for_things);
        let text = u16::try_from(says.len() + things.len()).unwrap_or(u16::MAX);
        let blank = u16::from(text.saturating_add(around) < area.height);
        let height = text.saturating_add(around + blank);
        let frame = dialog::centred(area, WIDTH, height);
        let inside = dialog::inside(frame);
        let mut bottom = inside.bottom();
        let mut line = |wanted: bool| {
            let height = u16::from(wanted && bottom > inside.y);
            bottom -= height;
            Rect {
                y: bottom,
                height,
                ..inside
            }
        };
        let buttons = line(true);
        let input = line(asking.typed.is_some());
        let keep = line(asking.can_keep);
        Parts {
            frame,
            says,
            things,
            text: Rect {
                height: bottom - inside.y,
                ..inside
            },
            keep,
            input,
            buttons,
        }
    }
}

impl Popup for Question {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let plain = !key
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Esc => return vec![Step::Close],
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return vec![Step::Close];
            }
            KeyCode::Enter => return self.press(self.focus, model),
            KeyCode::Tab | KeyCode::Down => self.step(1),
            KeyCode::BackTab | KeyCode::Up => self.step(-1),
            KeyCode::Char(letter) if plain && self.takes(letter) => {
                self.is_refused = false;
                self.input.handle(InputRequest::InsertChar(letter));
            }
            KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l')
                if self.focus != Focus::Input =>
            {
                self.focus = match self.focus {
                    Focus::Cancel => Focus::Go,
                    _ => Focus::Cancel,
                };
            }
            KeyCode::Char(' ') if plain => return self.press(self.focus, model),
            KeyCode::Char('k') if plain && self.asking.can_keep => self.toggle_keep(model),
            KeyCode::Char('y' | 'Y') if plain => return self.go(),
            KeyCode::Char('n' | 'N' | 'q') if plain => return vec![Step::Close],
            _ if self.focus == Focus::Input => {
                self.is_refused = false;
                self.input.handle_event(&Event::Key(key));
            }
            _ => {}
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str, _model: &Model) -> Vec<Step> {
        if self.focus == Focus::Input {
            for letter in text.trim().chars().filter(|letter| !letter.is_control()) {
                self.input.handle(InputRequest::InsertChar(letter));
            }
        }
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        if event.kind != MouseEventKind::Down(MouseButton::Left) {
            return Vec::new();
        }
        let at = Position::new(event.column, event.row);
        let parts = self.parts(Rect::new(0, 0, model.size.0, model.size.1));
        match dialog::button_at(parts.buttons, &self.buttons(), at) {
            Some(0) => return vec![Step::Close],
            Some(_) => return self.go(),
            None if parts.keep.contains(at) => self.toggle_keep(model),
            None if parts.input.contains(at) => self.focus = Focus::Input,
            None => {}
        }
        Vec::new()
    }

    /// What is lost may have changed meanwhile.
    fn refresh(&mut self, model: &Model) {
        if let Some(asking) = asking(&self.tasks, model) {
            self.asking = asking;
        }
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let parts = self.parts(area);
        let (theme, glyphs) = (&model.theme, model.theme.glyphs());
        dialog::frame(model, parts.frame, &self.asking.title, buffer);
        let says = parts
            .says
            .iter()
            .map(|line| Line::styled(line.clone(), theme.style("popup")));
        let things = parts.things.iter();
        let things =
            things.map(|line| Line::styled(format!("  {line}"), theme.style("text.strong")));
        for (line, y) in says.chain(things).zip(parts.text.y..parts.text.bottom()) {
            line.render(
                Rect {
                    y,
                    height: 1,
                    ..parts.text
                },
                buffer,
            );
        }
        if parts.keep.height > 0 {
            let many = if self.tasks.len() > 1 { "s" } else { "" };
            let sign = if self.keeps() { glyphs.check } else { " " };
            let pointer = if self.focus == Focus::Keep {
                glyphs.selected
            } else {
                " "
            };
            let scope = if self.focus == Focus::Keep {
                "popup.selected"
            } else {
                "popup"
            };
            let text = format!("{pointer}[{sign}] {KEEP}{many} (k)");
            Line::styled(text, theme.style(scope)).render(parts.keep, buffer);
        }
        let mut cursor = None;
        if let (Some(typed), true) = (&self.asking.typed, parts.input.height > 0) {
            let says = match self.is_refused {
                true => format!("{} type {typed}: ", glyphs.cross),
                false => format!("type {typed} to go on: "),
            };
            let scope = if self.is_refused {
                "input.error"
            } else {
                "input.hint"
            };
            let label = u16::try_from(says.width())
                .unwrap_or(u16::MAX)
                .min(parts.input.width);
            let span = Span::styled(says, theme.style(scope));
            Line::from(span).render(parts.input, buffer);
            let field = Rect {
                x: parts.input.x + label,
                width: parts.input.width - label,
                ..parts.input
            };
            let at = super::field::draw_input(model, &self.input, field, buffer);
            cursor = (self.focus == Focus::Input).then_some(at);
        }
        let focus = match self.focus {
            Focus::Cancel => Some(0),
            Focus::Go => Some(1),
            Focus::Input | Focus::Keep => None,
        };
        dialog::draw_buttons(model, parts.buttons, &self.buttons(), focus, buffer);
        cursor
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        let mut keys = match self.asking.typed {
            Some(_) => vec![("enter", "do it"), ("esc", "cancel")],
            None => vec![("y", "do it"), ("n", "cancel")],
        };
        if self.asking.can_keep {
            keys.push(("k", KEEP));
        }
        keys.push(("tab", "next"));
        keys
    }
}
