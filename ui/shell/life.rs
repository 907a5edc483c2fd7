//! The task of a terminal: waits for the machine, opens a shell, and sees what becomes of both.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sistemo::guest::client::{Event, Exit};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::transport::{Broken, Ends, Input, Output, Transport};
use super::{Machine, MachineState, Size, State};

/// How long a size must last before the guest is told: shells write their prompt anew at every change.
const SETTLED: Duration = Duration::from_millis(60);

/// The first pause before a lost connection is tried again; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// A shell that lived so long had a connection that was good.
const GOOD: Duration = Duration::from_secs(10);
/// A shell that ends so shortly before its machine does ended because of that: shutting down ends shells first.
const TOGETHER: Duration = Duration::from_secs(30);

/// Puts the terminal into the state that a new shell expects, and leaves what is on it. CAN ends a sequence that was cut
/// off (ECMA-48 §8.3.6); then, as xterm's ctlseqs name them: the primary screen, no scrolling region, wrapping, no origin
/// or insert mode, the usual keys, no mouse, focus or paste reports, no kitty keyboard, a visible cursor of the usual
/// shape, no attributes, ASCII.
const FRESH: &[u8] = b"\x18\x1b[?2026l\x1b[?1049l\x1b[r\x1b[?7h\x1b[?6l\x1b[4l\x1b[?1l\x1b>\
    \x1b[?1000;1002;1003;1004;1005;1006;2004l\x1b[?1007h\x1b[<99u\x1b[?25h\x1b[0 q\x1b[m\x1b(B\x0f";

/// What the user orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Connect,
    Leave,
}

