//! `sistemo machine ssh`: a shell or a command, and forwarded ports.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use sistemo::guest::client::{Error, Exec as Command, Listener};
use sistemo::machine::Session;
use sistemo::value::{Forward, Listen, Reach};

use super::enter::{CONNECTION_FAILED, enter, hang_up, pty, run as run_command, why_lost};
use crate::cli::output::complain;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Open a shell in a machine, or run a command there
///
/// Ports are forwarded as with ssh: each of -L, -R and -D may stand several times. An IPv6 address is
/// written in brackets; a path means a Unix socket. Without an ADDRESS, the port is reached from
/// localhost alone; * means from anywhere.
///
/// When the guest no longer answers, Enter ~ . leaves the session.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine ssh web\n  \
    sistemo machine ssh web -l www ls -la\n  \
    sistemo machine ssh db -N -L 5432:localhost:5432\n  \
    sistemo machine ssh web -R 9000:localhost:9000 -A")]
pub(crate) struct Ssh {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// A line for the user's shell
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,

    /// Log in as this user
    #[arg(short = 'l', long, value_name = "USER", default_value = "root")]
    pub(crate) login: String,

    /// A port of this computer that leads to what the machine reaches as HOST:PORT
    #[arg(short = 'L', long, value_name = "[ADDRESS:]PORT:HOST:PORT")]
    pub(crate) local: Vec<Forward>,

    /// A port of the machine that leads to what this computer reaches as HOST:PORT
    #[arg(short = 'R', long, value_name = "[ADDRESS:]PORT:HOST:PORT")]
    pub(crate) remote: Vec<Forward>,

    /// A SOCKS proxy on this computer that connects from the machine
    #[arg(short = 'D', long, value_name = "[ADDRESS:]PORT")]
    pub(crate) dynamic: Vec<Listen>,

    /// Let programs in the machine use this computer's SSH agent; they can log in with its keys for as long
    #[arg(short = 'A', long)]
    pub(crate) agent: bool,

    /// Forward ports and run nothing
    #[arg(short = 'N', long, conflicts_with_all = ["command", "tty"])]
    pub(crate) no_command: bool,

    /// Give the command a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
}

pub(crate) async fn run(context: &Context, args: &Ssh) -> Result<ExitCode, Failure> {
    let agent = match args.agent {
        true => Some(agent()?),
        false => None,
    };
    let local = listen(args).await?;
    let session = enter(context, &args.name, Some(&args.login), agent).await?;
    let forwards = !local.is_empty() || !args.remote.is_empty();
    if args.no_command {
        return forward_only(context, args, &session, local).await;
    }
    // Whoever is slow to take what a forwarded port brings holds up its connection, and not the terminal's.
    let tunnel = match forwards {
        true => Some(enter(context, &args.name, Some(&args.login), None).await?),
        false => None,
    };
    let command = (!args.command.is_empty()).then(|| args.command.join(" "));
    let terminal = args.tty || (command.is_none() && std::io::stdin().is_terminal());
    let command = Command {
        command,
        env: Vec::new(),
        pty: terminal.then(pty),
    };
    let Some(tunnel) = tunnel else {
        return run_command(context, &args.name, &session, command).await;
    };
    ask_remote(args, &tunnel).await?;
    let forwarding = async {
        let lost = serve(&tunnel, local).await;
        complain(&format!("forwarded ports ended: {lost}\r\n"));
        std::future::pending().await
    };
    tokio::select! {
        status = run_command(context, &args.name, &session, command) => status,
        never = forwarding => never,
    }
}

/// The socket of the user's agent.
fn agent() -> Result<PathBuf, Failure> {
    match std::env::var_os("SSH_AUTH_SOCK") {
        Some(socket) if !socket.is_empty() => Ok(socket.into()),
        _ => Err(Failure::Refused {
            message: "there is no SSH agent to forward: SSH_AUTH_SOCK is not set".into(),
            hint: "start one and give it a key: eval \"$(ssh-agent)\" && ssh-add".into(),
        }),
    }
}

/// A socket on this side, and where its clients go: to a SOCKS proxy when nowhere is said.
struct Local {
    listener: Listener,
    to: Option<Reach>,
    socket: Option<Unlinked>,
}

