//! The scripted subcommands: one file per group, an arguments struct whose comments are the help text, and a function.

mod attend;
mod browser;
mod complete;
pub(crate) mod config;
mod daemon;
pub(crate) mod doctor;
mod each;
mod history;
pub(crate) mod image;
mod log;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod output;
mod progress;
mod quickstart;
pub(crate) mod report;
pub(crate) mod service;
pub(crate) mod setup;
mod shell;
mod terminal;
pub(crate) mod usage;
pub(crate) mod volume;
mod web;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use sistemo::config::Config;
use sistemo::engine::{Engine, Programs};
use sistemo::error::Result;
use tokio::signal::unix::SignalKind;
use tokio_util::sync::CancellationToken;

use output::Format;
use progress::Display;
use report::Failure;

/// Small real Linux machines: own kernel, own init, own network, up in seconds, entered by SSH
#[derive(Parser)]
#[command(
    name = "sistemo",
    version,
    max_term_width = 100,
    propagate_version = true
)]
#[command(
    after_help = "On a terminal, sistemo without a command opens the console.\n\nFirst steps:\n  sistemo quickstart\n  sistemo machine deploy debian\n  \
    sistemo machine ssh debian\n  sistemo machine delete debian"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Where everything is kept [default: /var/lib/sistemo for root]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// How results are written
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Set this computer up, deploy a first machine, and on a terminal open the console
    Quickstart(quickstart::Quickstart),
    /// Bring what this computer lacks: hypervisor, kernel, tools, keys
    Setup(setup::Setup),
    /// Check everything and say how to mend each failure
    Doctor(doctor::Doctor),
    /// Deploy, enter, stop and delete machines
    #[command(subcommand, visible_alias = "vm")]
    Machine(machine::Machine),
    /// Make, look at, grow and delete disks
    #[command(subcommand)]
    Volume(volume::Volume),
    /// Make, look at and delete networks
    #[command(subcommand)]
    Network(network::Network),
    /// Fetch, build and remove images
    #[command(subcommand)]
    Image(image::Image),
    /// Run the daemon: machines that crash are noticed, and start again as they are to
    Up(daemon::Up),
    /// End the daemon; machines go on running
    Down(daemon::Down),
    /// Open the console in the browser, and print a link that lets one in
    Web(web::Web),
    /// Have systemd run the daemon: at boot, and again when it fails
    #[command(subcommand)]
    Service(service::Service),
    #[command(hide = true)]
    Attend(attend::Attend),
    /// Show what was done, when and how it ended
    History(history::History),
    /// Show and change settings
    Config {
        #[command(subcommand)]
        command: Option<config::Config>,
    },
    /// Print what makes a shell complete commands and names
    Completion(shell::Completion),
    /// Print the manual
    Man(shell::Man),
}

impl Command {
    /// Whether several things are computed side by side, as the layers of an image are and what browsers ask for.
    fn has_much_to_do(&self) -> bool {
        matches!(
            self,
            Command::Quickstart(_)
                | Command::Setup(_)
                | Command::Image(_)
                | Command::Up(_)
                | Command::Machine(machine::Machine::Deploy(_))
        )
    }
}

/// What every command is given.
pub(crate) struct Context {
    format: Format,
    data_dir: Option<PathBuf>,
    cancel: CancellationToken,
}

impl Context {
    fn config(&self) -> Result<Config> {
        Ok(Config::load(self.data_dir.clone(), &|key| {
            std::env::var(key).ok()
        })?)
    }

    /// Opens the engine.
    fn untended(&self) -> Result<Engine> {
        Engine::open(self.config()?, programs())
    }

    /// Opens the engine and puts right what killed commands left.
    async fn engine(&self) -> Result<Engine> {
        let engine = self.untended()?;
        let display = Display::new(self.format);
        for left in engine.machines().tend(&display.progress()).await? {
            display.note(&format!("could not be put right yet: {left}"));
        }
        Ok(engine)
    }
}

/// Whether whoever calls the program by its name alone is somebody at a terminal.
fn is_for_console() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs the full-screen console.
async fn console(context: &Context) -> Result<ExitCode, Failure> {
    let engine = context.untended()?;
    match Box::pin(crate::tui::run(engine, context.cancel.clone())).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::Refused {
            message: format!("the console cannot use this terminal: {error}"),
            hint: "the commands work everywhere: sistemo --help".into(),
        }),
    }
}

/// All commands, for whoever needs to know them.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// The guest program lies beside the running one.
fn programs() -> Programs {
    let own = std::env::current_exe().unwrap_or_else(|_| "sistemo".into());
    let guest = own.with_file_name("sistemo-guest");
    Programs { guest, own }
}

/// Runs the command line and gives the exit status.
pub(crate) fn main() -> ExitCode {
    // A shell that wants words gets them here, and the program ends.
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(shell::VARIABLE)
        .complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };
    let logging = match &cli.command {
        Some(Command::Up(args)) => log::start(args.log_level, Some(log::Level::Info)),
        Some(Command::Attend(_)) => log::start(None, Some(log::Level::Info)),
        _ => log::start(None, None),
    };
    if let Err(failure) = logging {
        return report::failure(&failure, cli.output);
    }
    terminal::survive_file_limits();
    let has_much_to_do = match &cli.command {
        Some(command) => command.has_much_to_do(),
        None => is_for_console(),
    };
    let mut runtime = match has_much_to_do {
        true => tokio::runtime::Builder::new_multi_thread(),
        // What waits for one thing at a time gains nothing from threads but the way between them.
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("error: cannot start: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let format = cli.output;
    let outcome = runtime.block_on(run(cli));
    // Threads that wait for a terminal or a lock have nothing left to do.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => report::failure(&failure, format),
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let mut endings = vec![SignalKind::interrupt(), SignalKind::terminate()];
    // To a daemon a hang-up means to read its settings again.
    if !matches!(cli.command, Some(Command::Up(_))) {
        endings.push(SignalKind::hangup());
    }
    let context = Context {
        format: cli.output,
        data_dir: cli.data_dir,
        cancel: terminal::cancel_on_signals(&endings),
    };
    match cli.command {
        None if is_for_console() => console(&context).await,
        None => {
            let _ = Cli::command().print_help();
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Quickstart(args)) => quickstart::run(&context, &args).await,
        Some(Command::Setup(args)) => setup::run(&context, &args).await,
        Some(Command::Doctor(args)) => doctor::run(&context, &args).await,
        Some(Command::Machine(args)) => machine::run(&context, args).await,
        Some(Command::Volume(args)) => volume::run(&context, args).await,
        Some(Command::Network(args)) => network::run(&context, args).await,
        Some(Command::Image(args)) => image::run(&context, args).await,
        Some(Command::Up(args)) => Box::pin(daemon::up(&context, &args)).await,
        Some(Command::Down(_)) => daemon::down(&context).await,
        Some(Command::Web(args)) => web::run(&context, &args).await,
        Some(Command::Service(args)) => service::run(&context, args).await,
        Some(Command::Attend(_)) => attend::run(&context).await,
        Some(Command::History(args)) => history::run(&context, &args).await,
        Some(Command::Config { command }) => config::run(&context, command),
        Some(Command::Completion(args)) => shell::completion(&args),
        Some(Command::Man(args)) => shell::man(&args),
    }
}
