//! Answers of the terminal that come when its keys are read already. crossterm takes `OSC 11 ; rgb:… BEL` for Alt-], some
//! letters and Ctrl-G; here they become an answer again.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// The longest answer: four digits to a colour.
const LONGEST: usize = "11;rgb:ffff/ffff/ffff".len();
const START: &str = "11;rgb:";

/// What the events so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The beginning of an answer, maybe: ask again with the next event.
    Nothing,
    /// No answer: what was held back, and this.
    Events(Vec<Event>),
    /// The background: red, green, blue.
    Background([u8; 3]),
}

/// Looks for as many answers as are owed.
#[derive(Debug, Default)]
pub(super) struct Answers {
    owed: u8,
    held: Vec<Event>,
    text: String,
}

impl Answers {
    pub(super) fn expect_one(&mut self) {
        // One who never answers is not waited for any better.
        self.owed = (self.owed + 1).min(4);
    }

    /// Whether something is held back that may be keys after all.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// What is held back, since no more came.
    pub(super) fn release(&mut self) -> Vec<Event> {
        self.text.clear();
        std::mem::take(&mut self.held)
    }

    pub(super) fn hear(&mut self, event: Event) -> Heard {
        let key = match &event {
            Event::Key(key) => Some(*key),
            _ => None,
        };
        if self.held.is_empty() {
            if self.owed == 0 || !key.is_some_and(|key| is(key, ']', KeyModifiers::ALT)) {
                return Heard::Events(vec![event]);
            }
            self.held.push(event);
            return Heard::Nothing;
        }
        self.held.push(event);
        let Some(key) = key else {
            return Heard::Events(self.release());
        };
        // BEL, ST, or ST of which the two bytes came apart.
        let escaped = matches!(self.held.iter().rev().nth(1), Some(Event::Key(key)) if key.code == KeyCode::Esc);
        if is(key, 'g', KeyModifiers::CONTROL)
            || is(key, '\\', KeyModifiers::ALT)
            || escaped && is(key, '\\', KeyModifiers::NONE)
        {
            let color = color(&self.text);
            let held = self.release();
            return match color {
                Some(color) => {
                    self.owed -= 1;
                    Heard::Background(color)
                }
                None => Heard::Events(held),
            };
        }
        match key.code {
            KeyCode::Char(c)
                if !escaped
                    && !key
                        .modifiers
                        .intersects(KeyModifiers::ALT | KeyModifiers::CONTROL) =>
            {
                self.text.push(c);
                match self.may_become_one() {
                    true => Heard::Nothing,
                    false => Heard::Events(self.release()),
                }
            }
            KeyCode::Esc if !escaped => Heard::Nothing,
            _ => Heard::Events(self.release()),
        }
    }

    fn may_become_one(&self) -> bool {
        let begun = START.starts_with(&self.text) || self.text.starts_with(START);
        begun && self.text.len() <= LONGEST
    }
}

fn is(key: KeyEvent, c: char, modifiers: KeyModifiers) -> bool {
    key.code == KeyCode::Char(c) && key.modifiers == modifiers
}

/// A colour as X has it (XParseColor(3)): `rgb:` and one to four hexadecimal digits for each part.
fn color(text: &str) -> Option<[u8; 3]> {
    let mut parts = text.strip_prefix(START)?.split('/');
    let mut part = || {
        let digits = parts
            .next()
            .filter(|digits| (1..=4).contains(&digits.len()))?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        let most = (1_u32 << (4 * digits.len())) - 1;
        u8::try_from((value * 255 + most / 2) / most).ok()
    };
    let color = [part()?, part()?, part()?];
    parts.next().is_none().then_some(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(c: char, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
    }

    fn escape() -> Event {
        Event::Key(KeyCode::Esc.into())
    }

    /// What crossterm makes of `ESC ] TEXT`.
    fn said(text: &str) -> Vec<Event> {
        let letters = text.chars().map(|c| key(c, KeyModifiers::NONE));
        [key(']', KeyModifiers::ALT)]
            .into_iter()
            .chain(letters)
            .collect()
    }

    fn expecting() -> Answers {
        let mut answers = Answers::default();
        answers.expect_one();
        answers
    }

    /// What comes out of it, what was held back last included.
    fn heard(answers: &mut Answers, events: Vec<Event>) -> (Vec<Event>, Vec<[u8; 3]>) {
        let (mut keys, mut colors) = (Vec::new(), Vec::new());
        for event in events {
            match answers.hear(event) {
                Heard::Nothing => {}
                Heard::Events(events) => keys.extend(events),
                Heard::Background(color) => colors.push(color),
            }
        }
        keys.extend(answers.release());
        (keys, colors)
    }

    #[test]
    fn an_answer_is_no_keys_however_it_ends() {
        let bell = vec![key('g', KeyModifiers::CONTROL)];
        let terminator = vec![key('\\', KeyModifiers::ALT)];
        let apart = vec![escape(), key('\\', KeyModifiers::NONE)];
        for end in [bell, terminator, apart] {
            let mut events = said("11;rgb:fdfd/f6f6/e3e3");
            events.extend(end);
            assert_eq!(
                heard(&mut expecting(), events),
                (vec![], vec![[0xfd, 0xf6, 0xe3]])
            );
        }
    }

    #[test]
    fn colours_have_any_number_of_digits() {
        assert_eq!(color("11;rgb:0/f/8"), Some([0, 255, 136]));
        assert_eq!(color("11;rgb:1c/1C/ff"), Some([0x1c, 0x1c, 0xff]));
        assert_eq!(color("11;rgb:0000/8080/ffff"), Some([0, 0x80, 255]));
        for wrong in [
            "11;rgb:0/0",
            "11;rgb:0/0/0/0",
            "11;rgb://",
            "11;rgb:00000/0/0",
            "11;rgb:g/0/0",
            "10;rgb:0/0/0",
        ] {
            assert_eq!(color(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_stay_keys_and_in_order() {
        let typed = [
            said("12"),
            said("11;rgb:11/22/33/"),
            said(""),
            vec![
                key(']', KeyModifiers::ALT),
                Event::FocusLost,
                key('x', KeyModifiers::NONE),
            ],
            vec![key(']', KeyModifiers::ALT), escape(), escape()],
            vec![
                key(']', KeyModifiers::ALT),
                escape(),
                key('x', KeyModifiers::NONE),
            ],
            vec![key(']', KeyModifiers::ALT), key('g', KeyModifiers::CONTROL)],
            said("11;rgb:0000/0000/00000"),
        ];
        for events in typed {
            assert_eq!(heard(&mut expecting(), events.clone()), (events, vec![]));
        }
    }

    #[test]
    fn only_what_was_asked_for_is_an_answer() {
        let mut events = said("11;rgb:0/0/0");
        events.push(key('g', KeyModifiers::CONTROL));
        assert_eq!(
            heard(&mut Answers::default(), events.clone()),
            (events.clone(), vec![])
        );
        let mut answers = expecting();
        assert_eq!(heard(&mut answers, events.clone()).1.len(), 1);
        assert_eq!(heard(&mut answers, events.clone()), (events, vec![]));
    }
}
