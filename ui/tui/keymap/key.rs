//! One key: as a file of settings writes it, as a terminal reports it, and as a bar shows it.

use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::theme::Glyphs;

/// How keys are written.
pub(crate) const EXAMPLES: &str =
    "a key is written like x, G, ctrl-d, f5, space or enter; g g is two keys in a row";

/// A key with what is held down beside it, so that each has one form whatever reports it: what Shift makes of a letter
/// is in the letter, and Shift-Tab is [`KeyCode::BackTab`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// A text that is no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key")]
pub(crate) struct BadKey(pub(crate) String);

impl Key {
    /// The prefix unless the settings have another: Ctrl-], as in telnet and `virsh console`.
    pub(crate) const PREFIX: Key = Key {
        code: KeyCode::Char(']'),
        modifiers: KeyModifiers::CONTROL,
    };

    fn new(code: KeyCode, modifiers: KeyModifiers) -> Key {
        let known =
            KeyModifiers::SHIFT | KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER;
        let mut modifiers = modifiers & known;
        let is_shifted = modifiers.contains(KeyModifiers::SHIFT);
        let code = match code {
            KeyCode::Char('\r' | '\n') => KeyCode::Enter,
            KeyCode::Tab if is_shifted => KeyCode::BackTab,
            KeyCode::Char(letter) => KeyCode::Char(one_form(
                letter,
                is_shifted,
                modifiers.contains(KeyModifiers::CONTROL),
            )),
            code => code,
        };
        if matches!(code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        Key { code, modifiers }
    }

    /// As a bar shows it: `Ctrl-]`, `G`, `Space`, `↑`, or `Up` where there are no arrows to draw with.
    pub(crate) fn text(self, glyphs: &Glyphs) -> String {
        self.shown(glyphs.up == "↑")
    }

    fn shown(self, has_arrows: bool) -> String {
        let mut text = String::new();
        for (modifier, name) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
            (KeyModifiers::SUPER, "Super-"),
        ] {
            if self.modifiers.contains(modifier) {
                text.push_str(name);
            }
        }
        match self.code {
            KeyCode::Up if has_arrows => text.push('↑'),
            KeyCode::Down if has_arrows => text.push('↓'),
            KeyCode::Left if has_arrows => text.push('←'),
            KeyCode::Right if has_arrows => text.push('→'),
            KeyCode::PageUp => text.push_str("PgUp"),
            KeyCode::PageDown => text.push_str("PgDn"),
            KeyCode::Delete => text.push_str("Del"),
            KeyCode::Insert => text.push_str("Ins"),
            KeyCode::BackTab => text.push_str("Shift-Tab"),
            KeyCode::Char(' ') => text.push_str("Space"),
            // The terminal's own name for it depends on the system.
            KeyCode::Backspace => text.push_str("Backspace"),
            KeyCode::Char(letter) => text.push(letter),
            code => text.push_str(&code.to_string()),
        }
        text
    }

    /// Whether it is what one types into any program: no function key, and nothing but Shift held down with it.
    pub(crate) fn is_typed(self) -> bool {
        self.modifiers.difference(KeyModifiers::SHIFT).is_empty()
            && !matches!(self.code, KeyCode::F(_))
    }

    /// As a terminal would report it.
    pub(crate) fn event(self) -> KeyEvent {
        let is_capital = matches!(self.code, KeyCode::Char(letter) if letter.is_uppercase());
        let shift = if is_capital {
            KeyModifiers::SHIFT
        } else {
            KeyModifiers::NONE
        };
        KeyEvent::new(self.code, self.modifiers | shift)
    }
}

