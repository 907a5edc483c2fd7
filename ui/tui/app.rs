//! The loop: it waits for what happens, changes the model, has done what the model wants, and draws when something has
//! changed. Nothing ticks while nothing moves.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use sistemo::engine::Engine;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::cli::output::complain;
use crate::tui::effect::Effect;
use crate::tui::message::Message;
use crate::tui::model::Model;
use crate::tui::observe::Attention;
use crate::tui::task::{self, News, Outcome, Task, TaskId};
use crate::tui::terminal::{Clipboard, Copied, Events, Guard, Input, Output};
use crate::tui::update::update;
use crate::tui::view;

/// The least time between two frames: more often than this nobody sees.
const FRAME: Duration = Duration::from_millis(10);
/// How many tasks are done at the same time. Each has a thread, and machines that start a processor.
const AT_ONCE: usize = 6;
/// How long tasks that are taken back at the end of the program get for it. What they leave, the next command puts right.
const FAREWELL: Duration = Duration::from_secs(20);

/// The running console.
pub(crate) struct App {
    model: Model,
    engine: Engine,
    send: mpsc::UnboundedSender<Message>,
    receive: mpsc::UnboundedReceiver<Message>,
    attention: watch::Sender<Attention>,
    clipboard: Clipboard,
    /// What takes each task back.
    cancels: HashMap<TaskId, CancellationToken>,
    tasks: tokio::task::JoinSet<()>,
    turns: Arc<Semaphore>,
}

/// The user's terminal.
pub(crate) struct Tty {
    pub(crate) guard: Guard,
    pub(crate) events: Events,
    pub(crate) terminal: Terminal<CrosstermBackend<Output>>,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    End,
}

