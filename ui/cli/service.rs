//! `sistemo service`: the daemon under systemd.

use std::process::ExitCode;
use std::time::Instant;

use clap::Subcommand;
use serde_json::json;
use sistemo::config::{Config, Origin};
use sistemo::host::service::{self, ENVIRONMENT, Status, UNIT};

use super::output::{self, Format};
use super::report::Failure;
use super::{Context, log};

#[derive(Subcommand)]
pub(crate) enum Service {
    /// Have systemd run the daemon from now on: at boot, and again when it fails
    ///
    /// Machines that ran when this computer went down come up again with it. The service has the data directory and the
    /// settings that this command has; done again, it takes up a newer program and other settings.
    #[command(
        after_help = "Examples:\n  sistemo service install\n  sistemo service install --print\n  journalctl -u sistemo"
    )]
    Install(Install),
    /// Take the service out; the daemon ends, and machines go on running
    Remove,
    /// Show whether the service is there, starts at boot and is up
    Status,
}

#[derive(clap::Args)]
pub(crate) struct Install {
    /// Only from the next boot on
    #[arg(long)]
    no_start: bool,

    /// Print the unit and change nothing
    #[arg(long, conflicts_with = "no_start")]
    print: bool,
}

pub(crate) async fn run(context: &Context, command: Service) -> Result<ExitCode, Failure> {
    match command {
        Service::Install(args) => install(context, &args).await,
        Service::Remove => remove(context).await,
        Service::Status => status(context).await,
    }
}

async fn install(context: &Context, args: &Install) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    let service = wanted(&config);
    if args.print {
        let unit = service.unit(ENVIRONMENT.as_ref());
        match context.format {
            Format::Json => output::json(&json!({ "unit": unit })),
            Format::Table => output::say(&unit),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let engine = context.engine().await?;
    let by_hand = engine.machines().supervisor();
    let begun = Instant::now();
    let outcome = service::install(&service, !args.no_start, by_hand)
        .await
        .map_err(Into::into);
    let tried = outcome.as_ref().map(drop);
    engine
        .machines()
        .note("service", "install", "sistemo", begun, tried.err());
    let status = outcome?;
    match context.format {
        Format::Json => output::json(&status),
        Format::Table => output::say(&installed(&status)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The service that this command asks for: this program on this data directory, with the settings that would be gone
/// with this command's environment.
pub(crate) fn wanted(config: &Config) -> service::Service {
    let settings = config
        .shown()
        .iter()
        .filter(|shown| shown.key != "data_dir");
    let mut environment: Vec<_> = settings
        .filter_map(|shown| match &shown.origin {
            Origin::Environment(variable) => Some((variable.clone(), shown.value.clone())),
            _ => None,
        })
        .collect();
    if let Ok(level) = std::env::var(log::VARIABLE)
        && !level.is_empty()
    {
        environment.push((log::VARIABLE.into(), level));
    }
    service::Service {
        program: super::programs().own,
        data_dir: config.data_dir.clone(),
        environment,
    }
}

fn installed(status: &Status) -> String {
    let up = match status.pid {
        Some(pid) => format!("the daemon is up (pid {pid}) and starts at boot"),
        None => "the daemon starts at boot".into(),
    };
    format!(
        "{up}\n\n  sistemo service status\n  journalctl -u {unit}\n  systemctl reload {unit}\n",
        unit = UNIT.trim_end_matches(".service")
    )
}

async fn remove(context: &Context) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let begun = Instant::now();
    let outcome = service::remove().await.map_err(Into::into);
    if !matches!(outcome, Ok(false)) {
        let tried = outcome.as_ref().map(drop);
        engine
            .machines()
            .note("service", "remove", "sistemo", begun, tried.err());
    }
    let was_there = outcome?;
    match (context.format, was_there) {
        (Format::Json, _) => output::json(&service::status().await?),
        (Format::Table, true) => output::say("the service is out; machines go on running\n"),
        (Format::Table, false) => output::say("the service is not installed\n"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(context: &Context) -> Result<ExitCode, Failure> {
    let status = service::status().await?;
    if context.format == Format::Json {
        output::json(&status);
        return Ok(ExitCode::SUCCESS);
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let service = match (&status.unit, status.systemd) {
        (Some(unit), _) => format!("installed ({})", unit.display()),
        (None, true) => "not installed".into(),
        (None, false) => "not installed; this computer is not run by systemd".into(),
    };
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_string();
    let when = |text: String| {
        if status.installed {
            text
        } else {
            String::new()
        }
    };
    let restarts = status.restarts.filter(|times| *times > 0);
    output::say(&output::details(&[
        ("Service", service),
        ("At boot", when(yes(status.enabled))),
        ("Up", when(yes(status.active))),
        ("State", text(&status.state)),
        (
            "Pid",
            status.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ),
        ("Since", text(&status.since)),
        (
            "Restarts",
            restarts.map(|times| times.to_string()).unwrap_or_default(),
        ),
        (
            "Data",
            status
                .data_dir
                .as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
        ),
    ]));
    Ok(ExitCode::SUCCESS)
}
