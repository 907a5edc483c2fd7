//! What can be done to panes, and the keys for it behind the prefix.

use crokey::KeyCombination;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::layout::{Axis, Side};

/// Something to do in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaneAction {
    SplitRight,
    SplitBelow,
    Focus(Side),
    FocusNext,
    FocusPrevious,
    Zoom,
    Close,
    NewTab,
    NextTab,
    PreviousTab,
    /// By its number, from 1 to 9.
    Tab(u8),
    RenameTab,
    Detach,
    CopyMode,
    ScrollUp,
    Search,
    Paste,
    Resize,
    Broadcast,
    Arrange,
    Equalise,
    SwapNext,
    SwapPrevious,
    BreakOut,
    OtherRight,
    OtherBelow,
    OtherTab,
    Leave,
    Reconnect,
    Start,
    SendPrefix,
    Palette,
    Help,
}

/// An action, its id in the settings, its title, one or two words for a bar, and its keys behind the prefix.
pub(crate) type Row = (
    PaneAction,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

use PaneAction as A;

/// Every action, in the order in which they matter.
pub(crate) const ACTIONS: [Row; 44] = [
    (
        A::Detach,
        "pane.detach",
        "Back to the lists; shells go on",
        "detach",
        &["d", "esc"],
    ),
    (
        A::SplitRight,
        "pane.split-right",
        "Another shell beside this one",
        "split │",
        &["%", "|"],
    ),
    (
        A::SplitBelow,
        "pane.split-below",
        "Another shell below this one",
        "split ─",
        &["\"", "-"],
    ),
    (
        A::CopyMode,
        "pane.copy",
        "Scroll back, search and copy",
        "copy",
        &["["],
    ),
    (
        A::Zoom,
        "pane.zoom",
        "Give the pane the whole tab, or take that back",
        "zoom",
        &["z"],
    ),
    (
        A::NewTab,
        "pane.new-tab",
        "Another shell in a tab of its own",
        "new tab",
        &["c"],
    ),
    (A::NextTab, "pane.next-tab", "Next tab", "next tab", &["n"]),
    (
        A::PreviousTab,
        "pane.previous-tab",
        "Previous tab",
        "previous tab",
        &["p"],
    ),
    (
        A::Close,
        "pane.close",
        "Close the pane and end its shell",
        "close",
        &["x"],
    ),
    (
        A::Focus(Side::Left),
        "pane.left",
        "To the pane on the left",
        "left",
        &["h", "left"],
    ),
    (
        A::Focus(Side::Down),
        "pane.down",
        "To the pane below",
        "down",
        &["j", "down"],
    ),
    (
        A::Focus(Side::Up),
        "pane.up",
        "To the pane above",
        "up",
        &["k", "up"],
    ),
    (
        A::Focus(Side::Right),
        "pane.right",
        "To the pane on the right",
        "right",
        &["l", "right"],
    ),
    (
        A::FocusNext,
        "pane.next",
        "To the next pane",
        "next",
        &["tab"],
    ),
    (
        A::FocusPrevious,
        "pane.previous",
        "To the previous pane",
        "previous",
        &["backtab"],
    ),
    (
        A::Resize,
        "pane.resize",
        "Move borders with h j k l, until Enter",
        "resize",
        &["r"],
    ),
    (
        A::Broadcast,
        "pane.broadcast",
        "Type into all panes of the tab, or stop that",
        "broadcast",
        &["b"],
    ),
    (
        A::ScrollUp,
        "pane.scroll",
        "Scroll back by a page",
        "scroll",
        &["s", "pageup"],
    ),
    (
        A::Search,
        "pane.search",
        "Search what has scrolled away",
        "search",
        &["/"],
    ),
    (
        A::Paste,
        "pane.paste",
        "Paste what was copied last",
        "paste",
        &["]"],
    ),
    (
        A::Arrange,
        "pane.arrange",
        "Next ready-made layout",
        "arrange",
        &["space"],
    ),
    (
        A::Equalise,
        "pane.equalise",
        "Give all panes the same room",
        "equalise",
        &["="],
    ),
    (
        A::SwapNext,
        "pane.swap-next",
        "Swap with the next pane",
        "swap",
        &["}"],
    ),
    (
        A::SwapPrevious,
        "pane.swap-previous",
        "Swap with the previous pane",
        "swap back",
        &["{"],
    ),
    (
        A::BreakOut,
        "pane.break-out",
        "Move the pane to a tab of its own",
        "break out",
        &["!"],
    ),
    (
        A::RenameTab,
        "pane.rename-tab",
        "Rename the tab",
        "rename",
        &[","],
    ),
    (
        A::OtherRight,
        "pane.other-right",
        "A shell in another machine, beside",
        "other",
        &["o"],
    ),
    (
        A::OtherBelow,
        "pane.other-below",
        "A shell in another machine, below",
        "other below",
        &["O"],
    ),
    (
        A::OtherTab,
        "pane.other-tab",
        "A shell in another machine, in a tab",
        "other tab",
        &["C"],
    ),
    (
        A::Reconnect,
        "pane.reconnect",
        "End the shell and begin a new one",
        "reconnect",
        &["R"],
    ),
    (
        A::Leave,
        "pane.end",
        "End the shell, and keep the pane",
        "end",
        &["D"],
    ),
    (
        A::Start,
        "pane.start",
        "Start the machine of the pane",
        "start",
        &["S"],
    ),
    (
        A::Palette,
        "pane.palette",
        "Command palette",
        "palette",
        &[":"],
    ),
    (A::Help, "pane.help", "Keys", "help", &["?"]),
    (
        A::SendPrefix,
        "pane.send-prefix",
        "Send the prefix itself to the guest",
        "send",
        &[],
    ),
    (A::Tab(1), "pane.tab-1", "Tab 1", "tab 1", &["1"]),
    (A::Tab(2), "pane.tab-2", "Tab 2", "tab 2", &["2"]),
    (A::Tab(3), "pane.tab-3", "Tab 3", "tab 3", &["3"]),
    (A::Tab(4), "pane.tab-4", "Tab 4", "tab 4", &["4"]),
    (A::Tab(5), "pane.tab-5", "Tab 5", "tab 5", &["5"]),
    (A::Tab(6), "pane.tab-6", "Tab 6", "tab 6", &["6"]),
    (A::Tab(7), "pane.tab-7", "Tab 7", "tab 7", &["7"]),
    (A::Tab(8), "pane.tab-8", "Tab 8", "tab 8", &["8"]),
    (A::Tab(9), "pane.tab-9", "Tab 9", "tab 9", &["9"]),
];

/// The keys of copy mode, as help shows them: vi's.
pub(crate) const COPY_KEYS: [(&str, &str); 12] = [
    ("h j k l", "move; arrows do too"),
    ("w b e", "by words"),
    ("0 ^ $", "within the line"),
    ("g g  G", "to the beginning, to the end"),
    ("H M L", "within the screen"),
    ("{ }", "by paragraphs"),
    ("Ctrl-d Ctrl-u", "half a page; Ctrl-f Ctrl-b a page"),
    ("/ ?", "search onward, back"),
    ("n N", "next match, previous match"),
    ("v V Ctrl-v", "select characters, lines, a block"),
    ("y", "copy and leave; Enter does too"),
    ("q", "leave; Esc does too"),
];

/// What splits and opens where.
impl PaneAction {
    /// Where a new pane goes, for the actions that open one.
    pub(crate) fn place(self) -> Option<Place> {
        Some(match self {
            A::SplitRight | A::OtherRight => Place::Split(Axis::Beside),
            A::SplitBelow | A::OtherBelow => Place::Split(Axis::Below),
            A::NewTab | A::OtherTab => Place::Tab,
            _ => return None,
        })
    }
}

/// Where a new pane goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Beside or below the focused pane.
    Split(Axis),
    Tab,
}

