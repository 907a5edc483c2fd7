//! From the settings to the first frame, and from the last one back to the shell.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use sistemo::engine::Engine;
use sistemo::event::Progress;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::tui::app::{App, Tty};
use crate::tui::log::Saves;
use crate::tui::message::Message;
use crate::tui::model::logs::Logs;
use crate::tui::model::themes::Themes;
use crate::tui::model::{Model, Start};
use crate::tui::observe::{self, Attention};
use crate::tui::pane::{Notify, Workspace};
use crate::tui::remembered::Remembered;
use crate::tui::settings::{self, Drawing, Settings};
use crate::tui::task::Failure;
use crate::tui::terminal::{Events, Guard, Options, Output, is_gone};
use crate::tui::theme::{self, Background, Choice, Depth, Glyphs, Kind};

/// How long the first frame waits for the terminal to say whether it is dark. One that answers later is heard, too.
const ASKED: Duration = Duration::from_millis(30);
/// How long it waits for the store.
const READ: Duration = Duration::from_millis(40);
/// How long machines that are being seen off at the end of the program get for it.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs the console until the user leaves it, or `end` is cancelled.
pub(crate) async fn run(engine: Engine, end: CancellationToken) -> io::Result<()> {
    let environment = |name: &str| std::env::var(name).ok();
    let (send, receive) = mpsc::unbounded_channel();
    let reading = settings::read(engine.config());
    let (remembered, forgotten) = Remembered::load(engine.paths().data_dir());
    // Read while the terminal is asked for its colours.
    let reader = engine.clone();
    let world = tokio::task::spawn_blocking(move || observe::read(&reader));
    // Asked before anything else reads the terminal.
    let (themes, background) = themes(&reading.settings);
    let guard = Guard::enter(Options::detect(&environment, reading.settings.mouse))?;
    guard.set_title("sistemo")?;
    let mut events = Events::new(&guard)?;
    if background == Background::Late {
        events.expect_background();
    }
    let mut workspace = Workspace::new(
        Arc::new(engine.machines().clone()),
        notify(&send, || Message::Panes),
        reading.settings.scrollback,
    );
    workspace.bind(reading.keymap.of_shells(reading.settings.prefix));
    let remarks: Vec<_> = reading.wrong.iter().map(settings::Wrong::toast).collect();
    let mut model = Model::new(Start {
        size: crossterm::terminal::size()?,
        settings: reading.settings,
        config: engine.config().clone(),
        keymap: reading.keymap,
        themes,
        workspace,
        remembered,
        logs: logs(&engine, &send),
    });
    model.web = std::env::var(super::WEB).ok();
    for toast in remarks {
        model.say(toast);
    }
    let _ = send.send(Message::Remarks(forgotten.into_iter().collect()));
    // Where the store is busy the first frame does not wait for it; what it holds comes later.
    if let Ok(Ok(world)) = tokio::time::timeout(READ, world).await {
        let _ = send.send(Message::World(world.map_err(|error| Failure::from(&error))));
    }
    let (attention, attended) = watch::channel(Attention {
        refresh: model.settings.refresh,
        seen: true,
        asked: 0,
    });
    observe::start(engine.clone(), attended, send.clone());
    let stop = CancellationToken::new();
    let watching = {
        let (engine, stop) = (engine.clone(), stop.clone());
        let runtime = tokio::runtime::Handle::current();
        // It sees machines off and starts some again, which works on disks in between.
        tokio::task::spawn_blocking(move || runtime.block_on(stand_in(engine, stop)))
    };
    let mut tty = Tty {
        guard,
        events,
        terminal: Terminal::new(CrosstermBackend::new(Output::new()))?,
    };
    let mut app = App::new(model, engine, send, receive, attention);
    let ended = app.run(&mut tty, &end).await;
    drop(tty);
    stop.cancel();
    app.farewell(&end).await;
    tokio::select! {
        _ = tokio::time::timeout(FAREWELL, watching) => {}
        () = end.cancelled() => {}
    }
    match ended {
        Err(error) if is_gone(&error) => Ok(()),
        ended => ended,
    }
}

/// Watches over machines while there is no daemon. What goes wrong there is in the program's log; the lists show the rest.
async fn stand_in(engine: Engine, stop: CancellationToken) {
    if let Err(error) = engine.machines().stand_in(&Progress::silent(), &stop).await {
        tracing::warn!("machines are not watched over: {error}");
    }
}

/// What the terminal can show, as far as it says.
fn themes(settings: &Settings) -> (Themes, Background) {
    let environment = |name: &str| std::env::var(name).ok();
    let depth = Depth::detect(&environment);
    let follows = Choice::parse(&settings.theme).follows_terminal() && depth != Depth::None;
    let background = match follows {
        true => theme::background(ASKED),
        false => Background::Unknown,
    };
    let glyphs = match settings.glyphs {
        Drawing::Auto => Glyphs::detect(&environment),
        Drawing::Unicode => Glyphs::unicode(),
        Drawing::Ascii => Glyphs::ascii(),
    };
    let themes = Themes {
        depth,
        glyphs,
        folders: theme::dirs(&environment),
        background: match background {
            Background::Known(kind) => kind,
            Background::Late | Background::Unknown => Kind::default(),
        },
    };
    (themes, background)
}

/// What tells the loop that something has changed.
fn notify(send: &mpsc::UnboundedSender<Message>, message: fn() -> Message) -> Notify {
    let send = send.clone();
    Arc::new(move || {
        let _ = send.send(message());
    })
}

fn logs(engine: &Engine, send: &mpsc::UnboundedSender<Message>) -> Logs {
    let machines = engine.machines().clone();
    Logs {
        open: Arc::new(move |machine, previous| {
            let opened = machines.logs(machine, previous);
            opened.map_err(|error| Failure::from(&error))
        }),
        notify: notify(send, || Message::Log),
        saves: Saves::default(),
    }
}
