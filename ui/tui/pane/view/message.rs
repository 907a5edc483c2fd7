//! What a pane without a shell says, and what is asked in a pane.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use sistemo::guest::client::Exit;

use super::super::emulator::Shape;
use super::super::look::PaneLook;
use super::super::session::{Machine, MachineState, State};
use super::super::workspace::{Mode, Pane, Workspace};
use super::CursorPlace;
use super::words::{fit, plain, width, wrap};

/// What a pane says in place of a shell.
pub(super) fn of(pane: &Pane, state: &State, look: &PaneLook) -> String {
    let name = plain(&pane.machine.name);
    let dash = look.lines().dash;
    let waits = |text: String| format!("{} {text}", look.spinner);
    match state {
        State::Live => String::new(),
        State::Connecting => waits(format!("connecting to {name}")),
        State::Waiting => waiting(&pane.machine, &name, look),
        State::Lost(why) => {
            let why = plain(why);
            format!("{why} {dash} it is tried again; press Enter to try now, x to close")
        }
        State::Refused(why, hint) => {
            let hint = hint.as_ref().map(|hint| format!(" ({})", plain(hint)));
            let (why, hint) = (plain(why), hint.unwrap_or_default());
            format!("{why}{hint} {dash} press Enter to try again, x to close")
        }
        State::Left => format!(
            "you have ended the shell in {name} {dash} press Enter for a new shell, x to close"
        ),
        State::Ended(exit) => {
            let how = match exit {
                Exit::Status(0) => String::new(),
                Exit::Status(status) => format!(" with exit status {status}"),
                Exit::Signal { name, .. } => format!(" by signal {}", plain(name)),
            };
            format!("the shell has ended{how} {dash} press Enter for a new shell, x to close")
        }
    }
}

fn waiting(machine: &Machine, name: &str, look: &PaneLook) -> String {
    let dash = look.lines().dash;
    match &machine.state {
        MachineState::Running => format!("{} connecting to {name}", look.spinner),
        MachineState::Starting => format!(
            "{} {name} is starting: it connects when it is up",
            look.spinner
        ),
        MachineState::Stopping => format!("{name} is being stopped"),
        MachineState::Stopped => format!(
            "{name} has stopped: it reconnects when it runs again {dash} press s to start it, x to close"
        ),
        MachineState::Failed(why) => {
            let why = why.as_ref().map(|why| format!(": {}", plain(why)));
            let why = why.unwrap_or_default();
            format!("{name} has failed{why} {dash} press s to start it, x to close")
        }
        MachineState::Gone => format!("{name} was deleted {dash} press x to close"),
    }
}

/// Draws a message over the last lines of a pane: what the guest said last stays to be read above.
pub(super) fn draw(text: &str, area: Rect, buffer: &mut Buffer, look: &PaneLook) {
    if area.width < 3 || area.height == 0 {
        return;
    }
    let lines = wrap(text, area.width - 2);
    let shown = lines.len().min(area.height.into());
    let top = area.bottom() - u16::try_from(shown).unwrap_or(area.height);
    for (y, line) in (top..).zip(&lines[..shown]) {
        let row = Rect {
            y,
            height: 1,
            ..area
        };
        for at in row.positions() {
            if let Some(cell) = buffer.cell_mut(at) {
                cell.reset();
            }
        }
        buffer.set_style(row, look.message);
        buffer.set_stringn(
            area.x + 1,
            y,
            line,
            usize::from(area.width - 2),
            look.message,
        );
    }
}

/// A question or a line to be typed.
pub(super) enum Asked {
    Question(String),
    Line {
        label: String,
        value: String,
        cursor: usize,
    },
}

/// What is asked in the focused pane now.
pub(super) fn asked(workspace: &Workspace, look: &PaneLook) -> Option<Asked> {
    let line = |label: &str, input: &tui_input::Input| Asked::Line {
        label: label.to_owned(),
        value: input.value().to_owned(),
        cursor: input.visual_cursor(),
    };
    match &workspace.mode {
        Mode::Confirm(_) => {
            let name = plain(&workspace.machine()?.name);
            let dash = look.lines().dash;
            Some(Asked::Question(format!(
                "this ends the shell in {name} {dash} y to close it, any other key to keep it"
            )))
        }
        Mode::Rename(input) => Some(line("name of the tab: ", input)),
        Mode::Copy(copy) => {
            let prompt = copy.prompt.as_ref()?;
            Some(line(if prompt.back { "?" } else { "/" }, &prompt.input))
        }
        _ => None,
    }
}

/// Draws what is asked; where the cursor belongs.
pub(super) fn draw_asked(
    asked: &Asked,
    area: Rect,
    buffer: &mut Buffer,
    look: &PaneLook,
) -> Option<CursorPlace> {
    match asked {
        Asked::Question(text) => {
            draw(text, area, buffer, look);
            None
        }
        Asked::Line {
            label,
            value,
            cursor,
        } => {
            let room = area.width.saturating_sub(2);
            let label = fit(label, room / 2, look.lines().ellipsis);
            let before = width(&label);
            let (value, cursor) = seen(value, *cursor, room.saturating_sub(before + 1));
            // A blank keeps the line when nothing was typed yet.
            draw_line(&format!("{label}{value}"), area, buffer, look);
            let at = Position::new(area.x + 1 + before + cursor, area.bottom().checked_sub(1)?);
            let shape = Shape::Bar;
            area.contains(at).then_some(CursorPlace { at, shape })
        }
    }
}

/// One line at the bottom, with its blanks.
fn draw_line(text: &str, area: Rect, buffer: &mut Buffer, look: &PaneLook) {
    if area.width < 3 || area.height == 0 {
        return;
    }
    let row = Rect {
        y: area.bottom() - 1,
        height: 1,
        ..area
    };
    for at in row.positions() {
        if let Some(cell) = buffer.cell_mut(at) {
            cell.reset();
        }
    }
    buffer.set_style(row, look.message);
    buffer.set_stringn(
        row.x + 1,
        row.y,
        text,
        usize::from(row.width - 2),
        look.message,
    );
}

/// The end of a line that fits in front of its cursor, with the cursor's column.
fn seen(value: &str, cursor: usize, room: u16) -> (String, u16) {
    let cursor = u16::try_from(cursor).unwrap_or(u16::MAX);
    let mut skip = cursor.saturating_sub(room);
    let hidden = skip;
    let rest = value.chars().skip_while(|char| {
        let taken = width(char.encode_utf8(&mut [0; 4]));
        let skipped = skip > 0;
        skip = skip.saturating_sub(taken);
        skipped
    });
    (rest.collect(), cursor - hidden)
}
