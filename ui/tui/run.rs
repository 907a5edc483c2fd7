//! From the settings to the first frame, and from the last one back to the shell.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use sistemo::engine::Engine;
use sistemo::event::Progress;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::tui::app::App;
use crate::tui::message::Message;
use crate::tui::model::{Model, Start};
use crate::tui::observe::{self, Attention};
use crate::tui::pane::{Notify, Workspace};
use crate::tui::remembered::Remembered;
use crate::tui::settings;
use crate::tui::terminal;

/// Runs the console until the user leaves it.
pub(crate) async fn run(engine: Engine) -> io::Result<ExitCode> {
    let (send, receive) = mpsc::unbounded_channel();
    let reading = settings::read(engine.config());
    let (remembered, forgotten) = Remembered::load(engine.paths().data_dir());
    // Read while the terminal is asked for its colours.
    let reader = engine.clone();
    let world = tokio::task::spawn_blocking(move || observe::read(&reader));
    let mut guard = terminal::Guard::enter(reading.settings.mouse)?;
    let themes = themes(&reading.settings);
    let workspace = Workspace::new(
        Arc::new(engine.machines().clone()),
        notify(&send, Message::Panes),
        reading.settings.scrollback,
    );
    let size = crossterm::terminal::size()?;
    let remarks: Vec<_> = reading.wrong.iter().map(settings::Wrong::toast).collect();
    let mut model = Model::new(Start {
        size,
        settings: reading.settings,
        config: engine.config().clone(),
        keymap: reading.keymap,
        themes,
        workspace,
        remembered,
        logs: logs(&engine, &send),
    });
    for toast in remarks {
        model.say(toast);
    }
    if let Ok(world) = world.await {
        let _ = send.send(Message::World(world.map_err(observe::failure)));
    }
    let _ = send.send(Message::Remarks(forgotten.into_iter().collect()));
    let (attention, attended) = watch::channel(Attention {
        refresh: model.settings.refresh,
        seen: true,
        asked: 0,
    });
    observe::start(engine.clone(), attended, send.clone());
    let stop = CancellationToken::new();
    let watching = tokio::spawn(stand_in(engine.clone(), stop.clone()));
    let mut events = terminal::events();
    let mut terminal = Terminal::new(guard.backend())?;
    let mut app = App::new(model, engine, send, receive, attention);
    let ended = app.run(&mut guard, &mut terminal, &mut events).await;
    stop.cancel();
    drop(terminal);
    drop(guard);
    let _ = watching.await;
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Watches over machines while there is no daemon. What goes wrong there is in the program's log; the lists show the rest.
async fn stand_in(engine: Engine, stop: CancellationToken) {
    if let Err(error) = engine.machines().stand_in(&Progress::silent(), &stop).await {
        tracing::warn!("machines are not watched over: {error}");
    }
}

/// What the terminal can show, as far as it says.
fn themes(settings: &Settings) -> Themes {
    let environment = |name: &str| std::env::var(name).ok();
    let depth = Depth::detect(&environment);
    let follows = Choice::parse(&settings.theme).follows_terminal() && depth != Depth::None;
    let background = match follows.then(|| theme::background(ASKED)) {
        Some(Background::Known(kind)) => kind,
        _ => Kind::default(),
    };
    let glyphs = match settings.glyphs {
        Drawing::Auto => Glyphs::detect(&environment),
        Drawing::Unicode => Glyphs::unicode(),
        Drawing::Ascii => Glyphs::ascii(),
    };
    Themes {
        depth,
        glyphs,
        folders: theme::dirs(&environment),
        background,
    }
}

/// What tells the loop that something has changed, once until it has taken that in.
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
    }
}
