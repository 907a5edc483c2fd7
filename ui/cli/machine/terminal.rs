//! `sistemo machine terminal`: the address of a machine's page, and a browser for it.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::json;
use sistemo::store::machines::Status;
use sistemo::value::Address;
use tokio::net::TcpStream;

use crate::cli::output::{self, Format, complain};
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// How long a server on this computer may take to be there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Open a machine's terminal in the browser, and print its address
///
/// The address is that of the daemon (the setting listen). The browser is opened on a desktop only.
#[derive(clap::Args)]
pub(crate) struct Terminal {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,

    /// Print the address and open nothing
    #[arg(short, long)]
    pub(crate) print: bool,
}

pub(crate) async fn run(context: &Context, args: &Terminal) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machine = engine.machines().show(&args.name)?;
    let listen = &engine.config().listen;
    let address = format!("http://{listen}/terminals/vm/{}", machine.id);
    let answers = answers(listen).await;
    let running = machine.status == Status::Running;
    let opened = answers && running && !args.print && open(&address);
    match context.format {
        Format::Json => output::json(&json!({
            "url": address,
            "machine": machine.name,
            "status": machine.status,
            "answers": answers,
            "opened": opened,
        })),
        Format::Table => {
            output::say(&format!("{address}\n"));
            if !running {
                let name = &machine.name;
                complain(&format!("machine {name} is {}\n", machine.status));
                complain(&format!("hint: start it: sistemo machine start {name}\n"));
            }
            match engine.machines().supervisor() {
                _ if answers => {}
                Some(pid) => complain(&format!(
                    "the daemon is up (pid {pid}), and serves no terminals at {listen}\n"
                )),
                None => {
                    complain(&format!("nothing answers at {listen}\n"));
                    complain("hint: start the daemon: sistemo up --detach\n");
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a server is there.
async fn answers(at: &Address) -> bool {
    let connecting = TcpStream::connect((at.host.as_str(), at.port));
    matches!(tokio::time::timeout(PATIENCE, connecting).await, Ok(Ok(_)))
}

/// Opens the address in the user's browser where there is a desktop, and says whether it did.
fn open(address: &str) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return false;
    }
    ["xdg-open", "gio", "x-www-browser"]
        .into_iter()
        .any(|opener| {
            let mut command = std::process::Command::new(opener);
            if opener == "gio" {
                command.arg("open");
            }
            let command = command
                .arg(address)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().is_ok()
        })
}
