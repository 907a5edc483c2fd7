//! `sistemo up` and `down`: the daemon, which watches over machines.

use std::process::ExitCode;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use serde_json::json;
use sistemo::config::Origin;
use sistemo::engine::Engine;
use sistemo::event::{Event, Progress};
use sistemo::host::background::{background, log_at};
use sistemo::machine::{Machines, Orders, Sign};
use sistemo::value::Address;
use sistemo::vmm::Process;
use tokio::net::UnixDatagram;
use tokio::signal::unix::SignalKind;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::log;
use super::output::{self, Format};
use super::report::Failure;
use super::terminal;
use crate::web::server::{FROM_THE_START, Limits, Served, Server};

/// How long `down` waits for the daemon, which may have a start to take back before it ends.
const FAREWELL: Duration = Duration::from_secs(30);

/// Run the daemon: it notices machines that crash, starts them again as they are to be, keeps the network whole, and
/// serves the browser
///
/// Machines go on running when it ends. It runs until it is interrupted or `sistemo down` ends it; SIGHUP makes it read
/// its settings again. `sistemo web` opens its pages.
#[derive(clap::Args)]
pub(crate) struct Up {
    /// Where it serves pages and API [default: the setting listen]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,

    /// Come back once it runs in the background
    #[arg(short, long)]
    detach: bool,

    /// How much it logs [default: info, or as SISTEMO_LOG says]
    #[arg(long, value_name = "LEVEL", value_enum, hide_default_value = true)]
    pub(super) log_level: Option<log::Level>,
}

