//! The keys behind the prefix, by whatever a terminal sends for them.

use crokey::KeyCombination;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{ACTIONS, PaneAction};

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
