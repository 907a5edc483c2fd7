//! The loop: it waits for what happens, changes the model, has done what the model wants, and draws when something has
//! changed. Nothing ticks while nothing moves.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use futures_util::{FutureExt, Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::Rect;
use sistemo::engine::Engine;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::tui::effect::Effect;
use crate::tui::message::Message;
use crate::tui::model::Model;
use crate::tui::observe::Attention;
use crate::tui::screen::Screen;
use crate::tui::task::{self, TaskId};
use crate::tui::update::update;
use crate::tui::{saved, view};

/// The least time between two frames: more often than this nobody sees.
const FRAME: Duration = Duration::from_millis(10);
/// How long tasks that are taken back at the end of the program get for it. What they leave, the next command puts right.
const FAREWELL: Duration = Duration::from_secs(20);

/// The running console.
pub(crate) struct App {
    model: Model,
    engine: Engine,
    send: mpsc::UnboundedSender<Message>,
    receive: mpsc::UnboundedReceiver<Message>,
    attention: watch::Sender<Attention>,
    /// What takes each task back.
    cancels: HashMap<TaskId, CancellationToken>,
    tasks: tokio::task::JoinSet<()>,
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
            cancels: HashMap::new(),
            tasks: tokio::task::JoinSet::new(),
        }
    }

    /// Runs until the user ends it, or the terminal is gone.
    pub(crate) async fn run<B: Backend<Error = io::Error>>(
        &mut self,
        screen: &mut dyn Screen,
        terminal: &mut Terminal<B>,
        events: &mut (impl Stream<Item = io::Result<Event>> + Unpin),
    ) -> io::Result<()> {
        let mut drawn = Instant::now() - FRAME;
        let mut is_owed = true;
        loop {
            if is_owed && drawn.elapsed() >= FRAME {
                self.draw(screen, terminal)?;
                drawn = Instant::now();
                is_owed = false;
            }
            let next_frame = is_owed.then(|| drawn + FRAME);
            let deadline = self.model.deadline().into_iter().chain(next_frame).min();
            let message = tokio::select! {
                event = events.next() => match event {
                    Some(event) => message_of(event?),
                    // The terminal is gone.
                    None => Some(Message::Ended),
                },
                message = self.receive.recv() => message,
                () = until(deadline) => Some(Message::Time),
            };
            let mut messages: Vec<Message> = message.into_iter().collect();
            // All that is ready is taken before anything is drawn.
            while let Ok(message) = self.receive.try_recv() {
                messages.push(message);
            }
            while let Some(Some(event)) = events.next().now_or_never() {
                messages.extend(message_of(event?));
            }
            for message in coalesced(messages) {
                // A deadline that is only a frame's changes nothing.
                let is_time = matches!(message, Message::Time);
                self.model.clock.tick();
                let effects = update(&mut self.model, message);
                is_owed |= !is_time || self.model.moves();
                for effect in effects {
                    if self.carry_out(effect, screen, terminal)? == Flow::End {
                        self.farewell().await;
                        return Ok(());
                    }
                }
            }
        }
    }

    fn draw<B: Backend<Error = io::Error>>(
        &mut self,
        screen: &mut dyn Screen,
        terminal: &mut Terminal<B>,
    ) -> io::Result<()> {
        self.model.clock.tick();
        screen.begin_frame()?;
        let mut cursor = None;
        terminal.draw(|frame| {
            let area = frame.area();
            cursor = view::draw(&self.model, area, frame.buffer_mut());
            if let Some(cursor) = cursor {
                frame.set_cursor_position(cursor.at);
            }
        })?;
        screen.end_frame(cursor.map(|cursor| cursor.shape))
    }

    /// Does what the model wants.
    fn carry_out<B: Backend<Error = io::Error>>(
        &mut self,
        effect: Effect,
        screen: &mut dyn Screen,
        terminal: &mut Terminal<B>,
    ) -> io::Result<Flow> {
        match effect {
            Effect::Quit => return Ok(Flow::End),
            Effect::Suspend => {
                screen.suspend()?;
                self.redraw(terminal)?;
            }
            Effect::Redraw => self.redraw(terminal)?,
            Effect::Mouse(wanted) => screen.set_mouse(wanted)?,
            Effect::Copy(text) => screen.copy(&text)?,
            Effect::Bell => screen.bell()?,
            Effect::Begin(id, task) => self.begin(id, task),
            Effect::Cancel(id) => {
                if let Some(cancel) = self.cancels.get(&id) {
                    cancel.cancel();
                }
            }
            Effect::Look => self.attention.send_modify(|attention| attention.asked += 1),
            Effect::Attend(seen) => self.attention.send_modify(|attention| attention.seen = seen),
            Effect::Remember => self.remember(),
            Effect::SetTheme(name) => self.set_theme(&name),
        }
        Ok(Flow::On)
    }

    /// Has the next frame be drawn whole: `Terminal::clear` would ask the terminal where its cursor is, and a terminal that
    /// does not answer would end the program.
    fn redraw<B: Backend<Error = io::Error>>(&mut self, terminal: &mut Terminal<B>) -> io::Result<()> {
        let size = terminal.size()?;
        self.model.size = (size.width, size.height);
        terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    fn begin(&mut self, id: TaskId, task: task::Task) {
        let cancel = CancellationToken::new();
        self.cancels.retain(|_, cancel| !cancel.is_cancelled());
        self.cancels.insert(id, cancel.clone());
        let (engine, send) = (self.engine.clone(), self.send.clone());
        self.tasks.spawn(async move {
            let tell = move |id, news| {
                let _ = send.send(Message::Task(id, news));
            };
            task::run(engine, id, task, cancel, tell).await;
        });
    }

    /// Takes back what is being done and waits for it.
    async fn farewell(&mut self) {
        for cancel in self.cancels.values() {
            cancel.cancel();
        }
        self.model.workspace.end();
        let over = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, over).await;
    }

    fn remember(&mut self) {
        let remembered = saved::of(&self.model);
        if let Err(error) = remembered.write(self.engine.paths().data_dir()) {
            let _ = self.send.send(Message::Remarks(vec![error.to_string()]));
        }
    }

    fn set_theme(&mut self, name: &str) {
        let changed = self.engine.config().set("theme", name);
        if let Err(error) = changed {
            let _ = self.send.send(Message::Remarks(vec![sistemo::error::Error::from(error).report()]));
        }
    }
}

/// What an event of the terminal is to the model.
fn message_of(event: Event) -> Option<Message> {
    Some(match event {
        Event::Key(key) => Message::Key(key),
        Event::Mouse(event) => Message::Mouse(event),
        Event::Paste(text) => Message::Paste(text),
        Event::Resize(columns, rows) => Message::Resize(columns, rows),
        Event::FocusGained => Message::Focus(true),
        Event::FocusLost => Message::Focus(false),
    })
}

/// Of several sizes in a row only the last counts, and of several notes that something is new only one.
fn coalesced(messages: Vec<Message>) -> Vec<Message> {
    let mut kept: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        let same = match (kept.last(), &message) {
            (Some(Message::Resize(..)), Message::Resize(..)) => true,
            (Some(Message::Panes), Message::Panes) | (Some(Message::Log), Message::Log) => true,
            (Some(Message::World(Ok(_))), Message::World(Ok(_))) => true,
            _ => false,
        };
        if same {
            kept.pop();
        }
        kept.push(message);
    }
    kept
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
