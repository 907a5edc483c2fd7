//! Runs `nft(8)` in this thread's network namespace. It is the one tool that the network calls: nftables has no stable
//! netlink encoding of sets with ranges or concatenations but its own, and libnftables' JSON is a documented interface.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::error::Error;

/// Carries out one transaction: all of it or, with an error, none.
pub(super) fn apply(act: &'static str, transaction: &Value) -> Result<(), Error> {
    run(act, &["-j", "-f", "-"], transaction.to_string().as_bytes()).map(drop)
}

/// The table, its sets with their elements; `None` when there is no such table.
pub(super) fn list_table(family: &str, name: &str) -> Result<Option<Value>, Error> {
    match run("list a table", &["-j", "list", "table", family, name], b"") {
        Ok(answer) => parse(&answer).map(Some),
        Err(Error::Nft { said, .. }) if said.contains("No such file or directory") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whatever `nft -j list …` answers.
pub(super) fn list(what: &[&str]) -> Result<Value, Error> {
    let arguments: Vec<_> = ["-j", "list"].iter().chain(what).copied().collect();
    parse(&run("list the rules", &arguments, b"")?)
}

fn parse(answer: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(answer).map_err(|source| Error::NftAnswer { source })
}

fn run(act: &'static str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Error> {
    // sudo and login shells may leave the sbin directories out of PATH.
    let spawn = |program: &str| {
        Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let failed = |source| Error::NftMissing { source };
    let mut child = match spawn("nft") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            spawn("/usr/sbin/nft").map_err(failed)?
        }
        other => other.map_err(failed)?,
    };
    if let Some(mut stdin) = child.stdin.take() {
        // nft reads all of its input before it prints; if it ends early, what it says matters more than this.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // The first line says what is wrong, the others quote a whole transaction back.
    let said = said.lines().next().unwrap_or("it said nothing").trim();
    Err(Error::Nft {
        act,
        said: said.strip_prefix("Error: ").unwrap_or(said).into(),
    })
}
