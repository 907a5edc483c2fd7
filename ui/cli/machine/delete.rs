//! `sistemo machine delete`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::each::each;
use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::terminal;
use crate::cli::{Context, complete};

/// Delete machines and their root disks
///
/// Data volumes are never deleted with a machine; its snapshots are.
#[derive(clap::Args)]
pub(crate) struct Delete {
    /// Names or identifiers
    #[arg(required = true, value_name = "NAME", add = complete::machines())]
    pub(crate) names: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Keep the root volume; boot it again with: sistemo machine deploy --volume NAME-root
    #[arg(long)]
    pub(crate) preserve_storage: bool,
}

pub(crate) async fn run(context: &Context, args: &Delete) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let (gone, status) = each(context, &args.names, async |name| {
        let machine = machines.show(name)?;
        let what = if args.preserve_storage {
            "its disk is kept"
        } else {
            "with its disk"
        };
        if !args.yes {
            let names: Vec<_> = machines
                .snapshots(Some(&machine.id))?
                .into_iter()
                .map(|snapshot| snapshot.name)
                .collect();
            let snapshots = match names.len() {
                0 => String::new(),
                1 => format!(", and its snapshot {} goes", names[0]),
                _ => format!(", and its snapshots {} go", names.join(", ")),
            };
            let question = format!("Delete machine {} ({what}{snapshots})?", machine.name);
            let what = format!("machine {}", machine.name);
            terminal::agree(&question, &what, &context.cancel).await?;
        }
        let display = Display::new(context.format);
        let preserve = args.preserve_storage;
        let outcome = machines
            .delete(&machine.id, preserve, &display.progress(), &context.cancel)
            .await;
        display.finish();
        outcome?;
        if context.format == Format::Table {
            output::say(&format!("{} deleted\n", machine.name));
        }
        Ok(json!({"id": machine.id, "name": machine.name}))
    })
    .await;
    output::things(context.format, args.names.len(), &gone);
    status
}
