//! `sistemo machine delete`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::{self, Failure};
use crate::cli::terminal;
use crate::cli::{Context, complete};

/// Delete machines and their root disks
///
/// Data volumes are never deleted with a machine.
#[derive(clap::Args)]
pub(crate) struct Delete {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    names: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Keep the root volume; boot it again with: sistemo machine deploy --volume NAME-root
    #[arg(long)]
    preserve_storage: bool,
}

pub(crate) async fn run(context: &Context, args: &Delete) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let mut gone = Vec::new();
    let mut failed = None;
    for name in &args.names {
        let deleted = async {
            if context.cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            let machine = machines.show(name)?;
            let what = if args.preserve_storage {
                "its disk is kept"
            } else {
                "with its disk"
            };
            let question = format!("Delete machine {} ({what})?", machine.name);
            if !args.yes && !terminal::confirm(&question, &context.cancel).await? {
                return Err(Failure::Refused {
                    message: format!("machine {} was not deleted", machine.name),
                    hint: "answer y, or say -y".into(),
                });
            }
            let display = Display::new(context.format);
            let preserve = args.preserve_storage;
            let outcome = machines
                .delete(&machine.id, preserve, &display.progress(), &context.cancel)
                .await;
            display.finish();
            outcome.map(|()| machine).map_err(Failure::from)
        };
        match deleted.await {
            Ok(machine) => {
                if context.format == Format::Table {
                    output::say(&format!("{} deleted\n", machine.name));
                }
                gone.push(json!({"id": machine.id, "name": machine.name}));
            }
            Err(failure) => {
                failed.get_or_insert(report::failure(&failure, context.format));
                if context.cancel.is_cancelled() {
                    break;
                }
            }
        }
    }
    output::things(context.format, args.names.len(), &gone);
    match failed {
        Some(code) => Err(Failure::Reported(code)),
        None => Ok(ExitCode::SUCCESS),
    }
}
