//! `sistemo machine snapshot`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use sistemo::machine::Snapshot as View;
use sistemo::value::{ByteSize, Name};

use crate::cli::each::each;
use crate::cli::output::{self, Format, age, details};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete, terminal};

#[derive(Subcommand)]
pub(crate) enum Snapshot {
    /// Make a snapshot of a machine: its disks, and its memory if it runs
    ///
    /// A machine that runs is held still for as long as it takes to copy them, and goes on. Data volumes are part of it.
    #[command(
        after_help = "Examples:\n  sistemo machine snapshot create web\n  sistemo machine snapshot create web before-upgrade"
    )]
    Create {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: String,
        /// What to call it [default: snap0, snap1 ...]
        snapshot: Option<Name>,
    },
    /// List snapshots, of one machine or of all
    #[command(visible_alias = "ls")]
    List {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: Option<String>,
    },
    /// Show one snapshot
    #[command(visible_alias = "info")]
    Show {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: String,
        /// The snapshot's name
        #[arg(add = complete::snapshots())]
        snapshot: String,
    },
    /// Delete snapshots; machines that were made of them stay
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: String,
        /// The snapshots' names
        #[arg(required = true, value_name = "SNAPSHOT", add = complete::snapshots())]
        snapshots: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Have a machine be what it was at a snapshot; what its disks hold since is lost
    ///
    /// With its memory it goes on from there. A snapshot without memory leaves it stopped.
    #[command(
        after_help = "Examples:\n  sistemo machine snapshot restore web snap0\n  sistemo machine snapshot restore web snap0 --disks-only && sistemo machine start web"
    )]
    Restore {
        /// Name or identifier of the machine
        #[arg(add = complete::machines())]
        machine: String,
        /// The snapshot's name
        #[arg(add = complete::snapshots())]
        snapshot: String,
        /// Leave its memory out: the machine is stopped then, and boots from the disks
        #[arg(long)]
        disks_only: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub(crate) async fn run(context: &Context, command: Snapshot) -> Result<ExitCode, Failure> {
    match command {
        Snapshot::Create { machine, snapshot } => {
            create(context, &machine, snapshot.as_ref()).await
        }
        Snapshot::List { machine } => list(context, machine.as_deref()).await,
        Snapshot::Show { machine, snapshot } => {
            let engine = context.engine().await?;
            let found = engine.machines().snapshot(&machine, &snapshot)?;
            match context.format {
                Format::Json => output::json(&found),
                Format::Table => output::say(&describe(&found)),
            }
            Ok(ExitCode::SUCCESS)
        }
        Snapshot::Delete {
            machine,
            snapshots,
            yes,
        } => delete(context, &machine, &snapshots, yes).await,
        Snapshot::Restore {
            machine,
            snapshot,
            disks_only,
            yes,
        } => restore(context, &machine, &snapshot, disks_only, yes).await,
    }
}

async fn create(
    context: &Context,
    machine: &str,
    name: Option<&Name>,
) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let display = Display::new(context.format);
    let made = engine
        .machines()
        .create_snapshot(machine, name, &display.progress(), &context.cancel)
        .await;
    display.finish();
    let made = made?;
    match context.format {
        Format::Json => output::json(&made),
        Format::Table => output::say(&format!(
            "snapshot {} of {} made ({})\n",
            made.name,
            made.machine,
            ByteSize::bytes(made.used_bytes)
        )),
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context, machine: Option<&str>) -> Result<ExitCode, Failure> {
    let snapshots = context.engine().await?.machines().snapshots(machine)?;
    if context.format == Format::Json {
        output::json(&snapshots);
        return Ok(ExitCode::SUCCESS);
    }
    if snapshots.is_empty() {
        output::say("no snapshots; make one: sistemo machine snapshot create MACHINE\n");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = snapshots.iter().map(|snapshot| {
        vec![
            snapshot.machine.clone(),
            snapshot.name.clone(),
            contents(snapshot).into(),
            ByteSize::bytes(snapshot.used_bytes).to_string(),
            age(&snapshot.created_at),
        ]
    });
    let headings = ["MACHINE", "NAME", "CONTENTS", "USED", "AGE"];
    output::say(&output::table(&headings, rows.collect()));
    Ok(ExitCode::SUCCESS)
}

fn contents(snapshot: &View) -> &'static str {
    match snapshot.memory {
        true => "memory, disks",
        false => "disks",
    }
}

fn describe(snapshot: &View) -> String {
    let disks: Vec<_> = snapshot
        .disks
        .iter()
        .map(|disk| {
            let place = disk.mount_path.as_deref().unwrap_or("-");
            let size = ByteSize::bytes(disk.size_bytes);
            format!("{} ({}, {size}) at {place}", disk.name, disk.role)
        })
        .collect();
    let hypervisor = [&snapshot.vmm, &snapshot.vmm_version, &snapshot.accelerator];
    let hypervisor: Vec<_> = hypervisor.into_iter().flatten().cloned().collect();
    let memory = ByteSize::bytes(snapshot.memory_bytes);
    details(&[
        ("Name", snapshot.name.clone()),
        ("ID", snapshot.id.clone()),
        ("Machine", snapshot.machine.clone()),
        ("Contents", contents(snapshot).into()),
        (
            "Resources",
            format!("{} vcpus, {memory} memory", snapshot.vcpus),
        ),
        ("Disks", disks.join("\n")),
        ("Used", ByteSize::bytes(snapshot.used_bytes).to_string()),
        ("Hypervisor", hypervisor.join(" ")),
        ("Created", snapshot.created_at.clone()),
    ])
}

async fn delete(
    context: &Context,
    machine: &str,
    names: &[String],
    yes: bool,
) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let (gone, status) = each(context, names, async |name| {
        let found = machines.snapshot(machine, name)?;
        let what = format!("snapshot {} of machine {}", found.name, found.machine);
        if !yes {
            terminal::agree(&format!("Delete {what}?"), &what, &context.cancel).await?;
        }
        let display = Display::new(context.format);
        let outcome = machines
            .delete_snapshot(machine, name, &display.progress(), &context.cancel)
            .await;
        display.finish();
        outcome?;
        if context.format == Format::Table {
            output::say(&format!("{what} deleted\n"));
        }
        Ok(json!({"id": found.id, "name": found.name, "machine": found.machine}))
    })
    .await;
    output::things(context.format, names.len(), &gone);
    status
}

async fn restore(
    context: &Context,
    machine: &str,
    name: &str,
    disks_only: bool,
    yes: bool,
) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    let found = machines.snapshot(machine, name)?;
    if !yes {
        let question = format!(
            "Restore machine {} to {}? What its disks hold since is lost.",
            found.machine, found.created_at
        );
        let what = format!("machine {}", found.machine);
        terminal::agree(&question, &what, &context.cancel).await?;
    }
    let display = Display::new(context.format);
    let restored = machines
        .restore(
            machine,
            name,
            disks_only,
            &display.progress(),
            &context.cancel,
        )
        .await;
    display.finish();
    let machine = restored?;
    match context.format {
        Format::Json => output::json(&machine),
        Format::Table => output::say(&format!(
            "{} is as it was at {} ({})\n",
            machine.name, found.name, machine.status
        )),
    }
    Ok(ExitCode::SUCCESS)
}
