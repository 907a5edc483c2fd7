//! `sistemo completion` and `sistemo man`: what a shell and a manual reader need.

use std::process::ExitCode;

use clap::{CommandFactory, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::Cli;
use super::output;
use super::report::Failure;

/// The variable by which a shell asks the program for words.
pub(crate) const VARIABLE: &str = "SISTEMO_COMPLETE";

/// Print what makes a shell complete commands and names
///
/// Names of machines, volumes and images are looked up as you type.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sistemo completion bash > /etc/bash_completion.d/sistemo\n  \
    sistemo completion zsh > /usr/share/zsh/site-functions/_sistemo\n  \
    sistemo completion fish > ~/.config/fish/completions/sistemo.fish"
)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

pub(crate) fn completion(args: &Completion) -> Result<ExitCode, Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Elvish => &Elvish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    // By name: the program may be anywhere in PATH when the shell asks it.
    let written = shell.write_registration(VARIABLE, "sistemo", "sistemo", "sistemo", &mut script);
    written.map_err(|error| Failure::Refused {
        message: format!("cannot write the completion: {error}"),
        hint: "try another shell".into(),
    })?;
    output::say(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

/// Print the manual, or write a page for each command
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo man | man -l -\n  \
    sistemo man --dir /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Write one page per command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
}

pub(crate) fn man(args: &Man) -> Result<ExitCode, Failure> {
    let command = Cli::command();
    let failed = |what: String, error: std::io::Error| Failure::Refused {
        message: format!("cannot write {what}: {error}"),
        hint: "name a directory that can be written".into(),
    };
    match &args.dir {
        Some(dir) => {
            let what = dir.display().to_string();
            std::fs::create_dir_all(dir).map_err(|error| failed(what.clone(), error))?;
            clap_mangen::generate_to(command, dir).map_err(|error| failed(what, error))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(|error| failed("the manual".into(), error))?;
            output::say(&String::from_utf8_lossy(&page));
        }
    }
    Ok(ExitCode::SUCCESS)
}
