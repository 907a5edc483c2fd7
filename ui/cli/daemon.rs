//! `sistemo up` and `down`: the daemon, which watches over machines.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use sistemo::event::{Event, Progress};
use sistemo::host::background::background;
use sistemo::vmm::Process;
use tokio::net::UnixDatagram;
use tokio::signal::unix::SignalKind;

use super::Context;
use super::output::{self, Format};
use super::report::Failure;
use super::terminal;

/// How long `down` waits for the daemon, which has nothing to do but to stop watching.
const FAREWELL: Duration = Duration::from_secs(10);

/// Run the daemon: it notices machines that crash, starts them again as they are to be, and keeps the network whole
///
/// Machines go on running when it ends. It runs until it is interrupted or `sistemo down` ends it; SIGHUP makes it read
/// its settings again.
#[derive(clap::Args)]
pub(crate) struct Up {
    /// Come back once it runs in the background
    #[arg(short, long)]
    detach: bool,
}

pub(crate) async fn up(context: &Context, args: &Up) -> Result<ExitCode, Failure> {
    if args.detach {
        return detach(context).await;
    }
    let mut hang_up = terminal::signals(SignalKind::hangup());
    loop {
        let engine = context.engine().await?;
        let supervisor = engine.machines().supervise()?;
        let stop = context.cancel.child_token();
        let interval = engine.config().reconcile_interval;
        let progress = journal();
        let watching = supervisor.run(interval, &progress, &stop, ready());
        tokio::pin!(watching);
        let reload = async {
            match &mut hang_up {
                Some(signals) => drop(signals.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = &mut watching => {
                outcome?;
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
                return Ok(ExitCode::SUCCESS);
            }
            () = reload => {
                say("reading the settings again");
                stop.cancel();
                watching.await?;
            }
        }
    }
}

/// Tells the service manager, and whoever started this in the background, that everything is watched; after every walk
/// the service manager's watchdog (sd_notify(3)).
fn ready() -> impl FnMut() {
    let mut first = true;
    move || {
        if std::mem::take(&mut first) {
            say("watching over machines");
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
}

/// Lines for the journal, which adds the time.
pub(super) fn journal() -> Progress {
    Progress::new(|event| match event {
        Event::Note { text } => say(&text),
        Event::Step { .. } | Event::Transfer { .. } => {}
    })
}

/// A line of the daemon's own log. Nobody can be told that nobody reads it.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Starts the daemon in a session of its own, with its lines in `daemon.log`, and waits until it watches: it says so as
/// it would to a service manager.
async fn detach(context: &Context) -> Result<ExitCode, Failure> {
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
    let start = async || -> std::io::Result<Result<u32, String>> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("notify");
        let notices = UnixDatagram::bind(&socket)?;
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&log)?;
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command
            .arg("--data-dir")
            .arg(&data_dir)
            .arg("up")
            .env("NOTIFY_SOCKET", &socket);
        let mut child = background(&mut command, out)?;
        let pid = child.id().unwrap_or_default();
        let mut notice = [0; 512];
        loop {
            tokio::select! {
                length = notices.recv(&mut notice) => {
                    let notice = String::from_utf8_lossy(&notice[..length?]);
                    if notice.lines().any(|line| line == "READY=1") {
                        return Ok(Ok(pid));
                    }
                }
                ended = child.wait() => return Ok(Err(format!("it ended ({})", ended?))),
            }
        }
    };
    let started = start().await.map_err(|error| failed(error.to_string()))?;
    let pid = started.map_err(failed)?;
    match context.format {
        Format::Json => output::json(&json!({ "pid": pid })),
        Format::Table => output::say(&format!("the daemon is up (pid {pid})\n")),
    }
    Ok(ExitCode::SUCCESS)
}

/// End the daemon; machines go on running
#[derive(clap::Args)]
pub(crate) struct Down {}

pub(crate) async fn down(context: &Context) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let Some(pid) = engine.machines().supervisor() else {
        match context.format {
            Format::Json => output::json(&json!({ "pid": None::<u32> })),
            Format::Table => output::say("the daemon is not up\n"),
        }
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
    match context.format {
        Format::Json => output::json(&json!({ "pid": pid })),
        Format::Table => output::say("the daemon is down; machines go on running\n"),
    }
    Ok(ExitCode::SUCCESS)
}
