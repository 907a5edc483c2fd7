//! A command line that was typed wrong: what is wrong with it, and how it is typed right.

use std::error::Error as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use sistemo::error::Advice;
use sistemo::value::BadValue;

use super::output::Format;
use super::report::{self, Failure};

/// Prints help and versions, which end well, and says what is wrong with everything else. The exit status.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let asked_for_help = matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
    );
    if asked_for_help {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let (message, hint) = explain(error, &words);
    let failure = Failure::Usage { message, hint };
    report::failure(&failure, format(&words))
}

/// What is wrong, and the way out: an example, a name that is alike, the usage, or where help is.
pub(crate) fn explain(error: &clap::Error, words: &[String]) -> (String, String) {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let message = text.split("\n\n").next().unwrap_or(text);
    let lines = message.lines().map(str::trim);
    let message = lines.collect::<Vec<_>>().join(" ");
    let named = |start: &str| {
        let found = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(start));
        found.map(|rest| rest.trim().to_string())
    };
    let example = error
        .source()
        .and_then(|source| source.downcast_ref::<BadValue>())
        .and_then(Advice::hint);
    let hint = example
        .or_else(|| example_of(error).map(Into::into))
        .or_else(|| named("tip:").filter(|tip| !tip.starts_with("to pass ")))
        .or_else(|| named("Usage:").map(|usage| format!("usage: {usage}")))
        .unwrap_or_else(|| format!("see: {} --help", command(words)));
    (message, hint)
}

/// An example of a value whose type has no advice of its own.
fn example_of(error: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    argument
        .contains("<CIDR>")
        .then_some("a subnet is a network address with the length of its prefix: 10.201.0.0/24")
}

/// The command that was typed, as far as it is one.
fn command(words: &[String]) -> String {
    let mut at = super::command();
    let mut path = vec!["sistemo".to_string()];
    for word in words.iter().skip(1) {
        let Some(next) = at.find_subcommand(word) else {
            break;
        };
        path.push(next.get_name().into());
        at = next.clone();
    }
    path.join(" ")
}

/// The format that was asked for, by whoever could not say the rest.
fn format(words: &[String]) -> Format {
    let pairs = words.iter().zip(words.iter().skip(1));
    let apart = pairs.filter(|(flag, _)| matches!(flag.as_str(), "-o" | "--output"));
    let together = words
        .iter()
        .any(|word| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json"));
    match together || apart.into_iter().any(|(_, value)| value == "json") {
        true => Format::Json,
        false => Format::Table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> (String, String) {
        let words: Vec<String> = line.split(' ').map(ToString::to_string).collect();
        let error = super::super::command()
            .try_get_matches_from(&words)
            .unwrap_err();
        explain(&error, &words)
    }

    #[test]
    fn what_is_typed_wrong_has_a_way_out() {
        for (line, message, hint) in [
            (
                "sistemo machine deploy debian --memory lots",
                "invalid value 'lots' for '--memory <SIZE>': \"lots\" is not a size",
                "a size is a number with a unit: 512M, 2G, 1.5GiB (a bare number is in MB)",
            ),
            (
                "sistemo network create a --subnet all",
                "invalid value 'all' for '--subnet <CIDR>'",
                "a subnet is a network address with the length of its prefix: 10.201.0.0/24",
            ),
            (
                "sistemo hitory",
                "unrecognized subcommand 'hitory'",
                "a similar subcommand exists: 'history'",
            ),
            (
                "sistemo machine stop",
                "the following required arguments were not provided: <NAME>...",
                "usage: sistemo machine stop",
            ),
            (
                "sistemo machine deploy debian --vcpus 65",
                "65 is not in 1..=64",
                "see: sistemo machine deploy --help",
            ),
            (
                "sistemo machine deploy debian --restart sometimes",
                "[possible values: no, on-failure, always]",
                "see: sistemo machine deploy --help",
            ),
        ] {
            let (said, way_out) = typed(line);
            assert!(said.contains(message), "{line}: {said}");
            assert!(way_out.starts_with(hint), "{line}: {way_out}");
        }
    }
}