/// A Unix socket's file, which goes with it.
struct Unlinked(PathBuf);

impl Drop for Unlinked {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens on this side for all that is asked, before anything is connected to.
async fn listen(args: &Ssh) -> Result<Vec<Local>, Failure> {
    let forwards = args
        .local
        .iter()
        .map(|forward| (&forward.listen, Some(&forward.reach)));
    let proxies = args.dynamic.iter().map(|listen| (listen, None));
    let mut local = Vec::new();
    for (listen, to) in forwards.chain(proxies) {
        let listeners = Listener::bind(listen)
            .await
            .map_err(|error| Failure::Refused {
                message: format!("cannot listen on {listen}: {error}"),
                hint: "choose another port, or end what listens there".into(),
            })?;
        let to_shown = to.map_or("a SOCKS proxy".into(), |to| {
            format!("{to} of {}", args.name)
        });
        let asked_for_any = matches!(listen, Listen::Tcp { port: 0, .. });
        if let Some(port) = listeners.first().and_then(Listener::port)
            && (asked_for_any || args.no_command)
        {
            complain(&format!("port {port} leads to {to_shown}\n"));
        }
        for listener in listeners {
            let socket = match listen {
                Listen::Unix(path) => Some(Unlinked(path.clone())),
                Listen::Tcp { .. } => None,
            };
            local.push(Local {
                listener,
                to: to.cloned(),
                socket,
            });
        }
    }
    Ok(local)
}

/// Has the guest listen for all that is asked.
async fn ask_remote(args: &Ssh, tunnel: &Session) -> Result<(), Failure> {
    for forward in &args.remote {
        let refused = |message: String, hint: &str| Failure::Refused {
            message,
            hint: hint.into(),
        };
        let Listen::Tcp { bind, port } = &forward.listen else {
            return Err(refused(
                format!("a machine listens on ports only, not on {}", forward.listen),
                "name a port: -R 9000:localhost:9000",
            ));
        };
        let address = bind.as_deref().unwrap_or("localhost");
        let asked = tunnel.forward_remote(address, *port, forward.reach.clone());
        let given = asked.await.map_err(|error| match error {
            Error::Request(_) => refused(
                format!("machine {} cannot listen on {}", args.name, forward.listen),
                "choose another port; those below 1024 are root's",
            ),
            error => refused(error.to_string(), "try again"),
        })?;
        if *port == 0 || args.no_command {
            let (name, to) = (&args.name, &forward.reach);
            complain(&format!("port {given} of {name} leads to {to}\n"));
        }
    }
    Ok(())
}

/// Serves forwarded ports until the connection ends, and says why it did.
async fn serve(tunnel: &Session, local: Vec<Local>) -> Error {
    let mut serving: FuturesUnordered<BoxFuture<'_, Result<(), Error>>> = local
        .into_iter()
        .map(|local| -> BoxFuture<'_, _> {
            Box::pin(async move {
                let _socket = local.socket;
                match local.to {
                    Some(to) => tunnel.forward_local(local.listener, &to).await,
                    None => tunnel.forward_dynamic(local.listener).await,
                }
            })
        })
        .collect();
    let ended = tunnel.ended();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            error = &mut ended => return error,
            Some(done) = serving.next(), if !serving.is_empty() => {
                if let Err(error) = done {
                    return error;
                }
            }
        }
    }
}

/// Forwards until the user has enough of it or the connection ends.
async fn forward_only(
    context: &Context,
    args: &Ssh,
    session: &Session,
    local: Vec<Local>,
) -> Result<ExitCode, Failure> {
    ask_remote(args, session).await?;
    tokio::select! {
        error = serve(session, local) => {
            complain(&format!("error: {error}\n"));
            if let Some(why) = why_lost(context, &args.name).await {
                complain(&format!("hint: {why}\n"));
            }
            Ok(ExitCode::from(CONNECTION_FAILED))
        }
        // This is how it ends.
        () = context.cancel.cancelled() => Ok(ExitCode::from(130)),
        () = hang_up() => Ok(ExitCode::from(129)),
    }
}
