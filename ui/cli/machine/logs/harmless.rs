//! What a guest wrote, for the terminal of somebody who does not trust it: text, line ends, tabs and colours. All else
//! that a terminal would act on is left out: moving about, titles, links, the clipboard, questions that the terminal would
//! answer as if its user had typed (ECMA-48; xterm's "Control Sequences").

/// The longest sequence of a colour that is believed.
const LONGEST: usize = 64;

/// A filter that what is written goes through piece by piece.
#[derive(Debug, Default)]
pub(super) struct Harmless {
    state: State,
    /// The beginning of a letter whose other bytes have not come yet.
    rest: Vec<u8>,
    /// Whether a colour was chosen since the last reset.
    is_coloured: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    /// Behind an escape character.
    Escape,
    /// In a control sequence, with its parameters so far.
    Sequence(String),
    /// In a string that is for the terminal itself, such as a title.
    String,
    /// Behind an escape character in such a string.
    StringEscape,
}

impl Harmless {
    /// What of `bytes` a terminal may be given. What is no UTF-8 becomes U+FFFD.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut out = String::with_capacity(all.len());
        let mut left = all.as_slice();
        while !left.is_empty() {
            let (good, bad) = match std::str::from_utf8(left) {
                Ok(_) => (left.len(), 0),
                Err(error) => match error.error_len() {
                    Some(length) => (error.valid_up_to(), length),
                    None => {
                        self.rest = left[error.valid_up_to()..].to_vec();
                        left = &left[..error.valid_up_to()];
                        (left.len(), 0)
                    }
                },
            };
            for letter in String::from_utf8_lossy(&left[..good]).chars() {
                self.letter(letter, &mut out);
            }
            if bad > 0 {
                self.letter('\u{fffd}', &mut out);
            }
            left = &left[good + bad..];
        }
        out
    }

    /// What makes a terminal forget a colour that the guest has chosen.
    pub(super) fn reset(&mut self) -> &'static str {
        self.state = State::Text;
        match std::mem::take(&mut self.is_coloured) {
            true => "\u{1b}[0m",
            false => "",
        }
    }

    fn letter(&mut self, letter: char, out: &mut String) {
        // A sequence that never ends is not to hide the rest of the log.
        if letter == '\n' {
            self.state = State::Text;
            out.push(letter);
            return;
        }
        let state = std::mem::take(&mut self.state);
        self.state = match (state, letter) {
            (State::String, '\u{1b}') => State::StringEscape,
            (State::String, '\u{7}' | '\u{9c}') | (State::StringEscape, '\\') => State::Text,
            (State::String, _) => State::String,
            (_, '\u{1b}') => State::Escape,
            (_, '\u{9b}') | (State::Escape | State::StringEscape, '[') => {
                State::Sequence(String::new())
            }
            (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}')
            | (State::Escape | State::StringEscape, 'P' | 'X' | ']' | '^' | '_') => State::String,
            // Intermediate characters are followed by a final one.
            (State::Escape | State::StringEscape, ' '..='/') => State::Escape,
            (State::Escape | State::StringEscape, _) => State::Text,
            (State::Sequence(mut text), ' '..='?') => {
                text.push(letter);
                State::Sequence(text)
            }
            (State::Sequence(text), 'm') => {
                if is_colour(&text) {
                    *out += &format!("\u{1b}[{text}m");
                    self.is_coloured = true;
                }
                State::Text
            }
            (State::Sequence(_), '@'..='~') => State::Text,
            (State::Sequence(_) | State::Text, _) => {
                if !letter.is_control() || letter == '\t' {
                    out.push(letter);
                }
                State::Text
            }
        };
    }
}

/// Whether these are the parameters of a choice of colours: numbers, and nothing private.
fn is_colour(text: &str) -> bool {
    text.len() <= LONGEST
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &str) -> String {
        Harmless::default().pass(text.as_bytes())
    }

    #[test]
    fn text_line_ends_tabs_and_colours_pass() {
        for text in [
            "plain\n",
            "a\tb\n",
            "ünïcödé ✓\n",
            "\u{1b}[1;31mred\u{1b}[0m\n",
            "\u{1b}[38:5:9mx\u{1b}[m",
        ] {
            assert_eq!(passed(text), text);
        }
        assert_eq!(passed("[  OK  ] done\r\n"), "[  OK  ] done\n");
    }

    #[test]
    fn what_a_terminal_would_act_on_does_not() {
        for (text, left) in [
            ("a\u{1b}[2J\u{1b}[Hb", "ab"),        // clear, and go to the beginning
            ("a\u{1b}]0;title\u{7}b", "ab"),      // title
            ("a\u{1b}]52;c;aGk=\u{1b}\\b", "ab"), // clipboard
            ("a\u{1b}]8;;http://x\u{1b}\\b\u{1b}]8;;\u{1b}\\c", "abc"), // link
            ("a\u{1b}P$q\"p\u{1b}\\b", "ab"),     // a question
            ("a\u{1b}[6nb\u{1b}[cc\u{1b}Zd", "abcd"), // more of them
            ("a\u{1b}cb\u{1b}7c\u{1b}(0d", "abcd"), // reset, save, character set
            ("a\u{1b}[?1049hb\u{1b}[?1;31mc", "abc"), // other screen, private
            ("a\u{9b}2Jb\u{9d}0;x\u{9c}c\u{90}q\u{9c}d", "abcd"), // the same in one character
            ("a\u{8}\u{7}\u{0}b\rc", "abc"),      // back, bell, nothing, over it
            ("a\u{1b}]0;never ends\nb", "a\nb"),  // the rest is seen all the same
            ("a\u{1b}[31\nb", "a\nb"),
            ("a\u{1b}\u{1b}[2Jb", "ab"),
            ("a\u{1b}[3\u{7}1mb", "a1mb"),
        ] {
            assert_eq!(passed(text), left, "{text:?}");
        }
        let long = format!("\u{1b}[{}m", "1;".repeat(100));
        assert_eq!(passed(&long), "");
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let text = "ü\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}✓\u{9b}2J end\n";
        let whole = passed(text);
        assert_eq!(whole, "ü\u{1b}[31mred\u{1b}[0m ✓ end\n");
        for split in 0..=text.len() {
            let mut harmless = Harmless::default();
            let (one, other) = text.as_bytes().split_at(split);
            assert_eq!(harmless.pass(one) + &harmless.pass(other), whole, "{split}");
        }
        let mut harmless = Harmless::default();
        assert_eq!(harmless.pass(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(harmless.pass(b"(c"), "\u{fffd}(c");
    }

    #[test]
    fn a_colour_ends_with_the_log() {
        let mut harmless = Harmless::default();
        assert_eq!(harmless.reset(), "");
        harmless.pass(b"\x1b[31mred");
        assert_eq!(harmless.reset(), "\u{1b}[0m");
        assert_eq!(harmless.reset(), "");
    }
}