/// The terminal that a shell is for.
pub(crate) trait Front: Send + Sync + 'static {
    /// Shows how the shell is.
    fn set_state(&self, state: State);

    /// The ends of a new shell. What was meant for the one before is dropped.
    fn ends(self: &Arc<Self>) -> (Input, Output);

    /// Has the terminal take in what makes it ready for a new shell after another, which begins below all that is there.
    fn renew(&self, fresh: &[u8]);

    /// What goes on beside a shell for as long as there is one. It does not end.
    fn beside(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// All that becomes of a terminal's shells.
pub(crate) struct Life<F> {
    pub front: Arc<F>,
    pub machine: watch::Receiver<Machine>,
    pub size: watch::Receiver<Size>,
    pub orders: mpsc::Receiver<Order>,
    pub transport: Arc<dyn Transport>,
    /// Whether a shell has had the terminal already.
    pub used: bool,
}

/// How a shell ended, or was not to be had.
enum End {
    Exit(Exit),
    Broken(Broken),
    Ordered(Order),
    /// The machine went down, or down and up again.
    Down,
}

/// Nobody holds the terminal any more.
struct Closed;

impl<F: Front> Life<F> {
    /// Goes on until the terminal is closed.
    pub(crate) async fn run(mut self) {
        while self.live_once().await.is_ok() {}
    }

    /// Waits for the machine, opens shells until one ends for good, and waits for what comes then.
    async fn live_once(&mut self) -> Result<(), Closed> {
        let mut pause = FIRST_PAUSE;
        loop {
            self.machine_runs().await?;
            let started = self.machine.borrow_and_update().started.clone();
            let (end, lived) = self.shell(&started).await?;
            if lived.is_some_and(|since| since.elapsed() >= GOOD) {
                pause = FIRST_PAUSE;
            }
            let now = Instant::now();
            match end {
                End::Down => {}
                End::Ordered(Order::Connect) => {}
                End::Ordered(Order::Leave) => {
                    self.front.set_state(State::Left);
                    return self.order().await;
                }
                End::Exit(exit) => {
                    self.front.set_state(State::Ended(exit));
                    return self.after_exit(&started, now + TOGETHER).await;
                }
                End::Broken(broken) if broken.lasting => {
                    self.front
                        .set_state(State::Refused(broken.message, broken.hint));
                    return self.order_or_down(&started).await;
                }
                End::Broken(broken) => {
                    // A connection that fails at once is not tried again at once.
                    let again = now + pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.front.set_state(State::Lost(broken.message));
                    tokio::select! {
                        () = sleep_until(again) => {}
                        ordered = self.order_or_down(&started) => ordered?,
                    }
                }
            }
        }
    }

    /// Waits until the machine can be entered.
    async fn machine_runs(&mut self) -> Result<(), Closed> {
        while !self.machine.borrow_and_update().runs() {
            self.front.set_state(State::Waiting);
            tokio::select! {
                changed = self.machine.changed() => changed.map_err(|_| Closed)?,
                // What it is to wait for, it waits for already.
                order = self.orders.recv() => { order.ok_or(Closed)?; }
            }
        }
        Ok(())
    }

    /// Opens a shell and runs it; when it began to live, if it did.
    async fn shell(&mut self, started: &Option<String>) -> Result<(End, Option<Instant>), Closed> {
        // What is typed from now on is for this shell.
        let (input, output) = self.front.ends();
        self.front.set_state(State::Connecting);
        let (entered, mut is_in) = oneshot::channel();
        let (resized, events) = mpsc::channel(1);
        let mut size = self.size.clone();
        size.mark_unchanged();
        let ends = Ends {
            input,
            output,
            size: size.clone(),
            events,
            entered,
        };
        let id = self.machine.borrow().id.clone();
        let transport = self.transport.clone();
        let front = self.front.clone();
        let mut shell = transport.shell(&id, ends);
        let beside = async { tokio::join!(pass_sizes(size, resized), front.beside()) };
        tokio::pin!(beside);
        let mut lived = None;
        let end = loop {
            tokio::select! {
                // What makes the terminal ready for a shell must not come after what the shell says.
                biased;
                Ok(()) = &mut is_in, if lived.is_none() => {
                    lived = Some(Instant::now());
                    if std::mem::replace(&mut self.used, true) {
                        self.front.renew(FRESH);
                    }
                    self.front.set_state(State::Live);
                }
                changed = self.machine.changed() => {
                    changed.map_err(|_| Closed)?;
                    if is_other(&self.machine.borrow_and_update(), started) {
                        break End::Down;
                    }
                }
                order = self.orders.recv() => break End::Ordered(order.ok_or(Closed)?),
                exit = &mut shell => break match exit {
                    Ok(exit) => End::Exit(exit),
                    Err(broken) => End::Broken(broken),
                },
                _ = &mut beside => {}
            }
        };
        // A shell whose end came with its machine's is told as that.
        let down = ends_shells(&self.machine.borrow(), started);
        let end = if down && !matches!(end, End::Ordered(_)) {
            End::Down
        } else {
            end
        };
        Ok((end, lived))
    }

    /// Waits for an order to connect.
    async fn order(&mut self) -> Result<(), Closed> {
        while self.orders.recv().await.ok_or(Closed)? != Order::Connect {}
        Ok(())
    }

    /// Waits for an order to connect, or for the machine to go down.
    async fn order_or_down(&mut self, started: &Option<String>) -> Result<(), Closed> {
        loop {
            tokio::select! {
                order = self.orders.recv() => match order.ok_or(Closed)? {
                    Order::Connect => return Ok(()),
                    Order::Leave => {}
                },
                changed = self.machine.changed() => {
                    changed.map_err(|_| Closed)?;
                    if is_other(&self.machine.borrow_and_update(), started) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// After a shell has ended: when its machine ends too, it is as if the connection had been lost. Later the terminal
    /// shows how the shell ended for as long as its user wants to see that.
    async fn after_exit(
        &mut self,
        started: &Option<String>,
        together: Instant,
    ) -> Result<(), Closed> {
        loop {
            tokio::select! {
                order = self.orders.recv() => match order.ok_or(Closed)? {
                    Order::Connect => return Ok(()),
                    Order::Leave => {}
                },
                changed = self.machine.changed() => {
                    changed.map_err(|_| Closed)?;
                    let machine = self.machine.borrow_and_update();
                    let gone = machine.state == MachineState::Gone;
                    if gone || (ends_shells(&machine, started) && Instant::now() <= together) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Whether shells in a machine end because of it.
fn ends_shells(machine: &Machine, started: &Option<String>) -> bool {
    is_other(machine, started) || machine.state == MachineState::Stopping
}

/// Whether a machine is not what it was when a shell was opened: down, or started anew.
fn is_other(machine: &Machine, started: &Option<String>) -> bool {
    machine.is_down() || (machine.runs() && machine.started != *started)
}

/// Passes on sizes that last.
async fn pass_sizes(mut size: watch::Receiver<Size>, events: mpsc::Sender<Event>) {
    while size.changed().await.is_ok() {
        while let Ok(Ok(())) = timeout(SETTLED, size.changed()).await {}
        let (cols, rows) = *size.borrow_and_update();
        let event = Event::Resize {
            cols: cols.into(),
            rows: rows.into(),
        };
        if events.send(event).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
}