/// The prefix, and what its keys do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) prefix: KeyCombination,
    pub(crate) bound: Vec<(KeyCombination, PaneAction)>,
}

impl Default for Keys {
    /// Ctrl-], as in telnet and `virsh console`, and the keys of the table.
    fn default() -> Self {
        let bound = ACTIONS
            .iter()
            .flat_map(|(action, .., keys)| keys.iter().map(move |key| (key, *action)))
            .filter_map(|(key, action)| Some((parse(key)?, action)))
            .collect();
        Keys {
            prefix: KeyCombination::one_key(KeyCode::Char(']'), KeyModifiers::CONTROL),
            bound,
        }
    }
}

impl Keys {
    pub(crate) fn is_prefix(&self, key: &KeyEvent) -> bool {
        combination(key) == combination(&self.prefix.into())
    }

    pub(crate) fn action(&self, key: &KeyEvent) -> Option<PaneAction> {
        let pressed = combination(key);
        let mut bound = self.bound.iter();
        let found = bound.find(|(key, _)| combination(&(*key).into()) == pressed);
        found.map(|(_, action)| *action)
    }
}

/// A key of the table: crokey's way, but that a single character means itself. crokey takes `D` for `d`.
fn parse(key: &str) -> Option<KeyCombination> {
    let mut chars = key.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => {
            Some(KeyCombination::one_key(KeyCode::Char(char), KeyModifiers::NONE).normalized())
        }
        _ => key.parse().ok(),
    }
}

