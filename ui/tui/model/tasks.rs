//! Tasks that are being done, and what each last said.

use std::time::Instant;

use sistemo::event::Event;

use crate::tui::task::{Outcome, Task, TaskId};

/// One that is being done, or was.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) id: TaskId,
    pub(crate) task: Task,
    pub(crate) begun: Instant,
    /// The step that it is at.
    pub(crate) step: String,
    /// Transfers under way: their identifier, their label, bytes done and bytes in all.
    pub(crate) transfers: Vec<(String, String, u64, Option<u64>)>,
    /// Facts that were told.
    pub(crate) notes: Vec<String>,
    pub(crate) is_cancelled: bool,
    /// What was selected in the list where what it makes will appear.
    pub(crate) selected: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    next: TaskId,
    pub(crate) running: Vec<Running>,
    /// What would take the last one back, if anything would.
    pub(crate) undo: Option<Task>,
    /// The command that does what was done last.
    pub(crate) last_command: Option<String>,
}

impl Tasks {
    /// Notes one that begins, and gives its number.
    pub(crate) fn begin(&mut self, task: Task, begun: Instant) -> TaskId {
        self.next += 1;
        self.running.push(Running {
            id: self.next,
            task,
            begun,
            step: String::new(),
            transfers: Vec::new(),
            notes: Vec::new(),
            is_cancelled: false,
            selected: None,
        });
        self.next
    }

    #[cfg(test)]
    pub(crate) fn get(&self, id: TaskId) -> Option<&Running> {
        self.running.iter().find(|running| running.id == id)
    }

    /// Notes what was selected where what a task makes will appear.
    pub(crate) fn note_selected(&mut self, id: TaskId, selected: Option<String>) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.selected = selected;
        }
    }

    /// Takes what a task says.
    pub(crate) fn hear(&mut self, id: TaskId, event: Event) {
        let Some(running) = self.running.iter_mut().find(|running| running.id == id) else {
            return;
        };
        match event {
            Event::Step { step } => {
                running.step = step;
                running.transfers.clear();
            }
            Event::Note { text } => running.notes.push(text),
            Event::Transfer {
                id,
                label,
                done,
                total,
            } => {
                let known = running.transfers.iter_mut().find(|known| known.0 == id);
                match known {
                    Some(known) => *known = (id, label, done, total),
                    None => running.transfers.push((id, label, done, total)),
                }
            }
        }
    }

    /// Forgets one that has ended, and gives it.
    pub(crate) fn end(&mut self, id: TaskId, outcome: &Outcome) -> Option<Running> {
        let at = self.running.iter().position(|running| running.id == id)?;
        let ended = self.running.remove(at);
        if let Outcome::Well { undo, .. } = outcome {
            self.undo = undo.as_deref().cloned();
        }
        Some(ended)
    }

    /// Those that are about a machine, a volume, an image or a network of this identifier or name.
    pub(crate) fn about<'a>(
        &'a self,
        id: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Running> {
        let about = move |running: &&Running| {
            let target = running.task.target();
            target.is_some_and(|target| target == id || target == name)
        };
        self.running.iter().filter(about)
    }
}

impl Running {
    /// How much of its transfers is done, 0 to 1, when that is known.
    pub(crate) fn share(&self) -> Option<f64> {
        let (mut done, mut total) = (0, 0);
        for (_, _, part, whole) in &self.transfers {
            done += part;
            total += (*whole)?;
        }
        (total > 0).then(|| (done as f64 / total as f64).min(1.0))
    }
}