impl App {
    pub(crate) fn new(
        model: Model,
        engine: Engine,
        send: mpsc::UnboundedSender<Message>,
        receive: mpsc::UnboundedReceiver<Message>,
        attention: watch::Sender<Attention>,
    ) -> App {
        App {
            model,
            engine,
            send,
            receive,
            attention,
            clipboard: Clipboard::new(&|name| std::env::var(name).ok()),
            cancels: HashMap::new(),
            tasks: tokio::task::JoinSet::new(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Runs until the user ends it, or the terminal is gone.
    pub(crate) async fn run(&mut self, tty: &mut Tty, end: &CancellationToken) -> io::Result<()> {
        // What is there already belongs to the first frame.
        let ready = self.ready(None);
        let mut is_owed = true;
        if self.take(ready, tty, &mut is_owed)? == Flow::End {
            return Ok(());
        }
        self.draw(tty)?;
        let mut drawn = Instant::now();
        is_owed = false;
        loop {
            if is_owed && drawn.elapsed() >= FRAME {
                self.draw(tty)?;
                drawn = Instant::now();
                is_owed = false;
            }
            let next_frame = is_owed.then(|| drawn + FRAME);
            let deadline = self.model.deadline().into_iter().chain(next_frame).min();
            let messages = tokio::select! {
                input = tty.events.next() => match input {
                    Some(input) => {
                        let inputs = tty.events.with_ready(input);
                        let mut messages: Vec<Message> = inputs.into_iter().map(message_of).collect();
                        messages.extend(self.ready(None));
                        messages
                    }
                    // The terminal is gone.
                    None => vec![Message::Ended],
                },
                message = self.receive.recv() => self.ready(message),
                () = until(deadline) => vec![Message::Time],
                () = end.cancelled() => vec![Message::Ended],
            };
            if self.take(messages, tty, &mut is_owed)? == Flow::End {
                return Ok(());
            }
        }
    }

    /// A message and all that are ready behind it; of those that make others void, the last.
    fn ready(&mut self, first: Option<Message>) -> Vec<Message> {
        let mut messages: Vec<Message> = first.into_iter().collect();
        while let Ok(message) = self.receive.try_recv() {
            let is_void = matches!(
                (messages.last(), &message),
                (Some(Message::Panes), Message::Panes)
                    | (Some(Message::Log), Message::Log)
                    | (Some(Message::World(Ok(_))), Message::World(Ok(_)))
            );
            if is_void {
                messages.pop();
            }
            messages.push(message);
        }
        messages
    }

    /// Takes messages in and does what the model then wants.
    fn take(
        &mut self,
        messages: Vec<Message>,
        tty: &mut Tty,
        is_owed: &mut bool,
    ) -> io::Result<Flow> {
        for message in messages {
            let is_time = matches!(message, Message::Time);
            // The desktop may have turned dark or light while its user was elsewhere.
            if matches!(message, Message::Focus(true)) && self.model.follows_terminal() {
                tty.events.ask_background()?;
            }
            self.model.clock.tick();
            let before = self.model.toasts.shown().count();
            let effects = update(&mut self.model, message);
            // A deadline may have been that of a frame only.
            let goes = self.model.toasts.shown().count() != before;
            *is_owed |= !is_time
                || goes
                || self.model.moves()
                || self.model.workspace.pending_prefix().is_some();
            for effect in effects {
                if self.carry_out(effect, tty)? == Flow::End {
                    return Ok(Flow::End);
                }
            }
        }
        Ok(Flow::On)
    }

    fn draw(&mut self, tty: &mut Tty) -> io::Result<()> {
        self.model.clock.tick();
        // So that no half of a frame is seen; terminals that do not know the mode overlook it.
        queue!(tty.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let mut cursor = None;
        tty.terminal.draw(|frame| {
            let area = frame.area();
            cursor = view::draw(&self.model, area, frame.buffer_mut());
            if let Some(cursor) = cursor {
                frame.set_cursor_position(cursor.at);
            }
        })?;
        let backend = tty.terminal.backend_mut();
        if let Some(cursor) = cursor {
            queue!(backend, cursor.shape)?;
        }
        queue!(backend, EndSynchronizedUpdate)?;
        Write::flush(backend)
    }

    /// Does what the model wants.
    fn carry_out(&mut self, effect: Effect, tty: &mut Tty) -> io::Result<Flow> {
        match effect {
            Effect::Quit => return Ok(Flow::End),
            // What is to be drawn anew afterwards is told by an event.
            Effect::Suspend => tty.guard.suspend()?,
            Effect::Redraw => {
                // `Terminal::clear` would ask the terminal where its cursor is, and one that does not answer would end
                // the program.
                let (columns, rows) = crossterm::terminal::size()?;
                self.model.size = (columns, rows);
                tty.terminal.resize(Rect::new(0, 0, columns, rows))?;
            }
            Effect::Mouse(wanted) => tty.guard.set_mouse(wanted)?,
            Effect::Copy(text) => {
                if self.clipboard.copy(&text)? == Copied::TooLong {
                    let says = "that is too long for the terminal's clipboard".to_string();
                    let _ = self.send.send(Message::Remarks(vec![says]));
                }
            }
            Effect::Bell => {
                let backend = tty.terminal.backend_mut();
                backend.write_all(b"\x07")?;
                Write::flush(backend)?;
            }
            Effect::Begin(id, task) => self.begin(id, task),
            Effect::Cancel(id) => {
                if let Some(cancel) = self.cancels.get(&id) {
                    cancel.cancel();
                }
            }
            Effect::OpenLog { machine, previous } => {
                let (open, send) = (self.model.logs.open.clone(), self.send.clone());
                tokio::task::spawn_blocking(move || {
                    let console = open(&machine, previous);
                    let _ = send.send(Message::LogOpened {
                        machine,
                        previous,
                        console,
                    });
                });
            }
            Effect::Look => self.attention.send_modify(|attention| attention.asked += 1),
            Effect::Attend(seen) => self
                .attention
                .send_modify(|attention| attention.seen = seen),
            Effect::Remember => self.remember(),
            Effect::SetTheme(name) => {
                if let Err(error) = self.engine.config().set("theme", Some(&name)) {
                    let error = sistemo::error::Error::from(error);
                    let _ = self.send.send(Message::Remarks(vec![error.report()]));
                }
            }
        }
        Ok(Flow::On)
    }

    fn begin(&mut self, id: TaskId, task: Task) {
        let cancel = CancellationToken::new();
        self.cancels.retain(|_, cancel| !cancel.is_cancelled());
        self.cancels.insert(id, cancel.clone());
        let (engine, send) = (self.engine.clone(), self.send.clone());
        let runtime = tokio::runtime::Handle::current();
        let turns = self.turns.clone();
        self.tasks.spawn(async move {
            let tell = move |id, news| {
                let _ = send.send(Message::Task(id, news));
            };
            let turn = tokio::select! {
                turn = turns.acquire_owned() => turn,
                () = cancel.cancelled() => return tell(id, News::Done(Outcome::Cancelled)),
            };
            // The engine works on disks in between, which would hold up whatever else a thread of the runtime has to do.
            let work = move || {
                let _turn = turn;
                runtime.block_on(task::run(engine, id, task, cancel, tell));
            };
            let _ = tokio::task::spawn_blocking(work).await;
        });
    }

    /// Takes back what is being done and waits for it, once the terminal is the user's again; not if `end` says that there
    /// is no time for that. What is left then, the next command puts right.
    pub(crate) async fn farewell(mut self, end: &CancellationToken) {
        for cancel in self.cancels.values() {
            cancel.cancel();
        }
        let doing = self.model.tasks.running.iter();
        let titles: Vec<String> = doing.map(|running| running.task.title()).collect();
        drop(self.model);
        if !titles.is_empty() {
            complain(&format!("taking back: {}\n", titles.join(", ")));
        }
        let over = async { while self.tasks.join_next().await.is_some() {} };
        tokio::select! {
            _ = tokio::time::timeout(FAREWELL, over) => {}
            () = end.cancelled() => {}
        }
    }

    fn remember(&mut self) {
        let remembered = self.model.to_remember();
        if let Err(error) = remembered.write(self.engine.paths().data_dir()) {
            let says = format!("what the console looks like could not be remembered: {error}");
            let _ = self.send.send(Message::Remarks(vec![says]));
        }
    }
}

/// What something that comes from the terminal is to the model.
fn message_of(input: Input) -> Message {
    match input {
        Input::Event(Event::Key(key)) => Message::Key(key),
        Input::Event(Event::Mouse(event)) => Message::Mouse(event),
        Input::Event(Event::Paste(text)) => Message::Paste(text),
        Input::Event(Event::Resize(columns, rows)) => Message::Resize(columns, rows),
        Input::Event(Event::FocusGained) => Message::Focus(true),
        Input::Event(Event::FocusLost) => Message::Focus(false),
        Input::Resumed => Message::Continued,
        Input::Background(color) => Message::Background(color),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
