//! `sistemo machine deploy`.

use std::process::ExitCode;

use sistemo::config::{MOST_BANDWIDTH, MOST_IOPS};
use sistemo::guest::words::Restart;
use sistemo::machine::{ForkRequest, Machine, Request};
use sistemo::store::machines::Status;
use sistemo::value::{ByteSize, Name, PortMapping};
use sistemo::vmm::Hypervisor;
use sistemo::volume::Attachment;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

use super::application;

/// Make a machine from an image and start it
///
/// IMAGE is a recipe (debian, debian:trixie), a container image (nginx, registry.example/app:1), a
/// file (.ext4, .tar, .tar.gz, an OCI layout) or a URL.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine deploy debian\n  \
    sistemo machine deploy debian --name web --vcpus 4 --memory 2G --storage 20G\n  \
    sistemo machine deploy debian --expose 8080:80 --expose 53:53/udp\n  \
    sistemo machine deploy debian --attach data,photos:/srv/photos\n  \
    sistemo machine deploy nginx --expose 8080:80 --env TZ=Europe/Berlin\n  \
    sistemo machine deploy alpine --entrypoint /bin/sh -- -c 'while :; do date; sleep 60; done'\n  \
    sistemo machine deploy --volume web-root\n  \
    sistemo machine deploy --from-snapshot web/snap0 --name web-try")]
pub(crate) struct Deploy {
    /// What to boot
    #[arg(
        required_unless_present_any = ["volume", "from_snapshot"],
        conflicts_with_all = ["volume", "from_snapshot"],
        add = complete::images()
    )]
    image: Option<String>,

    /// Name of the machine [default: from the image, with -2, -3 ... when taken]
    #[arg(long)]
    name: Option<Name>,

    /// Virtual processors, 1 to 64 [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    vcpus: Option<u8>,

    /// Memory, from 128M [default: 512M]
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,

    /// Root disk; never smaller than the image [default: 2G]
    #[arg(long, value_name = "SIZE", conflicts_with = "volume")]
    storage: Option<ByteSize>,

    /// Megabits per second that it may send, and be sent; 0 for no limit [default: 0]
    #[arg(long, value_name = "MBPS", value_parser = clap::value_parser!(u32).range(0..=MOST_BANDWIDTH as i64))]
    bandwidth: Option<u32>,

    /// Reads and writes per second of all its disks; 0 for no limit [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=MOST_IOPS as i64))]
    iops: Option<u32>,

    /// Hypervisor that it runs under [default: firecracker where KVM works, else qemu]
    #[arg(long, value_enum, value_name = "VMM")]
    vmm: Option<Vmm>,

    /// Boot from an existing root volume
    #[arg(long, value_name = "VOLUME", add = complete::volumes())]
    volume: Option<String>,

    /// Go on from a snapshot of a machine, as another; it has what the machine had
    #[arg(
        long,
        value_name = "MACHINE/SNAPSHOT",
        add = complete::origins(),
        conflicts_with_all = [
            "volume", "vcpus", "memory", "storage", "bandwidth", "iops", "vmm", "restart", "attach",
            "env", "env_file", "entrypoint", "user", "workdir", "command",
        ]
    )]
    pub(crate) from_snapshot: Option<Origin>,

    /// With --from-snapshot: leave its memory out, and boot
    #[arg(long, requires = "from_snapshot")]
    disks_only: bool,

    /// Start it again when it ends by itself [default: on-failure for application images, else no]
    ///
    /// An application is started again by the guest; a machine whose hypervisor ends, by the daemon (sistemo up).
    #[arg(long, value_enum, value_name = "POLICY")]
    restart: Option<Policy>,

    /// Have a port of this computer lead into it: 8080:80, 80 or 53:53/udp; repeatable
    #[arg(long, value_name = "[HOST:]GUEST[/udp]")]
    expose: Vec<PortMapping>,

    /// Put it on this network [default: default]
    #[arg(long, value_name = "NAME", add = complete::networks())]
    network: Option<Name>,

    /// Mount data volumes, at /mnt/VOLUME by default; repeatable
    #[arg(long, value_name = "VOLUME[:PATH],...", value_delimiter = ',')]
    attach: Vec<Attachment>,

    /// Come back before the guest answers
    #[arg(long)]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    application: application::Options,
}

