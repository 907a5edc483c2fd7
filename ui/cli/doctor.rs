//! `sistemo doctor`: checks everything and says how to mend each failure.

use std::process::ExitCode;

use sistemo::config::Config;
use sistemo::host::doctor::{self, Subject};
use sistemo::host::setup::Hypervisors;
use sistemo::machine::Paths;

use super::output::{self, Format};
use super::report::Failure;
use super::{Context, programs};

/// Check everything and say how to mend each failure
#[derive(clap::Args)]
pub(crate) struct Doctor {}

pub(crate) async fn run(context: &Context, _args: &Doctor) -> Result<ExitCode, Failure> {
    let checks = doctor::examine(&subject(&context.config()?)).await;
    if context.format == Format::Json {
        output::json(&checks);
    } else {
        for check in &checks {
            let mark = if check.ok { "ok  " } else { "FAIL" };
            output::say(&format!("{mark}  {}: {}\n", check.name, check.message));
            if let Some(hint) = &check.hint {
                output::say(&format!("      hint: {hint}\n"));
            }
        }
    }
    let failed = checks.iter().filter(|check| !check.ok).count();
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    if context.format == Format::Table {
        output::complain(&format!(
            "error: {failed} of {} checks failed\n",
            checks.len()
        ));
    }
    Err(Failure::Reported(ExitCode::FAILURE))
}

/// What is to be looked at under these settings.
pub(crate) fn subject(config: &Config) -> Subject {
    let paths = Paths::new(&config.data_dir);
    Subject {
        data_dir: config.data_dir.clone(),
        database: paths.database(),
        guest_program: programs().guest,
        key_file: paths.keys().join("id_ed25519"),
        contain: config.contain,
        hypervisors: Hypervisors::from(config),
        min_disk_free: config.min_disk_free,
    }
}
