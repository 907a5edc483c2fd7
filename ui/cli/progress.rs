//! Progress on stderr: bars and a spinner on a terminal, one line per step in a pipe.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sistemo::event::{Event, Progress};

use super::output::{Format, complain};

/// Shows an operation's progress while it lives.
#[derive(Clone)]
pub(crate) struct Display(Arc<Mutex<State>>);

struct State {
    bars: MultiProgress,
    on_terminal: bool,
    silent: bool,
    step: Option<ProgressBar>,
    transfers: HashMap<String, ProgressBar>,
}

impl Display {
    /// For a program that reads JSON nothing is shown: what stands on its stderr is an error, and parses as one.
    pub(crate) fn new(format: Format) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Display::with(on_terminal, format == Format::Json && !on_terminal)
    }

    /// Shows nothing.
    pub(crate) fn silent() -> Self {
        Display::with(false, true)
    }

    fn with(on_terminal: bool, silent: bool) -> Self {
        let target = if on_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Display(Arc::new(Mutex::new(State {
            bars: MultiProgress::with_draw_target(target),
            on_terminal,
            silent,
            step: None,
            transfers: HashMap::new(),
        })))
    }

    /// The end that the engine talks to.
    pub(crate) fn progress(&self) -> Progress {
        let state = self.0.clone();
        Progress::new(move |event| {
            state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .show(&event);
        })
    }

    /// A line that is not an engine's event.
    pub(crate) fn note(&self, text: &str) {
        let event = Event::Note { text: text.into() };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .show(&event);
    }

    /// Clears what is still drawn.
    pub(crate) fn finish(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.end_step();
        for bar in state.transfers.drain().map(|(_, bar)| bar) {
            bar.finish_and_clear();
        }
    }
}

impl State {
    fn show(&mut self, event: &Event) {
        if self.silent {
            return;
        }
        match event {
            Event::Step { step } => self.begin_step(step),
            Event::Note { text } if self.on_terminal => {
                let _ = self.bars.println(text);
            }
            Event::Note { text } => complain(&format!("{text}\n")),
            Event::Transfer {
                id,
                label,
                done,
                total,
            } => self.transfer(id, label, *done, *total),
        }
    }

    fn begin_step(&mut self, step: &str) {
        self.end_step();
        if !self.on_terminal {
            complain(&format!("{step}\n"));
            return;
        }
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(step.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        self.step = Some(bar);
    }

    fn end_step(&mut self) {
        if let Some(bar) = self.step.take() {
            bar.finish_and_clear();
            if self.on_terminal {
                let _ = self
                    .bars
                    .println(format!("✓ {} {:.1?}", bar.message(), bar.elapsed()));
            }
        }
    }

    fn transfer(&mut self, id: &str, label: &str, done: u64, total: Option<u64>) {
        if !self.on_terminal {
            return;
        }
        let bars = &self.bars;
        let bar = self.transfers.entry(id.to_string()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::no_length());
            let template = match total {
                Some(_) => {
                    "  {msg:24!} {bar:28.cyan/dim} {bytes:>10}/{total_bytes:<10} {bytes_per_sec}"
                }
                None => "  {msg:24!} {bytes:>10}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━━─"));
            }
            bar
        });
        bar.set_message(label.to_string());
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
        if Some(done) == total {
            bar.finish_and_clear();
        }
    }
}