/// A snapshot of a machine.
#[derive(Clone)]
pub(crate) struct Origin {
    machine: String,
    snapshot: String,
}

impl std::str::FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((machine, snapshot)) if !machine.is_empty() && !snapshot.is_empty() => {
                Ok(Origin {
                    machine: machine.into(),
                    snapshot: snapshot.into(),
                })
            }
            _ => Err("it wants MACHINE/SNAPSHOT, such as web/snap0".into()),
        }
    }
}

/// What a machine runs under.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Vmm {
    Qemu,
    Firecracker,
}

impl From<Vmm> for Hypervisor {
    fn from(vmm: Vmm) -> Self {
        match vmm {
            Vmm::Qemu => Hypervisor::Qemu,
            Vmm::Firecracker => Hypervisor::Firecracker,
        }
    }
}

/// When a machine is started again.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Policy {
    No,
    OnFailure,
    Always,
}

impl From<Policy> for Restart {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::No => Restart::No,
            Policy::OnFailure => Restart::OnFailure,
            Policy::Always => Restart::Always,
        }
    }
}

impl Deploy {
    /// What is asked for, with what files of variables hold.
    pub(crate) fn request(self) -> Result<Request, Failure> {
        Ok(Request {
            application: self.application.read()?,
            image: self.image,
            name: self.name,
            vcpus: self.vcpus,
            memory: self.memory,
            storage: self.storage,
            bandwidth_mbps: self.bandwidth,
            iops: self.iops,
            vmm: self.vmm.map(Hypervisor::from),
            volume: self.volume,
            restart: self.restart.map(Restart::from),
            expose: self.expose,
            network: self.network,
            attach: self.attach,
            no_wait: self.no_wait,
        })
    }
}

pub(crate) async fn run(context: &Context, args: Deploy) -> Result<ExitCode, Failure> {
    if let Some(origin) = args.from_snapshot.clone() {
        return go_on(context, args, &origin).await;
    }
    let request = args.request()?;
    let machine = deploy(context, &request).await?;
    match context.format {
        Format::Json => output::json(&machine),
        Format::Table => output::say(&farewell(&machine, request.no_wait)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn go_on(context: &Context, args: Deploy, origin: &Origin) -> Result<ExitCode, Failure> {
    let request = ForkRequest {
        name: args.name,
        expose: args.expose,
        network: args.network,
        disks_only: args.disks_only,
        no_wait: args.no_wait,
    };
    let engine = context.engine().await?;
    let display = Display::new(context.format);
    let (machine, snapshot) = (&origin.machine, &origin.snapshot);
    let (machines, progress) = (engine.machines(), display.progress());
    let deploying =
        machines.deploy_from_snapshot(machine, snapshot, &request, &progress, &context.cancel);
    let deployed = Box::pin(deploying).await;
    display.finish();
    let machine = deployed?;
    match context.format {
        Format::Json => output::json(&machine),
        Format::Table => output::say(&farewell(&machine, request.no_wait)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Deploys and shows the progress; quickstart does the same.
pub(crate) async fn deploy(context: &Context, request: &Request) -> Result<Machine, Failure> {
    let engine = context.engine().await?;
    let display = Display::new(context.format);
    let deployed = engine
        .machines()
        .deploy(request, &display.progress(), &context.cancel)
        .await;
    display.finish();
    Ok(deployed?)
}

/// What to say of a new machine: its name, its address, and what to try next.
pub(crate) fn farewell(machine: &Machine, no_wait: bool) -> String {
    let name = &machine.name;
    if machine.status == Status::Stopped {
        return format!(
            "{name} has done its work and ended\n\n  sistemo machine logs {name}\n  {}",
            last(name)
        );
    }
    let state = if no_wait { "is starting" } else { "is ready" };
    let address = machine
        .ip
        .as_ref()
        .map(|ip| format!(" at {ip}"))
        .unwrap_or_default();
    format!(
        "{name} {state}{address}\n\n  \
         sistemo machine ssh {name}\n  \
         sistemo machine exec {name} uname -a\n  \
         sistemo machine logs {name}\n  {}{}",
        last(name),
        application::unexposed(machine)
    )
}

fn last(name: &str) -> String {
    format!("sistemo machine delete {name}\n")
}
