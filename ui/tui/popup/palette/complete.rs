//! What can follow in a half-typed command: subcommands, flags, and names of what there is.

use clap::{Arg, ArgAction, Command};
use clap_complete::engine::ArgValueCompleter;

use crate::tui::model::Model;

/// The word that is being typed, and what it may become.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Completion {
    /// Where the word begins, in bytes.
    pub(super) from: usize,
    /// Words, and what is to be said of each.
    pub(super) words: Vec<(String, String)>,
}

/// What names are asked for.
#[derive(Clone, Copy)]
enum Names {
    Machines,
    Volumes,
    Networks,
    Images,
}

/// Whether a line is one of commands: it begins with one, and goes on.
pub(super) fn is_command(line: &str, commands: &Command) -> bool {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("sistemo") => line.trim_start().len() > "sistemo".len(),
        Some(word) => {
            let goes_on = words.next().is_some() || line.ends_with(char::is_whitespace);
            goes_on && commands.find_subcommand(word).is_some()
        }
        None => false,
    }
}

/// What the last word of a line may become.
pub(super) fn complete(line: &str, commands: &Command, model: &Model) -> Completion {
    let last = line.char_indices().rfind(|(_, sign)| sign.is_whitespace());
    // Some blanks are longer than a byte.
    let from = last.map_or(0, |(at, sign)| at + sign.len_utf8());
    let word = &line[from..];
    let mut at = commands;
    let mut top = "";
    let mut position = 0;
    let mut option: Option<&Arg> = None;
    for before in line[..from]
        .split_whitespace()
        .skip_while(|word| *word == "sistemo")
    {
        if option.take().is_some() {
            continue;
        }
        if let Some(next) = at.find_subcommand(before) {
            if top.is_empty() {
                top = next.get_name();
            }
            at = next;
        } else if before.starts_with('-') {
            option = option_of(at, before).filter(|_| !before.contains('='));
        } else {
            position += 1;
        }
    }
    let all = match option {
        Some(option) => values(option, top, model),
        None if word.starts_with('-') => flags(at),
        None if at.has_subcommands() => subcommands(at),
        None => {
            let positionals: Vec<&Arg> = at.get_positionals().collect();
            // The last may take several.
            let argument = positionals.get(position).or(positionals.last());
            argument
                .map(|argument| values(argument, top, model))
                .unwrap_or_default()
        }
    };
    let words = all
        .into_iter()
        .filter(|(known, _)| known.starts_with(word) && known != word);
    Completion {
        from,
        words: words.collect(),
    }
}

/// What all of the words begin with.
pub(super) fn in_common(words: &[(String, String)]) -> &str {
    let Some((first, rest)) = words.split_first() else {
        return "";
    };
    let mut length = first.0.len();
    for (word, _) in rest {
        let alike = first.0.char_indices().zip(word.chars());
        let differs = alike.into_iter().find(|((_, one), other)| one != other);
        length = length.min(differs.map_or(word.len(), |((at, _), _)| at));
    }
    &first.0[..length]
}

fn subcommands(command: &Command) -> Vec<(String, String)> {
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let about = |command: &Command| {
        command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    shown
        .map(|command| (command.get_name().into(), about(command)))
        .collect()
}

/// The option that a word is, if it takes a value.
fn option_of<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let is_named = |option: &&Arg| {
        let long = word
            .strip_prefix("--")
            .is_some_and(|word| option.get_long() == Some(word));
        let mut letters = word.chars().skip(1);
        let short = letters
            .next()
            .is_some_and(|letter| option.get_short() == Some(letter))
            && letters.next().is_none();
        long || short
    };
    command
        .get_opts()
        .filter(|option| takes_value(option))
        .find(is_named)
}

fn takes_value(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
}

fn flags(command: &Command) -> Vec<(String, String)> {
    let own = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && !argument.is_hide_set());
    let named = own.filter_map(|argument| {
        let about = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        Some((format!("--{}", argument.get_long()?), about))
    });
    // Help and versions are for shells.
    named
        .filter(|(name, _)| name != "--help" && name != "--version")
        .collect()
}

fn values(argument: &Arg, top: &str, model: &Model) -> Vec<(String, String)> {
    let possible = argument.get_possible_values();
    if !possible.is_empty() && takes_value(argument) {
        let value =
            |value: &clap::builder::PossibleValue| (value.get_name().to_string(), String::new());
        return possible.iter().map(value).collect();
    }
    let id = argument.get_id().as_str();
    // Shells are offered names for those that a thing has already, and for no others.
    let is_of_a_thing = argument.get::<ArgValueCompleter>().is_some();
    let names = match (id, top) {
        ("attach", _) => Names::Volumes,
        _ if !is_of_a_thing => return Vec::new(),
        ("machine", _) | ("name" | "names", "machine") => Names::Machines,
        ("volume", _) | ("name" | "names", "volume") => Names::Volumes,
        ("network", _) | ("name" | "names", "network") => Names::Networks,
        ("image" | "reference" | "what", _) | ("name" | "names", "image") => Names::Images,
        _ => return Vec::new(),
    };
    all(names, model)
}

fn all(names: Names, model: &Model) -> Vec<(String, String)> {
    let world = &model.world;
    match names {
        Names::Machines => world
            .machines
            .iter()
            .map(|machine| (machine.name.clone(), machine.status.to_string()))
            .collect(),
        Names::Volumes => {
            let about = |volume: &sistemo::volume::Volume| match &volume.machine {
                Some(machine) => format!("{}, {machine}", volume.role),
                None => format!("{}, {}", volume.role, volume.status),
            };
            world
                .volumes
                .iter()
                .map(|volume| (volume.name.clone(), about(volume)))
                .collect()
        }
        Names::Networks => world
            .networks
            .iter()
            .map(|network| (network.name.clone(), network.subnet.to_string()))
            .collect(),
        Names::Images => {
            let names = world.images.iter().flat_map(|image| image.names.iter());
            let mut all: Vec<_> = names
                .map(|name| (name.clone(), "image".to_string()))
                .collect();
            for recipe in sistemo::image::recipes() {
                if !all.iter().any(|(name, _)| *name == recipe) {
                    all.push((recipe, "recipe".into()));
                }
            }
            all
        }
    }
}
