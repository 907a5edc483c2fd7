//! `sistemo machine volume`: data volumes of a stopped machine.

use std::process::ExitCode;

use clap::Subcommand;
use sistemo::volume::Attachment;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

#[derive(Subcommand)]
pub(crate) enum Volume {
    /// Attach a data volume to a stopped machine, which mounts it when it starts
    Attach {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: String,
        /// Volume, and where to mount it [default: /mnt/VOLUME]
        #[arg(value_name = "VOLUME[:PATH]", add = complete::volumes())]
        volume: Attachment,
    },
    /// Detach a data volume from a stopped machine
    Detach {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: String,
        /// Name or identifier of the volume
        #[arg(add = complete::volumes())]
        volume: String,
    },
}

pub(crate) async fn run(context: &Context, command: Volume) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let display = Display::new(context.format);
    let (progress, cancel) = (display.progress(), &context.cancel);
    let (changed, text) = match &command {
        Volume::Attach { machine, volume } => {
            let attached = machines
                .attach_volume(machine, volume, &progress, cancel)
                .await;
            display.finish();
            let attached = attached?;
            let path = attached.mount_path.clone().unwrap_or_default();
            let owner = attached.machine.clone().unwrap_or_default();
            let text = format!("{} belongs to {owner} and will be at {path}", attached.name);
            (attached, text)
        }
        Volume::Detach { machine, volume } => {
            let detached = machines
                .detach_volume(machine, volume, &progress, cancel)
                .await;
            display.finish();
            let detached = detached?;
            let text = format!("{} is available", detached.name);
            (detached, text)
        }
    };
    match context.format {
        Format::Json => output::json(&changed),
        Format::Table => output::say(&format!("{text}\n")),
    }
    Ok(ExitCode::SUCCESS)
}
