//! `sistemo setup`: says each thing in a line, then does it.

use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use sistemo::error::Error as Cause;
use sistemo::guest::keys;
use sistemo::host::setup::{self, Action, Facts, Hypervisors};
use sistemo::machine::Paths;
use sistemo::vmm;

use super::output::{self, Format};
use super::progress::Display;
use super::report::Failure;
use super::{Context, terminal};

/// Bring what this computer lacks: hypervisor, guest kernel, tools, SSH keys
///
/// Says what it would do and asks. A second run does nothing.
#[derive(clap::Args)]
pub(crate) struct Setup {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

pub(crate) async fn run(context: &Context, args: &Setup) -> Result<ExitCode, Failure> {
    let done = set_up(context, args.yes).await?;
    if context.format == Format::Json {
        let actions: Vec<_> = done
            .iter()
            .map(|action| json!({"action": action.says}))
            .collect();
        output::json(&actions);
    } else if done.is_empty() {
        output::say("everything is here; try: sistemo machine deploy debian\n");
    } else {
        output::say("this computer is set up; try: sistemo machine deploy debian\n");
    }
    Ok(ExitCode::SUCCESS)
}

/// Plans, asks and carries out. Comes back with what was done.
pub(crate) async fn set_up(context: &Context, yes: bool) -> Result<Vec<Action>, Failure> {
    let config = context.config()?;
    let key_file = Paths::new(&config.data_dir).keys().join("id_ed25519");
    let facts = Facts::gather(
        &config.data_dir,
        config.kernel.as_deref(),
        &key_file,
        &Hypervisors::from(&config),
    );
    let plan = setup::plan(&facts);
    if plan.is_empty() {
        return Ok(plan);
    }
    if plan.iter().any(|action| action.needs_root) && !nix::unistd::Uid::effective().is_root() {
        let own: Vec<_> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        return Err(Failure::Refused {
            message: "setting up installs packages and makes networks, which needs root".into(),
            hint: format!("sudo {}", own.join(" ")),
        });
    }
    if !yes {
        for action in &plan {
            output::complain(&format!("{}\n", action.says));
            for command in &action.commands {
                output::complain(&format!("    {command}\n"));
            }
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Refused {
                message: "nothing was done: without a terminal there is nobody to ask".into(),
                hint: "go ahead with: sistemo setup --yes".into(),
            });
        }
        if !terminal::confirm("Go ahead?", &context.cancel).await? {
            return Err(Failure::Refused {
                message: "nothing was done".into(),
                hint: "answer y, or say --yes".into(),
            });
        }
    }
    let display = Display::new(context.format);
    let progress = display.progress();
    let outcome = setup::carry_out(
        &plan,
        &config.data_dir,
        &key_file,
        &make_keys,
        &progress,
        &context.cancel,
    )
    .await;
    if outcome.is_ok() {
        // Found out once, so that the first deploy need not.
        let probe = vmm::choose(config.accelerator, &config.data_dir);
        let selected = vmm::select(
            config.vmm,
            1,
            &probe,
            &config.data_dir,
            config.firecracker.as_deref(),
        )
        .await;
        match selected {
            Ok(selected) => progress.note(format!(
                "machines run under {} on {}: {}",
                selected.hypervisor.title(),
                probe.accelerator,
                probe.reason
            )),
            Err(error) => progress.note(Cause::from(error).report()),
        }
    }
    display.finish();
    outcome?;
    Ok(plan)
}

/// Makes the key pair by which machines are entered, `file` and the public one beside it.
pub(crate) fn make_keys(file: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    keys::ensure_key_pair(folder)?;
    Ok(())
}