/// The one form of a letter. Terminals without the kitty protocol report Ctrl with `\`, `]`, `^` and `_` as the bytes
/// 0x1c to 0x1f, which crossterm takes for Ctrl with 4 to 7 (the VT220's other names of them); and they cannot report
/// Shift beside Ctrl.
fn one_form(letter: char, is_shifted: bool, is_control: bool) -> char {
    match letter {
        '4' if is_control => '\\',
        '5' if is_control => ']',
        '6' if is_control => '^',
        '7' if is_control => '_',
        _ if is_shifted => {
            let mut upper = letter.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => letter,
            }
        }
        _ if is_control => letter.to_ascii_lowercase(),
        _ => letter,
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Key {
        Key::new(event.code, event.modifiers)
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Key, BadKey> {
        // crokey makes small letters of all, and knows ASCII only.
        let mut letters = text.chars();
        let bad = || BadKey(text.into());
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return match letter.is_control() {
                true => Err(bad()),
                false => Ok(Key::new(KeyCode::Char(letter), KeyModifiers::NONE)),
            };
        }
        let parsed = crokey::parse(text).map_err(|_| bad())?;
        let crokey::OneToThree::One(code) = parsed.codes else {
            return Err(bad());
        };
        let mut end = text.rsplit('-').next().unwrap_or_default().chars();
        let is_capital =
            matches!((end.next(), end.next()), (Some(letter), None) if letter.is_ascii_uppercase());
        let mut modifiers = parsed.modifiers;
        if is_capital && !modifiers.contains(KeyModifiers::CONTROL) {
            modifiers.insert(KeyModifiers::SHIFT);
        }
        Ok(Key::new(code, modifiers))
    }
}

/// Keys in a row, parted by blanks; none of an empty text.
pub(crate) fn sequence(text: &str) -> Result<Vec<Key>, BadKey> {
    text.split_whitespace().map(str::parse).collect()
}

/// Keys in a row, as a bar shows them.
pub(crate) fn text_of(keys: &[Key], glyphs: &Glyphs) -> String {
    let texts: Vec<String> = keys.iter().map(|key| key.text(glyphs)).collect();
    texts.join(" ")
}

/// Keys in a row, in letters only.
pub(crate) fn written(keys: &[Key]) -> String {
    let texts: Vec<String> = keys.iter().map(|key| key.shown(false)).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: KeyCode, modifiers: KeyModifiers) -> Key {
        Key::from(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn what_is_written_is_what_a_terminal_reports() {
        use KeyCode::*;
        use KeyModifiers as With;
        for (text, code, modifiers, shown) in [
            ("x", Char('x'), With::NONE, "x"),
            ("G", Char('G'), With::SHIFT, "G"),
            ("G", Char('G'), With::NONE, "G"),
            ("shift-g", Char('g'), With::SHIFT, "G"),
            ("ä", Char('ä'), With::NONE, "ä"),
            (":", Char(':'), With::SHIFT, ":"),
            ("-", Char('-'), With::NONE, "-"),
            ("ctrl-]", Char(']'), With::CONTROL, "Ctrl-]"),
            ("ctrl-]", Char('5'), With::CONTROL, "Ctrl-]"),
            ("ctrl-\\", Char('4'), With::CONTROL, "Ctrl-\\"),
            ("ctrl-d", Char('d'), With::CONTROL, "Ctrl-d"),
            ("ctrl-D", Char('d'), With::CONTROL, "Ctrl-d"),
            (
                "ctrl-shift-d",
                Char('D'),
                With::CONTROL.union(With::SHIFT),
                "Ctrl-D",
            ),
            ("alt-G", Char('G'), With::ALT.union(With::SHIFT), "Alt-G"),
            ("ctrl-space", Char(' '), With::CONTROL, "Ctrl-Space"),
            ("space", Char(' '), With::NONE, "Space"),
            ("enter", Enter, With::NONE, "Enter"),
            ("shift-tab", BackTab, With::SHIFT, "Shift-Tab"),
            ("backtab", BackTab, With::NONE, "Shift-Tab"),
            ("up", Up, With::NONE, "↑"),
            ("ctrl-left", Left, With::CONTROL, "Ctrl-←"),
            ("shift-f5", F(5), With::SHIFT, "Shift-F5"),
            ("pageup", PageUp, With::NONE, "PgUp"),
            ("esc", Esc, With::NONE, "Esc"),
            ("backspace", Backspace, With::NONE, "Backspace"),
        ] {
            let key: Key = text.parse().unwrap();
            assert_eq!(key, event(code, modifiers), "{text}");
            assert_eq!(key.shown(true), shown, "{text}");
            assert_eq!(Key::from(key.event()), key, "{text}");
        }
        assert_eq!("up".parse::<Key>().unwrap().shown(false), "Up");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "ctrl-",
            "hyper-x",
            "a-b",
            "f99",
            "enter enter",
            "\u{1b}",
        ] {
            assert_eq!(text.parse::<Key>(), Err(BadKey(text.into())), "{text:?}");
        }
        assert!(sequence("").unwrap().is_empty());
        assert_eq!(written(&sequence("g  ctrl-x").unwrap()), "g Ctrl-x");
        assert!(sequence("g nonsense").is_err());
    }
}
