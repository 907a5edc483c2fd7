//! The table of all actions.

use std::sync::LazyLock;

use super::{Action, On, Spec};
use crate::tui::{log, pane};

/// All of them: those of the screens, of the boot log and of the shells.
pub(crate) fn specs() -> &'static [Spec] {
    static ALL: LazyLock<Vec<Spec>> = LazyLock::new(|| {
        let mut all = OWN.to_vec();
        for (at, (action, id, title, short, keys)) in log::LOG_ACTIONS.iter().enumerate() {
            all.push(spec(
                Action::Log(*action),
                id,
                title,
                short,
                keys,
                On::LOG,
                weight(at),
            ));
        }
        for (at, (action, id, title, short, keys)) in pane::ACTIONS.iter().enumerate() {
            all.push(spec(
                Action::Pane(*action),
                id,
                title,
                short,
                keys,
                On::PANES,
                weight(at),
            ));
        }
        all
    });
    &ALL
}

/// What is known of an action.
pub(crate) fn spec_of(action: Action) -> Option<&'static Spec> {
    specs().iter().find(|spec| spec.action == action)
}

/// How much an action of a part matters, which is that many places from the top of the part's table: more than all that
/// can be done anywhere.
fn weight(at: usize) -> u8 {
    u8::try_from(at * 2).map_or(0, |less| 94_u8.saturating_sub(less))
}

const fn spec(
    action: Action,
    id: &'static str,
    title: &'static str,
    short: &'static str,
    keys: &'static [&'static str],
    on: On,
    weight: u8,
) -> Spec {
    Spec {
        action,
        id,
        title,
        short,
        keys,
        on,
        weight,
    }
}

const ANY: On = On::ANYWHERE;
const LISTS: On = On::LISTS;
const DETAIL: On = On::DETAIL;
/// Lists, and what is opened from them.
const SCREENS: On = On::LISTS.or(On::DETAIL);
const MACHINES: On = On::OF_MACHINES;
/// Machines, where the keys of the boot log do not go first.
const THINGS: On = On::MACHINES
    .or(On::VOLUMES)
    .or(On::IMAGES)
    .or(On::NETWORKS)
    .or(On::DETAIL);

