//! `sistemo machine terminal`: the address of a machine's page, and a browser for it.

use std::process::ExitCode;

use serde_json::json;
use sistemo::store::machines::Status;

use crate::cli::browser::{self, Shown};
use crate::cli::output::{self, Format, complain};
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Open a machine's terminal in the browser, and print its address
///
/// The address is that of the daemon, with a ticket that lets one in once, within a minute. The browser is opened on a
/// desktop only, and not behind sudo, where it would be root's.
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
    let running = machine.status == Status::Running;
    let path = format!("/terminals/vm/{}", machine.id);
    let shown = browser::show(&engine, &path, running && !args.print).await;
    let Shown {
        url,
        opened,
        lacking,
    } = shown;
    match context.format {
        Format::Json => output::json(&json!({
            "url": url,
            "machine": machine.name,
            "status": machine.status,
            "answers": lacking.is_none(),
            "opened": opened,
        })),
        Format::Table => {
            output::say(&format!("{url}\n"));
            if !running {
                let name = &machine.name;
                complain(&format!("machine {name} is {}\n", machine.status));
                complain(&format!("hint: start it: sistemo machine start {name}\n"));
            }
            if let Some(lacking) = lacking {
                complain(&format!("{}\nhint: {}\n", lacking.message, lacking.hint));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
