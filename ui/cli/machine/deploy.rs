//! `sistemo machine deploy`.

use std::process::ExitCode;

use sistemo::machine::{Machine, Request};
use sistemo::value::{ByteSize, Name};

use crate::cli::Context;
use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;

/// Make a machine from an image and start it
///
/// IMAGE is a recipe (debian, debian:trixie), a container image (nginx, registry.example/app:1), a
/// file (.ext4, .tar, .tar.gz, an OCI layout) or a URL.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine deploy debian\n  \
    sistemo machine deploy debian --name web --vcpus 4 --memory 2G --storage 20G\n  \
    sistemo machine deploy --volume web-root")]
pub(crate) struct Deploy {
    /// What to boot
    #[arg(required_unless_present = "volume", conflicts_with = "volume")]
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

    /// Boot from an existing root volume
    #[arg(long, value_name = "VOLUME")]
    volume: Option<String>,

    /// Come back before the guest answers
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(context: &Context, args: Deploy) -> Result<ExitCode, Failure> {
    let request = Request {
        image: args.image,
        name: args.name,
        vcpus: args.vcpus,
        memory: args.memory,
        storage: args.storage,
        volume: args.volume,
        no_wait: args.no_wait,
    };
    let machine = deploy(context, &request).await?;
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
         sistemo machine logs {name}\n  \
         sistemo machine delete {name}\n"
    )
}
