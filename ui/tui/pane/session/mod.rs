//! A pane's shell in a machine ([`crate::shell`]): what is typed, and the terminal that its output goes into.
//!
//! The output is put into the emulator as it comes, in slices, so what the guest says is held nowhere else: a guest that
//! says more than can be taken in is held up by SSH's window.

mod front;
mod input;
mod output;
mod screen;
#[cfg(test)]
pub(super) mod tests;

use std::sync::{Arc, MutexGuard};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub(crate) use input::TooMuch;
pub(crate) use screen::{Notify, Said};

use super::emulator::Emulator;
use crate::shell::{Life, Order};
pub(crate) use crate::shell::{Machine, MachineState, Size, State, Transport};
use front::Pane;
use input::Input;
use screen::Screen;

/// A shell in a machine, and the terminal that it has.
pub(crate) struct Session {
    screen: Arc<Screen>,
    input: Arc<Input>,
    machine: watch::Sender<Machine>,
    size: watch::Sender<Size>,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Session {
    /// Opens a shell as soon as the machine runs. Must be called within a runtime.
    pub(crate) fn open(
        machine: Machine,
        size: Size,
        scrollback: usize,
        transport: Arc<dyn Transport>,
        notify: Notify,
    ) -> Session {
        let state = match machine.runs() {
            true => State::Connecting,
            false => State::Waiting,
        };
        let screen = Arc::new(Screen::new(size, scrollback, state, notify));
        let input = Arc::new(Input::default());
        let machine = watch::Sender::new(machine);
        let size = watch::Sender::new(size);
        let (orders, ordered) = mpsc::channel(4);
        let pane = Pane {
            screen: screen.clone(),
            input: input.clone(),
        };
        let life = Life {
            front: Arc::new(pane),
            machine: machine.subscribe(),
            size: size.subscribe(),
            orders: ordered,
            transport,
            used: false,
        };
        Session {
            screen,
            input,
            machine,
            size,
            orders,
            task: tokio::spawn(life.run()),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.screen.state()
    }

    /// The terminal. Hold it for a moment only: the guest's output waits meanwhile.
    pub(crate) fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.screen.emulator()
    }

    /// Tells what has become of the machine.
    pub(crate) fn machine_is(&self, machine: &Machine) {
        self.machine.send_if_modified(|known| {
            let changed = known != machine;
            if changed {
                known.clone_from(machine);
            }
            changed
        });
    }

    /// Sends what was typed. It is dropped when there is no shell to take it, or the guest takes nothing any more.
    pub(crate) fn send(&self, bytes: &[u8]) {
        if self.takes_keys() {
            self.input.typed(bytes);
        }
    }

    /// Gives up what is not through yet of what was pasted.
    pub(crate) fn cut_pastes(&self) {
        self.input.cut_pastes();
    }

    /// Sends a paste, in pieces.
    pub(crate) fn paste(&self, bytes: Vec<u8>) -> Result<(), TooMuch> {
        match self.takes_keys() {
            true => self.input.paste(bytes),
            false => Ok(()),
        }
    }

    /// Whether what is typed goes to a shell, now or as soon as it is there.
    pub(crate) fn takes_keys(&self) -> bool {
        self.state().takes_keys()
    }

    /// Gives the terminal another size. The guest is told when it lasts.
    pub(crate) fn resize(&self, size: Size) {
        let changed = self.size.send_if_modified(|known| {
            let changed = *known != size;
            *known = size;
            changed
        });
        if changed {
            self.emulator().resize(size.0, size.1);
        }
    }

    /// Whether anybody sees the terminal. What changes unseen is not told.
    pub(crate) fn set_seen(&self, seen: bool) {
        self.screen.set_seen(seen);
    }

    /// What the guest has said to its user since this was asked last.
    pub(crate) fn take_said(&self) -> Said {
        self.screen.take_said()
    }

    /// Begins a new shell; one that lives is ended.
    pub(crate) fn reconnect(&self) {
        // An order that does not fit is one more of those that are there.
        let _ = self.orders.try_send(Order::Connect);
    }

    /// Ends the shell.
    pub(crate) fn leave(&self) {
        let _ = self.orders.try_send(Order::Leave);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // With the task goes the connection, and with that the shell.
        self.task.abort();
    }
}
