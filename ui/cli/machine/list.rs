//! `sistemo machine list` and `status`.

use std::process::ExitCode;

use sistemo::machine::Machine;
use sistemo::store::machines::Status as State;
use sistemo::value::ByteSize;

use crate::cli::output::{self, Format, age, details};
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// List machines
#[derive(clap::Args)]
pub(crate) struct List {
    /// Also those that are being deleted
    #[arg(short, long)]
    all: bool,
}

/// Show one machine
#[derive(clap::Args)]
pub(crate) struct Status {
    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(crate) name: String,
}

pub(crate) async fn list(context: &Context, args: &List) -> Result<ExitCode, Failure> {
    let mut machines = context.engine().await?.machines().list()?;
    machines.retain(|machine| args.all || machine.status != State::Deleting);
    match context.format {
        Format::Json => output::json(&machines),
        Format::Table if machines.is_empty() => {
            output::say("no machines; deploy one: sistemo machine deploy debian\n");
        }
        Format::Table => output::say(&table(&machines)),
    }
    Ok(ExitCode::SUCCESS)
}

fn table(machines: &[Machine]) -> String {
    let headings = [
        "NAME", "STATUS", "IMAGE", "IP", "NETWORK", "VOLUMES", "PORTS", "UPTIME",
    ];
    let row = |machine: &Machine| {
        let names: Vec<_> = machine
            .volumes
            .iter()
            .map(|volume| volume.name.as_str())
            .collect();
        vec![
            machine.name.clone(),
            machine.status.to_string(),
            machine.image.clone().unwrap_or_default(),
            machine.ip.clone().unwrap_or_default(),
            machine.network.clone().unwrap_or_default(),
            names.join(","),
            ports(machine),
            machine.started_at.as_deref().map(age).unwrap_or_default(),
        ]
    };
    output::table(&headings, machines.iter().map(row).collect())
}

fn ports(machine: &Machine) -> String {
    let port = |port: &sistemo::machine::Port| {
        format!(
            "{}->{}/{}",
            port.host_port, port.machine_port, port.protocol
        )
    };
    machine.ports.iter().map(port).collect::<Vec<_>>().join(",")
}

pub(crate) async fn status(context: &Context, args: &Status) -> Result<ExitCode, Failure> {
    let machine = context.engine().await?.machines().show(&args.name)?;
    match context.format {
        Format::Json => output::json(&machine),
        Format::Table => output::say(&describe(&machine)),
    }
    Ok(ExitCode::SUCCESS)
}

/// A machine in full, for a person.
pub(crate) fn describe(machine: &Machine) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let volumes: Vec<_> = machine
        .volumes
        .iter()
        .map(|volume| {
            let place = volume.mount_path.as_deref().unwrap_or("-");
            let (size, used) = (
                ByteSize::bytes(volume.size_bytes),
                volume.used_bytes.unwrap_or(0),
            );
            let used = ByteSize::bytes(used);
            format!(
                "{} ({}, {size}, {used} used) at {place}",
                volume.name, volume.role
            )
        })
        .collect();
    let hypervisor = match (&machine.vmm, &machine.accelerator, machine.pid) {
        (Some(vmm), Some(accelerator), Some(pid)) => format!("{vmm} ({accelerator}), pid {pid}"),
        (Some(vmm), Some(accelerator), None) => format!("{vmm} ({accelerator})"),
        _ => String::new(),
    };
    let memory = ByteSize::bytes(machine.memory_bytes);
    details(&[
        ("Name", machine.name.clone()),
        ("ID", machine.id.clone()),
        ("Status", machine.status.to_string()),
        ("Failure", or_none(&machine.failure)),
        ("Boot log", or_none(&machine.boot_log)),
        ("Image", or_none(&machine.image)),
        ("Digest", or_none(&machine.image_digest)),
        ("IP", or_none(&machine.ip)),
        ("MAC", or_none(&machine.mac)),
        ("Network", or_none(&machine.network)),
        ("Namespace", or_none(&machine.namespace)),
        ("Ports", ports(machine)),
        (
            "Resources",
            format!(
                "{} vcpus, {memory} memory{}",
                machine.vcpus,
                limits(machine)
            ),
        ),
        ("Volumes", volumes.join("\n")),
        ("Restart", machine.restart.as_str().into()),
        ("Command", output::words(machine.command.iter().flatten())),
        ("Variables", machine.environment.join(" ")),
        ("User", or_none(&machine.user)),
        ("Directory", or_none(&machine.workdir)),
        ("Hypervisor", hypervisor),
        ("Created", machine.created_at.clone()),
        ("Started", or_none(&machine.started_at)),
    ])
}

/// `, 100 Mbit/s, 500 IOPS`
fn limits(machine: &Machine) -> String {
    let bandwidth = machine
        .bandwidth_mbps
        .map(|mbps| format!(", {mbps} Mbit/s"));
    let iops = machine.iops.map(|iops| format!(", {iops} IOPS"));
    bandwidth.into_iter().chain(iops).collect()
}
