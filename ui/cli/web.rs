//! `sistemo web`: the console in the browser.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::browser::{self, Shown};
use super::output::{self, Format};
use super::report::Failure;

/// Open the console in the browser, and print a link that lets one in
///
/// The link is good once, within a minute. The browser is opened on a desktop only, and not behind sudo, where it would be
/// root's.
#[derive(clap::Args)]
pub(crate) struct Web {
    /// Print the link and open nothing
    #[arg(short, long)]
    print: bool,
}

pub(crate) async fn run(context: &Context, args: &Web) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let shown = browser::show(&engine, "/", !args.print).await;
    let Shown {
        url,
        opened,
        lacking,
    } = &shown;
    match context.format {
        Format::Json => output::json(&json!({
            "url": url,
            "answers": lacking.is_none(),
            "opened": opened,
        })),
        Format::Table => output::say(&format!("{url}\n")),
    }
    match lacking {
        None => Ok(ExitCode::SUCCESS),
        Some(lacking) => Err(Failure::Refused {
            message: lacking.message.clone(),
            hint: lacking.hint.clone(),
        }),
    }
}
