//! `sistemo volume`: look at disks.

use std::process::ExitCode;

use clap::Subcommand;
use sistemo::value::ByteSize;

use super::Context;
use super::output::{self, Format, age, details};
use super::report::Failure;

#[derive(Subcommand)]
pub(crate) enum Volume {
    /// List volumes
    #[command(visible_alias = "ls")]
    List,
    /// Show one volume
    #[command(visible_alias = "info")]
    Show {
        /// Name or identifier
        name: String,
    },
}

pub(crate) async fn run(context: &Context, command: Volume) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    match command {
        Volume::List => list(context, &engine.machines().volumes()?),
        Volume::Show { name } => show(context, &engine.machines().volume(&name)?),
    }
    Ok(ExitCode::SUCCESS)
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