/// The table, but for the parts that have one of their own.
#[rustfmt::skip]
const OWN: &[Spec] = &[
    spec(Action::Open, "open", "Open what is selected", "open", &["enter", "right", "l"], LISTS, 90),
    spec(Action::Enter, "machine.enter", "Enter the machine", "go in", &["enter"], DETAIL.or(On::NO_SHELLS), 90),
    spec(Action::Shell, "machine.shell", "Open a shell in the machine", "shell", &["s"], MACHINES.or(On::NO_SHELLS), 88),
    spec(Action::Deploy, "machine.deploy", "Deploy a machine", "deploy", &["d"], On::MACHINES.or(On::VOLUMES).or(On::IMAGES), 86),
    spec(Action::Start, "machine.start", "Start", "start", &["u"], MACHINES, 80),
    spec(Action::Stop, "machine.stop", "Stop", "stop", &["x"], MACHINES, 78),
    spec(Action::BootLog, "machine.log", "Show the boot log", "log", &["L"], MACHINES, 76),
    spec(Action::Restart, "machine.restart", "Restart", "restart", &["R"], MACHINES, 60),
    spec(Action::Pause, "machine.pause", "Pause", "pause", &["i"], MACHINES, 0),
    spec(Action::Resume, "machine.resume", "Resume", "resume", &["I"], MACHINES, 0),
    spec(Action::Snapshot, "machine.snapshot", "Make a snapshot", "snapshot", &["Z"], MACHINES, 0),
    spec(Action::Restore, "machine.restore", "Go back to a snapshot", "restore", &["ctrl-r"], MACHINES, 0),
    spec(Action::DeleteSnapshot, "machine.snapshot-delete", "Delete a snapshot", "delete snapshot", &[], MACHINES, 0),
    spec(Action::Fork, "machine.fork", "Fork: make another that goes on from here", "fork", &["K"], MACHINES, 0),
    spec(Action::Delete, "delete", "Delete", "delete", &["D"], THINGS, 58),
    spec(Action::ShellBeside, "machine.shell-beside", "Open a shell beside the one in use", "shell beside", &["S"], MACHINES, 40),
    spec(Action::ForceStop, "machine.force-stop", "Stop at once, without asking the guest", "force stop", &["X"], MACHINES, 0),
    spec(Action::Rename, "rename", "Rename", "rename", &["f2", "c"], THINGS, 20),
    spec(Action::Expose, "machine.expose", "Have a port of this computer lead into the machine", "expose", &["e"], MACHINES, 30),
    spec(Action::Unexpose, "machine.unexpose", "Take a port back", "unexpose", &["E"], MACHINES, 0),
    spec(Action::Attach, "machine.attach", "Attach a volume", "attach", &["a"], On::OF_MACHINES.or(On::VOLUMES), 28),
    spec(Action::Detach, "machine.detach", "Detach a volume", "detach", &["A"], On::OF_MACHINES.or(On::VOLUMES), 0),
    spec(Action::Create, "create", "Create", "create", &["n"], On::VOLUMES.or(On::NETWORKS), 86),
    spec(Action::Resize, "volume.resize", "Grow the volume", "resize", &["+", "z"], On::VOLUMES.or(DETAIL), 70),
    spec(Action::Pull, "image.pull", "Pull an image", "pull", &["p"], On::IMAGES, 86),
    spec(Action::Build, "image.build", "Build an image", "build", &["b"], On::IMAGES, 84),
    spec(Action::Prune, "image.prune", "Remove images that nothing needs", "prune", &["P"], On::IMAGES, 60),
    spec(Action::Setup, "setup", "Set this computer up", "set up", &["enter"], On::FIRST_RUN, 90),
    spec(Action::Mark, "mark", "Mark, for an action on many", "mark", &["space"], LISTS, 35),
    spec(Action::MarkRange, "mark.range", "Mark from the last mark to here", "mark range", &["V"], LISTS, 0),
    spec(Action::MarkAll, "mark.all", "Mark all, or none", "mark all", &["*"], LISTS, 0),
    spec(Action::Filter, "filter", "Filter the list", "filter", &["/"], LISTS, 70),
    spec(Action::Sort, "sort", "Sort by the next column", "sort", &["o"], LISTS, 10),
    spec(Action::SortReverse, "sort.reverse", "Sort the other way round", "reverse", &["O"], LISTS, 0),
    spec(Action::Menu, "menu", "Show what can be done with it", "menu", &["m"], THINGS, 50),
    spec(Action::Copy, "copy", "Copy the name", "copy", &["y"], SCREENS, 0),
    spec(Action::CopyCommand, "copy.command", "Copy the command that does the last action", "copy command", &["Y"], SCREENS, 0),
    spec(Action::Undo, "undo", "Undo the last action", "undo", &["U"], ANY, 0),
    spec(Action::Cancel, "cancel", "Cancel what is being done", "cancel", &["ctrl-x"], ANY, 0),
    spec(Action::Up, "up", "Up", "up", &["k", "up"], SCREENS, 0),
    spec(Action::Down, "down", "Down", "down", &["j", "down"], SCREENS, 0),
    spec(Action::HalfUp, "up.half", "Half a page up", "", &["ctrl-u"], SCREENS, 0),
    spec(Action::HalfDown, "down.half", "Half a page down", "", &["ctrl-d"], SCREENS, 0),
    spec(Action::PageUp, "up.page", "A page up", "", &["ctrl-b", "pageup"], SCREENS, 0),
    spec(Action::PageDown, "down.page", "A page down", "", &["ctrl-f", "pagedown"], SCREENS, 0),
    spec(Action::Top, "top", "To the first", "", &["g g", "home"], SCREENS, 0),
    spec(Action::Bottom, "bottom", "To the last", "", &["G", "end"], SCREENS, 0),
    spec(Action::Left, "left", "The tab before", "", &["h", "left", "["], DETAIL, 0),
    spec(Action::Right, "right", "The next tab", "tabs", &["l", "right", "]"], DETAIL, 60),
    spec(Action::Back, "back", "Back", "back", &["esc", "-", "backspace"], ANY, 65),
    spec(Action::NextView, "view.next", "The next screen", "screens", &["tab"], ANY, 55),
    spec(Action::PreviousView, "view.previous", "The screen before", "", &["shift-tab", "backtab"], ANY, 0),
    spec(Action::Machines, "view.machines", "Machines", "machines", &["1"], ANY, 0),
    spec(Action::Volumes, "view.volumes", "Volumes", "volumes", &["2"], ANY, 0),
    spec(Action::Images, "view.images", "Images", "images", &["3"], ANY, 0),
    spec(Action::Networks, "view.networks", "Networks", "networks", &["4"], ANY, 0),
    spec(Action::History, "view.history", "History", "history", &["5"], ANY, 0),
    spec(Action::Panes, "view.panes", "The shells that are open", "shells", &["6", "prefix"], ANY, 45),
    spec(Action::Palette, "palette", "Do anything by its name, or by its command", "palette", &[":", "ctrl-p"], ANY, 57),
    spec(Action::Help, "help", "The keys for here and now", "help", &["?", "f1"], ANY, 95),
    spec(Action::Messages, "messages", "Everything that was said", "messages", &["M"], ANY, 0),
    spec(Action::Theme, "theme", "Choose a theme", "theme", &["T"], ANY, 0),
    spec(Action::Mouse, "mouse", "Give the mouse to the terminal, or take it back", "mouse", &["ctrl-o"], ANY, 0),
    spec(Action::Redraw, "redraw", "Draw everything anew", "", &["ctrl-l"], ANY, 0),
    spec(Action::Suspend, "suspend", "Suspend, to come back with fg", "", &["ctrl-z"], ANY, 0),
    spec(Action::Quit, "quit", "Quit", "quit", &["q", "ctrl-c"], ANY, 44),
];
