//! `sistemo`: picks a front end.

mod cli;
mod shell;
mod tui;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
