//! What the palette offers: every action, everything that there is, every theme.

use super::super::Step;
use crate::tui::action::{Action, On, available, of_machine, specs};
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::pane::PaneAction;
use crate::tui::view::text::harmless;

/// What an offer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Action(Action),
    /// An action of another view, to which the first leads.
    There(Action, Action),
    /// An action with one machine, by its identifier.
    With(String, Action),
    /// A thing: its view and identifier.
    Thing(View, String),
    Theme(String),
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) what: What,
    /// What it is called, by itself: it is noted by that.
    pub(super) name: String,
    /// What it would be done with, if that is clear.
    pub(super) target: Option<String>,
    /// Its name in the settings, or what kind of thing it is.
    pub(super) aside: &'static str,
    /// Words that mean it and nothing else.
    pub(super) aliases: &'static [&'static str],
    /// How much it matters where nothing is typed.
    pub(super) weight: u8,
}

impl Offer {
    pub(super) fn text(&self) -> String {
        match &self.target {
            Some(target) => format!("{}: {target}", self.name),
            None => self.name.clone(),
        }
    }

    /// The key that does the same here.
    pub(super) fn key(&self, model: &Model) -> String {
        let action = match self.what {
            What::Action(action) => action,
            _ => return String::new(),
        };
        model
            .keymap
            .text(action, model.contexts(), model.theme.glyphs())
            .unwrap_or_default()
    }

    /// Why it cannot be done now.
    pub(super) fn why_not(&self, model: &Model) -> Option<String> {
        match &self.what {
            What::Action(action) => available(*action, model).err(),
            What::There(there, _) => available(*there, model).err(),
            What::With(id, action) => match model.world.machine(id) {
                Some(machine) => of_machine(*action, machine, model).err(),
                None => Some("it is gone".into()),
            },
            What::Thing(..) | What::Theme(_) => None,
        }
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        match &self.what {
            What::Action(action) => vec![Step::Act(*action)],
            What::There(there, action) => vec![Step::Act(*there), Step::Act(*action)],
            What::With(id, action) => vec![Step::ActOn(View::Machines, id.clone(), *action)],
            What::Thing(view, id) => vec![Step::Go(*view, id.clone())],
            What::Theme(name) => vec![Step::Effect(Effect::SetTheme(name.clone()))],
        }
    }
}

/// What moves is no offer, and the palette is open already.
fn is_offered(action: Action) -> bool {
    use Action::{
        Back, Bottom, Down, HalfDown, HalfUp, Left, Mark, MarkRange, PageDown, PageUp, Palette,
        Right, Top, Up,
    };
    !matches!(
        action,
        Back | Bottom
            | Down
            | HalfDown
            | HalfUp
            | Left
            | Mark
            | MarkRange
            | PageDown
            | PageUp
            | Palette
            | Right
            | Top
            | Up
            | Action::Create
            | Action::Pane(PaneAction::Palette | PaneAction::Help)
    )
}

/// Where an action is done that needs nothing selected.
fn home(action: Action) -> Option<Action> {
    match action {
        Action::Deploy => Some(Action::Machines),
        Action::Pull | Action::Build | Action::Prune => Some(Action::Images),
        _ => None,
    }
}

/// Whether it is done with what is selected.
fn has_target(action: Action) -> bool {
    use Action::{
        Attach, BootLog, Copy, Delete, Detach, Expose, ForceStop, Menu, Open, Rename, Resize,
        Restart, Shell, ShellBeside, Start, Stop, Unexpose,
    };
    matches!(
        action,
        Attach
            | BootLog
            | Copy
            | Delete
            | Detach
            | Expose
            | ForceStop
            | Menu
            | Open
            | Rename
            | Resize
            | Restart
            | Action::Pause
            | Action::Resume
            | Action::Snapshot
            | Action::Restore
            | Action::DeleteSnapshot
            | Action::Fork
            | Shell
            | ShellBeside
            | Start
            | Stop
            | Unexpose
    )
}

fn aliases(action: Action) -> &'static [&'static str] {
    match action {
        Action::Machines => &["m", "machines", "vm", "vms"],
        Action::Volumes => &["v", "vol", "volumes"],
        Action::Images => &["i", "img", "images"],
        Action::Networks => &["n", "net", "networks"],
        Action::History => &["h", "hist", "history"],
        Action::Panes => &["sh", "shells"],
        Action::Quit => &["q", "quit", "exit", "qa", "q!"],
        Action::Help => &["?", "help"],
        Action::Theme => &["theme", "themes"],
        _ => &[],
    }
}

/// Everything that does not depend on what is typed.
pub(super) fn all(model: &Model, themes: &[String]) -> Vec<Offer> {
    let mut offers = actions(model);
    offers.extend(things(model));
    offers.extend(themes.iter().map(|name| Offer {
        what: What::Theme(name.clone()),
        name: "Theme".into(),
        target: Some(harmless(name).into_owned()),
        aside: "theme",
        aliases: &[],
        weight: 0,
    }));
    offers
}

fn actions(model: &Model) -> Vec<Offer> {
    let here = model.contexts();
    let names = model.target_names();
    let target = match names.as_slice() {
        [] => None,
        [one] => Some(harmless(one).into_owned()),
        many => Some(format!("{} marked", many.len())),
    };
    let mut offers = Vec::new();
    for spec in specs().iter().filter(|spec| is_offered(spec.action)) {
        let is_here = spec.on == On::ANYWHERE || here.iter().any(|place| spec.on.meets(*place));
        let is_of_a_part = matches!(spec.action, Action::Log(_) | Action::Pane(_));
        let what = match home(spec.action) {
            // Keys of another part are nothing that one could do.
            _ if !is_here && is_of_a_part => continue,
            Some(there) if !is_here => What::There(there, spec.action),
            _ => What::Action(spec.action),
        };
        offers.push(Offer {
            what,
            name: spec.title.into(),
            target: target
                .clone()
                .filter(|_| is_here && has_target(spec.action)),
            aside: spec.id,
            aliases: aliases(spec.action),
            // Whoever is here knows how to ask.
            weight: if spec.action == Action::Help {
                1
            } else {
                spec.weight
            },
        });
    }
    for (there, name) in [
        (Action::Volumes, "Create a volume"),
        (Action::Networks, "Create a network"),
    ] {
        offers.push(Offer {
            what: What::There(there, Action::Create),
            name: name.into(),
            target: None,
            aside: "create",
            aliases: &[],
            weight: 40,
        });
    }
    offers
}

fn things(model: &Model) -> Vec<Offer> {
    let world = &model.world;
    let thing = |view, id: &str, name: &str, aside| Offer {
        what: What::Thing(view, id.into()),
        name: "Go to".into(),
        target: Some(harmless(name).into_owned()),
        aside,
        aliases: &[],
        weight: 0,
    };
    let machines = world
        .machines
        .iter()
        .map(|machine| thing(View::Machines, &machine.id, &machine.name, "machine"));
    let volumes = world
        .volumes
        .iter()
        .map(|volume| thing(View::Volumes, &volume.id, &volume.name, "volume"));
    let images = world
        .images
        .iter()
        .map(|image| thing(View::Images, &image.digest, &image.name, "image"));
    let networks = world
        .networks
        .iter()
        .map(|network| thing(View::Networks, &network.name, &network.name, "network"));
    machines
        .chain(volumes)
        .chain(images)
        .chain(networks)
        .collect()
}
