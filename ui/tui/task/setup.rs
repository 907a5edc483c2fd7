//! Setting this computer up, as `sistemo setup` does.

use sistemo::engine::Engine;
use sistemo::event::Progress;
use sistemo::host::setup::{self, Facts, Hypervisors};
use sistemo::vmm;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::run::{Done, Trouble, beside};

/// Brings what this computer lacks.
pub(super) async fn set_up(
    engine: &Engine,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Done, Trouble> {
    let config = engine.config().clone();
    let key_file = engine.paths().keys().join("id_ed25519");
    let plan = {
        let (config, key_file) = (config.clone(), key_file.clone());
        beside(move || {
            let facts = Facts::gather(
                &config.data_dir,
                config.kernel.as_deref(),
                &key_file,
                &Hypervisors::from(&config),
            );
            setup::plan(&facts)
        })
        .await?
    };
    if plan.is_empty() {
        return Ok(Done::says("this computer has all that machines need"));
    }
    if plan.iter().any(|action| action.needs_root) && !nix::unistd::Uid::effective().is_root() {
        return Err(Trouble::Failed(Failure {
            message: "setting up installs packages and makes networks, which needs root".into(),
            hint: Some("quit, and run: sudo sistemo".into()),
            detail: None,
        }));
    }
    let make_keys = &crate::cli::setup::make_keys;
    setup::carry_out(
        &plan,
        &config.data_dir,
        &key_file,
        make_keys,
        progress,
        cancel,
    )
    .await?;
    progress.step("looking at what machines run on");
    // Found out once, so that the first deploy need not.
    let probe = {
        let config = config.clone();
        beside(move || vmm::choose(config.accelerator, &config.data_dir)).await?
    };
    let program = config.firecracker.as_deref();
    let selected = vmm::select(config.vmm, 1, &probe, &config.data_dir, program).await;
    Ok(Done {
        hint: Some(match selected {
            Ok(selected) => format!(
                "machines run under {} on {}: {}",
                selected.hypervisor.title(),
                probe.accelerator,
                probe.reason
            ),
            Err(error) => sistemo::error::Error::from(error).report(),
        }),
        ..Done::says("this computer is set up")
    })
}
