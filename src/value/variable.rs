//! A variable of an application's environment, as users of containers write it: `KEY=VALUE`, `KEY` for what whoever
//! types it has, and files of such lines.

use std::fmt;

/// The longest variable, name and value: what the kernel hands to a program in one piece (execve(2), `MAX_ARG_STRLEN`),
/// less its final zero and the sign between the two.
const LONGEST: usize = (128 << 10) - 2;

/// A variable that is to have a value, or not to be there at all. Its value may be a secret, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    name: String,
    value: Option<String>,
}

/// Text that says no variable. What it holds may be a secret and is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadVariable {
    #[error(
        "a variable has no name; one is written KEY=VALUE, or KEY to take it from the environment"
    )]
    NoName,
    #[error("the name of variable {0:?} holds blanks; one is written KEY=VALUE")]
    Blanks(String),
    #[error("variable {0:?} holds a zero byte")]
    Zero(String),
    #[error("variable {0:?} is longer than 128 KiB")]
    TooLong(String),
    #[error("line {line}: {why}")]
    Line { line: usize, why: Box<BadVariable> },
}

impl Variable {
    /// Reads `KEY=VALUE`, or `KEY`, whose value `caller` knows; one that it does not know is taken away.
    pub fn parse(
        text: &str,
        caller: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Variable, BadVariable> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(BadVariable::NoName);
        }
        if name.contains(char::is_whitespace) {
            return Err(BadVariable::Blanks(name.into()));
        }
        if text.contains('\0') {
            return Err(BadVariable::Zero(name.replace('\0', "")));
        }
        let value = if text.contains('=') {
            value
        } else {
            caller(name)
        };
        if name.len() + value.as_ref().map_or(0, String::len) > LONGEST {
            return Err(BadVariable::TooLong(name.chars().take(64).collect()));
        }
        Ok(Variable {
            name: name.into(),
            value,
        })
    }

    /// Reads a file of them, one a line; `#` begins a comment, and nothing is quoted (docker-run(1), `--env-file`).
    pub fn parse_file(
        text: &str,
        caller: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Variable>, BadVariable> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate();
        lines
            .map(|(index, line)| (index + 1, line.trim_start()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(line, text)| {
                Variable::parse(text, caller).map_err(|why| BadVariable::Line {
                    line,
                    why: Box::new(why),
                })
            })
            .collect()
    }

    /// The variable's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts it among `KEY=VALUE` pairs, in the place of one that has its name.
    pub fn apply(&self, pairs: &mut Vec<String>) {
        pairs.retain(|pair| {
            pair.split_once('=').map_or(pair.as_str(), |(name, _)| name) != self.name
        });
        if let Some(value) = &self.value {
            pairs.push(format!("{}={value}", self.name));
        }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.value.is_some() { "=…" } else { "" };
        write!(f, "{}{end}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/ann".into())
    }

    fn applied(variables: &[Variable]) -> Vec<String> {
        let mut pairs = vec!["PATH=/bin".to_string(), "A=0".into()];
        for variable in variables {
            variable.apply(&mut pairs);
        }
        pairs
    }

    #[test]
    fn a_variable_has_a_value_or_the_callers_or_is_taken_away() {
        let of = |text: &str| applied(&[Variable::parse(text, &caller).unwrap()]);
        assert_eq!(of("A=1"), ["PATH=/bin", "A=1"]);
        assert_eq!(of("B=x=y z"), ["PATH=/bin", "A=0", "B=x=y z"]);
        assert_eq!(of("A="), ["PATH=/bin", "A="]);
        assert_eq!(of("HOME"), ["PATH=/bin", "A=0", "HOME=/home/ann"]);
        assert_eq!(of("A"), ["PATH=/bin"]);
        assert_eq!(of("dotted.name=1").len(), 3);
    }

    #[test]
    fn a_file_has_one_a_line_and_comments() {
        let text = "\u{feff}# comment\n\nA=\"1\"\r\n  B=2 # no comment\nHOME\nNOT_SET\n";
        let read = Variable::parse_file(text, &caller).unwrap();
        assert_eq!(
            applied(&read),
            ["PATH=/bin", "A=\"1\"", "B=2 # no comment", "HOME=/home/ann"]
        );
        let bad = Variable::parse_file("A=1\nexport B=secret\n", &caller).unwrap_err();
        assert_eq!(
            bad.to_string(),
            "line 2: the name of variable \"export B\" holds blanks; one is written KEY=VALUE"
        );
    }

    #[test]
    fn nonsense_is_refused_and_values_are_never_shown() {
        for bad in [
            "",
            "=secret",
            " A=secret",
            "A B=secret",
            "A=se\0cret",
            "A\0=secret",
        ] {
            let said = Variable::parse(bad, &caller).unwrap_err().to_string();
            assert!(!said.contains("secret") && !said.contains('\0'), "{said}");
        }
        let long = format!("A={}", "x".repeat(LONGEST));
        assert!(Variable::parse(&long, &caller).is_err());
        assert!(Variable::parse(&long[..=LONGEST], &caller).is_ok());
        let variable = Variable::parse("TOKEN=secret", &caller).unwrap();
        assert_eq!(format!("{variable:?}"), "TOKEN=…");
    }
}
