//! `sistemo volume`: make, look at, grow and delete disks.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use sistemo::machine::Machines;
use sistemo::value::{ByteSize, Name};

use super::Context;
use super::complete;
use super::each::each;
use super::output::{self, Format, age, details};
use super::progress::Display;
use super::report::Failure;
use super::terminal;

#[derive(Subcommand)]
pub(crate) enum Volume {
    /// Make an empty data volume
    ///
    /// Attach it to a machine when that is deployed (--attach) or stopped (machine volume attach).
    #[command(
        visible_alias = "add",
        after_help = "Examples:\n  sistemo volume create 10G --name photos\n  sistemo machine deploy debian --attach photos:/srv/photos"
    )]
    Create {
        /// How large, such as 64M or 10G
        size: ByteSize,
        /// Its name [default: the beginning of its identifier]
        #[arg(long)]
        name: Option<Name>,
    },
    /// List volumes
    #[command(visible_alias = "ls")]
    List,
    /// Show one volume
    #[command(visible_alias = "info")]
    Show {
        /// Name or identifier
        #[arg(add = complete::volumes())]
        name: String,
    },
    /// Grow a volume and its file system; its machine must be stopped
    #[command(after_help = "Examples:\n  sistemo volume resize photos 20G")]
    Resize {
        /// Name or identifier
        #[arg(add = complete::volumes())]
        name: String,
        /// How large it is to be
        size: ByteSize,
    },
    /// Give a volume another name
    Rename {
        /// Name or identifier
        #[arg(add = complete::volumes())]
        name: String,
        /// The new name
        new: Name,
    },
    /// Delete volumes that belong to no machine
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Names or identifiers
        #[arg(required = true, value_name = "NAME", add = complete::volumes())]
        names: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub(crate) async fn run(context: &Context, command: Volume) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let (display, cancel) = (Display::new(context.format), &context.cancel);
    let progress = display.progress();
    match command {
        Volume::List => list(context, &machines.volumes()?),
        Volume::Show { name } => show(context, &machines.volume(&name)?),
        Volume::Create { size, name } => {
            let made = machines
                .create_volume(name.as_ref(), size, &progress, cancel)
                .await;
            display.finish();
            let made = made?;
            done(context, &made, &format!("{} created", made.name));
        }
        Volume::Resize { name, size } => {
            let grown = machines.resize_volume(&name, size, &progress, cancel).await;
            display.finish();
            let grown = grown?;
            let size = ByteSize::bytes(grown.size_bytes);
            done(context, &grown, &format!("{} has {size} now", grown.name));
        }
        Volume::Rename { name, new } => {
            let renamed = machines.rename_volume(&name, &new).await?;
            done(context, &renamed, &format!("{name} is {new} now"));
        }
        Volume::Delete { names, yes } => return delete(context, machines, names, yes).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a command that changed a volume says.
fn done(context: &Context, volume: &sistemo::volume::Volume, text: &str) {
    match context.format {
        Format::Json => output::json(volume),
        Format::Table => output::say(&format!("{text}\n")),
    }
}

fn list(context: &Context, volumes: &[sistemo::volume::Volume]) {
    if context.format == Format::Json {
        return output::json(&volumes);
    }
    if volumes.is_empty() {
        return output::say("no volumes; every machine gets one for its root\n");
    }
    let rows = volumes.iter().map(|volume| {
        vec![
            volume.name.clone(),
            volume.role.clone(),
            volume.status.clone(),
            ByteSize::bytes(volume.size_bytes).to_string(),
            volume
                .used_bytes
                .map(|used| ByteSize::bytes(used).to_string())
                .unwrap_or_default(),
            volume.machine.clone().unwrap_or_default(),
            age(&volume.created_at),
        ]
    });
    let headings = ["NAME", "ROLE", "STATUS", "SIZE", "USED", "MACHINE", "AGE"];
    output::say(&output::table(&headings, rows.collect()));
}

fn show(context: &Context, volume: &sistemo::volume::Volume) {
    if context.format == Format::Json {
        return output::json(volume);
    }
    output::say(&details(&[
        ("Name", volume.name.clone()),
        ("ID", volume.id.clone()),
        ("Role", volume.role.clone()),
        ("Status", volume.status.clone()),
        ("Size", ByteSize::bytes(volume.size_bytes).to_string()),
        (
            "Used",
            volume
                .used_bytes
                .map(|u| ByteSize::bytes(u).to_string())
                .unwrap_or_default(),
        ),
        ("Machine", volume.machine.clone().unwrap_or_default()),
        ("Mounted at", volume.mount_path.clone().unwrap_or_default()),
        ("File", volume.path.display().to_string()),
        ("Created", volume.created_at.clone()),
    ]));
}

async fn delete(
    context: &Context,
    machines: &Machines,
    names: Vec<String>,
    yes: bool,
) -> Result<ExitCode, Failure> {
    let (gone, status) = each(context, &names, async |name| {
        let volume = machines.volume(name)?;
        // What cannot be deleted anyway is not worth a question.
        if !yes && volume.machine.is_none() {
            let size = ByteSize::bytes(volume.size_bytes);
            let name = &volume.name;
            let question = format!("Delete volume {name} ({size}) and all that is on it?");
            terminal::agree(&question, &format!("volume {name}"), &context.cancel).await?;
        }
        let display = Display::new(context.format);
        let outcome = machines
            .delete_volume(&volume.id, &display.progress(), &context.cancel)
            .await;
        display.finish();
        outcome?;
        if context.format == Format::Table {
            output::say(&format!("{} deleted\n", volume.name));
        }
        Ok(json!({"id": volume.id, "name": volume.name}))
    })
    .await;
    output::things(context.format, names.len(), &gone);
    status
}