pub(crate) async fn up(context: &Context, args: &Up) -> Result<ExitCode, Failure> {
    if args.detach {
        return detach(context, args).await;
    }
    let engine = context.untended()?;
    let supervisor = engine.machines().supervise()?;
    allow_many_files();
    let (send, renewed) = mpsc::channel(1);
    let orders = Orders {
        progress: journal(),
        stop: context.cancel.clone(),
        renewed,
        // Twice as often as it must (sd_watchdog_enabled(3)).
        heartbeat: sd_notify::watchdog_enabled().map(|limit| limit / 2),
    };
    // Before it says that it is ready: whoever waits for that may connect.
    let (current, shown) = watch::channel(engine);
    let serving = serve(shown, args.listen.as_ref(), &context.cancel).await?;
    let serving = tokio::spawn(async move {
        if let Some(server) = serving {
            Box::pin(server.run()).await;
        }
    });
    let watching = supervisor.run(orders, tell());
    tokio::pin!(watching);
    let outcome = tokio::select! {
        outcome = &mut watching => outcome,
        never = heed_hang_ups(context, current, send) => match never {},
    };
    // Whatever has ended the watching.
    context.cancel.cancel();
    let _ = serving.await;
    say_to_manager(&[NotifyState::Stopping]);
    match &outcome {
        Ok(()) => tracing::info!("ended; machines go on running"),
        Err(error) => tracing::error!("ended: {error}"),
    }
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the server for browsers and programs, and says where it is. An address that somebody has asked for must be had;
/// without the usual one machines are watched over all the same.
async fn serve(
    engine: watch::Receiver<Engine>,
    flag: Option<&Address>,
    stop: &CancellationToken,
) -> Result<Option<Server>, Failure> {
    let (listen, asked) = {
        let engine = engine.borrow();
        let config = engine.config();
        let setting = config
            .shown()
            .iter()
            .find(|setting| setting.key == "listen");
        let is_default = setting.is_none_or(|setting| setting.origin == Origin::Default);
        (
            flag.unwrap_or(&config.listen).clone(),
            flag.is_some() || !is_default,
        )
    };
    match Server::open(engine, &listen, Limits::default(), stop.clone()).await {
        Ok(server) => {
            let Served {
                url, fingerprint, ..
            } = server.served();
            tracing::info!("serving {url}; to come in: sistemo web");
            if let Some(fingerprint) = fingerprint {
                tracing::info!("its certificate has the SHA-256 fingerprint {fingerprint}");
            }
            Ok(Some(server))
        }
        Err(error) if asked => Err(error.into()),
        Err(error) => {
            let error = sistemo::error::Error::from(error);
            let hint = error.hint().unwrap_or_default();
            tracing::warn!("nothing is served to browsers: {error}; {hint}");
            Ok(None)
        }
    }
}

/// Every machine that runs takes a descriptor; what a login shell allows is not enough for a thousand.
pub(super) fn allow_many_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Tells the service manager, or whoever started this in the background, how it goes (sd_notify(3)).
fn tell() -> impl FnMut(Sign) {
    let mut first = true;
    move |sign| match sign {
        Sign::Watching(machines) => {
            let plural = if machines == 1 { "" } else { "s" };
            let status = format!("watching over {machines} machine{plural}");
            say_to_manager(&[NotifyState::Status(&status)]);
            if std::mem::take(&mut first) {
                tracing::info!(machines, "watching over machines");
                say_to_manager(&[NotifyState::Ready]);
            }
        }
        Sign::Alive => say_to_manager(&[NotifyState::Watchdog]),
    }
}

/// Without a manager nobody hears it.
fn say_to_manager(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Reads the settings again with every SIGHUP and hands the machines under them on. Settings that are wrong change
/// nothing.
async fn heed_hang_ups(
    context: &Context,
    current: watch::Sender<Engine>,
    renewed: mpsc::Sender<Machines>,
) -> std::convert::Infallible {
    let Some(mut signals) = terminal::signals(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while signals.recv().await.is_some() {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            say_to_manager(&[NotifyState::Reloading, now]);
        }
        let before = current.borrow().clone();
        match read_again(context, &before) {
            Ok(newer) => {
                let machines = newer.machines().clone();
                current.send_replace(newer);
                // The supervisor ends before this does.
                let _ = renewed.send(machines).await;
            }
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                tracing::error!("the settings stay as they were: {error}; {hint}");
            }
        }
        say_to_manager(&[NotifyState::Ready]);
    }
    std::future::pending().await
}

/// The engine under the settings as they are now.
fn read_again(context: &Context, engine: &Engine) -> sistemo::error::Result<Engine> {
    let config = context.config()?;
    let changes = engine.config().changes(&config);
    let newer = Engine::open(config, super::programs())?;
    if changes.is_empty() {
        tracing::info!("the settings were read again: nothing has changed");
    }
    for change in changes {
        let from = match FROM_THE_START.contains(&change.key) {
            true => ", from the next start of the daemon on",
            false => "",
        };
        tracing::info!("the settings were read again: {change}{from}");
    }
    Ok(newer)
}

/// Notes as lines of the log.
pub(super) fn journal() -> Progress {
    Progress::new(|event| match event {
        Event::Note { text } => tracing::info!("{text}"),
        Event::Step { .. } | Event::Transfer { .. } => {}
    })
}

/// Starts the daemon in a session of its own, with its lines in `daemon.log`, and waits until it watches: it says so as
/// it would to a service manager.
async fn detach(context: &Context, args: &Up) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    if let Some(pid) = engine.machines().supervisor() {
        return Err(sistemo::machine::Error::Supervised(pid).into());
    }
    let data_dir = engine.paths().data_dir().to_path_buf();
    let log = data_dir.join("daemon.log");
    drop(engine);
    let failed = |why: String| Failure::Refused {
        message: format!("the daemon did not start: {why}"),
        hint: format!(
            "see why in {}, or in the foreground: sistemo up",
            log.display()
        ),
    };
    // `None` when it was given up.
    let start = async || -> std::io::Result<Result<Option<u32>, String>> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("notify");
        let notices = UnixDatagram::bind(&socket)?;
        let out = log_at(&log)?;
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command
            .arg("--data-dir")
            .arg(&data_dir)
            .arg("up")
            .env("NOTIFY_SOCKET", &socket);
        if let Some(listen) = &args.listen {
            command.args(["--listen", &listen.to_string()]);
        }
        if let Some(level) = args.log_level {
            let level = format!("{level:?}").to_lowercase();
            command.args(["--log-level", &level]);
        }
        let mut child = background(&mut command, out)?;
        let pid = child.id().unwrap_or_default();
        let mut notice = [0; 512];
        loop {
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => {
                    Process::with_pid(pid)?.terminate()?;
                    child.wait().await?;
                    return Ok(Ok(None));
                }
                length = notices.recv(&mut notice) => {
                    let notice = String::from_utf8_lossy(&notice[..length?]);
                    if notice.lines().any(|line| line == "READY=1") {
                        return Ok(Ok(Some(pid)));
                    }
                }
                ended = child.wait() => return Ok(Err(format!("it ended ({})", ended?))),
            }
        }
    };
    let started = start().await.map_err(|error| failed(error.to_string()))?;
    let Some(pid) = started.map_err(failed)? else {
        return Err(Failure::Cancelled);
    };
    let served = Served::read(&data_dir, pid);
    let url = served.as_ref().map(|served| &served.url);
    let fingerprint = served
        .as_ref()
        .and_then(|served| served.fingerprint.as_ref());
    match context.format {
        Format::Json => {
            output::json(&json!({ "pid": pid, "url": url, "fingerprint": fingerprint }));
        }
        Format::Table => {
            let mut text = match url {
                Some(url) => format!("the daemon is up (pid {pid}) at {url}\n"),
                None => format!("the daemon is up (pid {pid}), and serves no pages\n"),
            };
            if let Some(fingerprint) = fingerprint {
                text += &format!("SHA-256 of its certificate: {fingerprint}\n");
            }
            output::say(&text);
            if url.is_none() {
                output::complain(&format!("hint: see why in {}\n", log.display()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// End the daemon; machines go on running
#[derive(clap::Args)]
pub(crate) struct Down {}

pub(crate) async fn down(context: &Context) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let Some(pid) = engine.machines().supervisor() else {
        say_down(context, None, "the daemon is not up");
        return Ok(ExitCode::SUCCESS);
    };
    let refused = |why: String| Failure::Refused {
        message: format!("cannot end the daemon (pid {pid}): {why}"),
        hint: format!("end it yourself: kill {pid}"),
    };
    // Held by its process, so that a number that is given anew meanwhile is not hit.
    let process = Process::with_pid(pid).map_err(|error| refused(error.to_string()))?;
    process
        .terminate()
        .map_err(|error| refused(error.to_string()))?;
    match tokio::time::timeout(FAREWELL, process.wait_exit()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(refused(error.to_string())),
        Err(_) => {
            return Err(refused(format!(
                "it did not end within {} s",
                FAREWELL.as_secs()
            )));
        }
    }
    let said = "the daemon is down; machines go on running";
    say_down(context, Some(pid), said);
    Ok(ExitCode::SUCCESS)
}

/// Says which process has ended, if one has.
fn say_down(context: &Context, pid: Option<u32>, said: &str) {
    match context.format {
        Format::Json => output::json(&json!({ "pid": pid })),
        Format::Table => output::say(&format!("{said}\n")),
    }
}
