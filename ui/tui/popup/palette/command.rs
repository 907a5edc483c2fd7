//! Lines in the command line's own syntax: read by its own parser, and done in here.

mod machine;
mod noted;
mod refusal;

use clap::Parser;
use clap::error::ErrorKind;
use sistemo::value::nearest;

use super::super::{Step, confirm, themes};
use crate::cli::config::Config;
use crate::cli::image::Image;
use crate::cli::image::build::{Build, is_folder};
use crate::cli::network::Network;
use crate::cli::output::Format;
use crate::cli::volume::Volume;
use crate::cli::{Cli, Command, usage};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::task::{Task, Thing};
use refusal::{elsewhere, refuse};

pub(super) use noted::noted;
pub(super) use refusal::Refusal;

type Outcome = Result<Vec<Step>, Refusal>;

/// The words of a line, `sistemo` as the first.
pub(super) fn words(line: &str) -> Result<Vec<String>, Refusal> {
    let split = shlex::split(line);
    let words = split.ok_or_else(|| Refusal::new("a quote is open", "close it: '…' or \"…\""))?;
    let own = usize::from(words.first().is_some_and(|word| word == "sistemo"));
    Ok([String::from("sistemo")]
        .into_iter()
        .chain(words.into_iter().skip(own))
        .collect())
}

/// What a line does.
pub(super) fn steps(line: &str, model: &Model) -> Outcome {
    let words = words(line)?;
    if let [_, first, name] = words.as_slice()
        && first == "theme"
    {
        return theme(name);
    }
    let cli = Cli::try_parse_from(&words).map_err(|error| refused(&error, &words))?;
    if cli.data_dir.is_some() {
        return Err(Refusal::new(
            "the console stays with its data directory",
            "open another console: sistemo --data-dir DIR",
        ));
    }
    if cli.output == Format::Json {
        return Err(Refusal::new(
            "the console takes no --output",
            "type the command into a shell",
        ));
    }
    let Some(command) = cli.command else {
        return Err(Refusal::new(
            "a command is missing",
            "machine, volume, image, network, history",
        ));
    };
    match command {
        Command::Machine(command) => machine::steps(command, model),
        Command::Volume(command) => volume(command, model),
        Command::Network(command) => network(command, model),
        Command::Image(command) => image(command, model),
        Command::History(args) => {
            refuse("history", args.option())?;
            Ok(vec![Step::Act(Action::History)])
        }
        Command::Setup(setup) => Ok(asked(vec![Task::Setup], setup.yes, model)),
        Command::Config {
            command: Some(Config::Set { key, value }),
        } if key == "theme" => theme(&value),
        Command::Config { .. } => Err(elsewhere("config")),
        Command::Quickstart(_) => Err(Refusal::new(
            "quickstart is nothing for the console",
            "the same in here: setup, then machine deploy debian",
        )),
        Command::Doctor(_) => Err(elsewhere("doctor")),
        Command::Up(_) => Err(elsewhere("up")),
        Command::Down(_) => Err(elsewhere("down")),
        Command::Web(_) => Err(elsewhere("web")),
        Command::Service(_) => Err(elsewhere("service")),
        Command::Completion(_) => Err(elsewhere("completion")),
        Command::Man(_) => Err(elsewhere("man")),
        Command::Attend(_) => Err(elsewhere("attend")),
    }
}

/// Takes a theme, if there is one of that name.
fn theme(name: &str) -> Outcome {
    let all = themes::names();
    if all.iter().any(|known| known == name) {
        return Ok(vec![Step::Effect(Effect::SetTheme(name.into()))]);
    }
    let hint = match nearest(name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", all.join(", ")),
    };
    let message = format!("there is no theme {name}");
    Err(Refusal::new(message, hint))
}

/// What the parser says, in a line.
fn refused(error: &clap::Error, words: &[String]) -> Refusal {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    );
    if is_help {
        let text = error.render().to_string();
        let usage = text.lines().find(|line| line.starts_with("Usage:"));
        return Refusal::new(
            usage.unwrap_or("there is no help for that in here"),
            "Tab shows what can follow",
        );
    }
    let (message, hint) = usage::explain(error, words);
    Refusal::new(message, hint)
}

/// Does tasks, after the question that they need unless that was answered already.
fn asked(tasks: Vec<Task>, yes: bool, model: &Model) -> Vec<Step> {
    let question = match yes {
        true => None,
        false => confirm::for_tasks(tasks.clone(), model),
    };
    match question {
        Some(question) => vec![Step::Open(question)],
        None => tasks.into_iter().map(Step::Do).collect(),
    }
}

/// Does the same to each thing of that name.
fn each(
    names: &[String],
    yes: bool,
    model: &Model,
    task: impl Fn(&str) -> Result<Task, Refusal>,
) -> Outcome {
    let tasks = names.iter().map(|name| task(name));
    Ok(asked(tasks.collect::<Result<_, _>>()?, yes, model))
}