/// A key as it is compared. Terminals without an own code for it send Ctrl-] as the control character GS, which crossterm
/// names Ctrl-5 (likewise FS to US: Ctrl-4 to Ctrl-7); and whether Shift was held for a character that is not a letter
/// depends on the keyboard, so it does not count.
fn combination(key: &KeyEvent) -> KeyCombination {
    let mut modifiers =
        key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
    let code = match key.code {
        KeyCode::Char('4') if modifiers == KeyModifiers::CONTROL => KeyCode::Char('\\'),
        KeyCode::Char('5') if modifiers == KeyModifiers::CONTROL => KeyCode::Char(']'),
        KeyCode::Char('6') if modifiers == KeyModifiers::CONTROL => KeyCode::Char('^'),
        KeyCode::Char('7') if modifiers == KeyModifiers::CONTROL => KeyCode::Char('_'),
        KeyCode::BackTab => {
            modifiers |= KeyModifiers::SHIFT;
            KeyCode::BackTab
        }
        code => code,
    };
    if matches!(code, KeyCode::Char(c) if !c.is_alphabetic()) {
        modifiers -= KeyModifiers::SHIFT;
    }
    KeyCombination::one_key(code, modifiers).normalized()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_parses_and_does_one_thing() {
        let keys = Keys::default();
        let count: usize = ACTIONS.iter().map(|(.., keys)| keys.len()).sum();
        assert_eq!(keys.bound.len(), count, "a key does not parse");
        for (key, action) in &keys.bound {
            assert_eq!(keys.action(&(*key).into()), Some(*action), "{key}");
        }
        let mut ids: Vec<_> = ACTIONS.iter().map(|(_, id, ..)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ACTIONS.len());
    }

    #[test]
    fn keys_are_known_by_whatever_a_terminal_sends_for_them() {
        let keys = Keys::default();
        let key = |code, modifiers| KeyEvent::new(code, modifiers);
        let control = KeyModifiers::CONTROL;
        assert!(keys.is_prefix(&key(KeyCode::Char('5'), control)));
        assert!(keys.is_prefix(&key(KeyCode::Char(']'), control)));
        assert!(!keys.is_prefix(&key(KeyCode::Char(']'), KeyModifiers::NONE)));
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let quote = key(KeyCode::Char('"'), modifiers);
            assert_eq!(keys.action(&quote), Some(PaneAction::SplitBelow));
            let back = key(KeyCode::BackTab, modifiers);
            assert_eq!(keys.action(&back), Some(PaneAction::FocusPrevious));
            let capital = key(KeyCode::Char('D'), modifiers);
            assert_eq!(keys.action(&capital), Some(PaneAction::Leave));
        }
        assert_eq!(keys.action(&key(KeyCode::Char('d'), control)), None);
    }
}
