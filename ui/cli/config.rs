//! `sistemo config`: settings, where they come from, and changing them.

use std::process::{Command, ExitCode};

use clap::Subcommand;
use serde_json::json;
use sistemo::config::Shown;

use super::Context;
use super::complete;
use super::output::{self, Format};
use super::report::Failure;
use crate::tui::settings;

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Show every setting, its value and where it came from
    Show,
    /// Show where the settings of this data directory lie
    Path,
    /// Open them in an editor ($VISUAL, $EDITOR)
    Edit,
    /// Set one
    #[command(
        after_help = "Examples:\n  sistemo config set default_memory 1G\n  sistemo config set registry_mirrors mirror.lan:5000"
    )]
    Set {
        /// The setting
        #[arg(add = complete::settings())]
        key: String,
        /// Its new value
        value: String,
    },
    /// Take one out, so that it has its default again
    Unset {
        /// The setting
        #[arg(add = complete::settings())]
        key: String,
    },
}

pub(crate) fn run(context: &Context, command: Option<Config>) -> Result<ExitCode, Failure> {
    // A file that is wrong must not keep anybody from mending it.
    if let Some(Config::Edit) = command {
        return edit(context);
    }
    let config = context.config()?;
    match command.unwrap_or(Config::Show) {
        Config::Show => show(context, &config),
        Config::Path => path(context, &config.file()),
        Config::Set { key, value } => {
            config.set(&key, Some(&value))?;
            done(context, &key, &format!("{key} is {value} now"))?;
        }
        Config::Unset { key } => {
            config.set(&key, None)?;
            done(context, &key, &format!("{key} has its default again"))?;
        }
        Config::Edit => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be said of a setting that was changed, and what it is now: the environment may still say otherwise.
fn done(context: &Context, key: &str, text: &str) -> Result<(), Failure> {
    let config = context.config()?;
    let now = config.shown().iter().find(|setting| setting.key == key);
    match (context.format, now) {
        (Format::Json, Some(setting)) => output::json(&as_json(setting)),
        _ => output::say(&format!("{text}\n")),
    }
    Ok(())
}

fn as_json(setting: &Shown) -> serde_json::Value {
    json!({
        "key": setting.key,
        "value": Some(&setting.value).filter(|value| !value.is_empty()),
        "origin": setting.origin.to_string(),
        "meaning": setting.meaning,
    })
}

fn show(context: &Context, config: &sistemo::config::Config) {
    let shown = config.shown();
    if context.format == Format::Json {
        let all: Vec<_> = shown.iter().map(as_json).collect();
        return output::json(&all);
    }
    let rows = shown.iter().map(|setting| {
        vec![
            setting.key.to_string(),
            setting.value.clone(),
            setting.origin.to_string(),
            setting.meaning.to_string(),
        ]
    });
    let headings = ["SETTING", "VALUE", "FROM", "MEANING"];
    output::say(&output::table(&headings, rows.collect()));
    complain_of_console(config);
}

/// Says what is wrong in the console's own table of the files, which keeps its defaults there.
fn complain_of_console(config: &sistemo::config::Config) {
    for wrong in settings::read(config).wrong {
        output::complain(&format!("warning: {wrong}\nhint: {}\n", wrong.hint));
    }
}

fn path(context: &Context, path: &std::path::Path) {
    match context.format {
        Format::Json => output::json(&json!({ "path": path })),
        Format::Table => output::say(&format!("{}\n", path.display())),
    }
}

fn edit(context: &Context) -> Result<ExitCode, Failure> {
    let file = sistemo::config::file_of(context.data_dir.clone(), &|key| std::env::var(key).ok());
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "vi".into());
    // As git does it: the variable may hold arguments, so a shell reads it.
    let status = Command::new("sh")
        .args(["-c", &format!("{editor} \"$0\"")])
        .arg(&file)
        .status();
    match status {
        Ok(status) if status.success() => {
            // Says at once what would be said by the next command.
            complain_of_console(&context.config()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::Refused {
            message: format!("the editor {editor} did not end well"),
            hint: format!("set EDITOR, or edit {} by hand", file.display()),
        }),
    }
}
