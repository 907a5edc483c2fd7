//! The options of `deploy` for applications, as users of docker know them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sistemo::machine::{Machine, Wishes};
use sistemo::value::{BadVariable, PortMapping, Protocol, Variable};

use crate::cli::report::Failure;

#[derive(clap::Args, Default)]
#[command(next_help_heading = "For applications (container images)")]
pub(super) struct Options {
    /// Set a variable of its environment; KEY alone takes the value from here; repeatable
    ///
    /// What is typed can be seen by other users of this computer while the command runs, and is kept by the shell: for
    /// secrets use KEY alone, or --env-file. Only this computer's root and the machine itself get to see the values.
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = variable)]
    env: Vec<Variable>,

    /// Set the variables of a file, one a line; --env comes after it; repeatable
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    env_file: Vec<PathBuf>,

    /// Run this program instead of what the image names; '' for none
    ///
    /// One word: arguments are given behind `--`. The image's own command is dropped.
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,

    /// Run it as this user: a name or a number, with a group or without
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,

    /// Run it in this directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,

    /// Run this instead of the image's command, behind its entry point
    ///
    /// An image with an operating system runs it instead of its init.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn variable(text: &str) -> Result<Variable, BadVariable> {
    Variable::parse(text, &here)
}

/// A variable of whoever typed the command.
fn here(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Options {
    /// What they say, with what the files hold.
    pub(super) fn read(self) -> Result<Wishes, Failure> {
        let mut env = Vec::new();
        for path in &self.env_file {
            env.extend(read(path)?);
        }
        env.extend(self.env);
        Ok(Wishes {
            entrypoint: self.entrypoint,
            command: self.command,
            env,
            user: self.user,
            workdir: self.workdir,
        })
    }
}

fn read(path: &Path) -> Result<Vec<Variable>, Failure> {
    let refused = |why: &dyn std::fmt::Display| Failure::Usage {
        message: format!("cannot take variables from {}: {why}", path.display()),
        hint: "a file of variables has one a line: KEY=VALUE, or KEY to take it from here".into(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(&error))?;
    Variable::parse_file(&text, &here).map_err(|error| refused(&error))
}

/// What to say of ports that the image's application listens on and that nothing leads to yet.
pub(super) fn unexposed(machine: &Machine) -> String {
    let mut text = String::new();
    for port in &machine.exposed_ports {
        let Ok(port) = port.parse::<PortMapping>() else {
            continue;
        };
        let leads = |other: &sistemo::machine::Port| {
            (other.machine_port, other.protocol) == (port.machine, port.protocol)
        };
        if machine.ports.iter().any(leads) {
            continue;
        }
        let (number, protocol) = (port.machine, port.protocol);
        // Below 1024 are this computer's own services.
        let host = if number < 1024 { number + 8000 } else { number };
        let suffix = if protocol == Protocol::Udp {
            "/udp"
        } else {
            ""
        };
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "\nthe image listens on {number}/{protocol}: \
             sistemo machine expose {} --port {host}:{number}{suffix}\n",
            machine.name
        );
    }
    text
}