fn there_is_no(what: &str, name: &str, action: &str) -> Refusal {
    Refusal::new(
        format!("there is no {what} {name:?}"),
        format!("see what there is: {action}"),
    )
}

/// A machine by its name, its identifier or the beginning of that, as the engine finds it.
fn machine_of<'a>(name: &str, model: &'a Model) -> Result<&'a sistemo::machine::Machine, Refusal> {
    let known = model.world.machine(name).or_else(|| {
        let mut begun = model
            .world
            .machines
            .iter()
            .filter(|machine| machine.id.starts_with(name));
        begun
            .next()
            .filter(|_| begun.next().is_none() && name.len() >= sistemo::store::LEAST_PREFIX)
    });
    known.ok_or_else(|| there_is_no("machine", name, "machine list"))
}

fn volume_of(name: &str, model: &Model) -> Result<Thing, Refusal> {
    let known = model.world.volume(name);
    known
        .map(Thing::from)
        .ok_or_else(|| there_is_no("volume", name, "volume list"))
}

fn image_of(name: &str, model: &Model) -> Result<Thing, Refusal> {
    let known = model.world.image(name);
    known
        .map(Thing::from)
        .ok_or_else(|| there_is_no("image", name, "image list"))
}

fn volume(command: Volume, model: &Model) -> Outcome {
    match command {
        Volume::List => Ok(vec![Step::Act(Action::Volumes)]),
        Volume::Show { name } => Ok(vec![Step::Go(
            View::Volumes,
            volume_of(&name, model)?.key().into(),
        )]),
        Volume::Create { size, name } => Ok(vec![Step::Do(Task::CreateVolume { name, size })]),
        Volume::Resize { name, size } => Ok(vec![Step::Do(Task::ResizeVolume {
            volume: volume_of(&name, model)?,
            size,
        })]),
        Volume::Rename { name, new } => Ok(vec![Step::Do(Task::RenameVolume {
            volume: volume_of(&name, model)?,
            new,
        })]),
        Volume::Delete { names, yes } => each(&names, yes, model, |name| {
            Ok(Task::DeleteVolume(volume_of(name, model)?))
        }),
    }
}

fn network(command: Network, model: &Model) -> Outcome {
    let known = |name: &str| match model.world.network(name) {
        Some(network) => Ok(network.name.clone()),
        None => Err(there_is_no("network", name, "network list")),
    };
    match command {
        Network::List => Ok(vec![Step::Act(Action::Networks)]),
        Network::Show { name } => Ok(vec![Step::Go(View::Networks, known(&name)?)]),
        Network::Create { name, subnet } => {
            Ok(vec![Step::Do(Task::CreateNetwork { name, subnet })])
        }
        Network::Delete { names } => each(&names, false, model, |name| {
            Ok(Task::DeleteNetwork(known(name)?))
        }),
    }
}

fn image(command: Image, model: &Model) -> Outcome {
    match command {
        Image::List => Ok(vec![Step::Act(Action::Images)]),
        Image::Show { name } => Ok(vec![Step::Go(
            View::Images,
            image_of(&name, model)?.key().into(),
        )]),
        Image::Pull { reference } => Ok(vec![Step::Do(Task::Pull(reference))]),
        Image::Build(args) => build(args),
        Image::Import { .. } => Err(elsewhere("image import")),
        Image::Delete { names, yes } => each(&names, yes, model, |name| {
            Ok(Task::DeleteImage(image_of(name, model)?))
        }),
        Image::Prune(args) if args.dry_run => Err(elsewhere("image prune --dry-run")),
        Image::Prune(args) => Ok(asked(vec![Task::Prune { all: args.all }], args.yes, model)),
    }
}

fn build(args: Build) -> Outcome {
    if !args.build_arg.is_empty() || args.target.is_some() || args.no_cache {
        return Err(elsewhere(
            "image build with --build-arg, --target or --no-cache",
        ));
    }
    if args
        .file
        .as_ref()
        .is_some_and(|file| file.as_os_str() == "-")
    {
        return Err(elsewhere("image build from standard input"));
    }
    let what = args.what.as_deref();
    let folder = match what {
        _ if args.file.is_some() => Some(what.unwrap_or(".")),
        Some(what) if is_folder(what) => Some(what),
        _ => None,
    };
    let task = match (folder, args.recipe) {
        (Some(folder), _) => Task::BuildDockerfile {
            folder: folder.into(),
            file: args.file,
            name: args.name,
        },
        (None, Some(recipe)) => Task::Build {
            reference: recipe,
            name: args.name,
        },
        (None, None) => Task::Build {
            reference: what.unwrap_or("debian").into(),
            name: args.name,
        },
    };
    Ok(vec![Step::Do(task)])
}
