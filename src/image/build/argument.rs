//! Values for a Dockerfile's `ARG` instructions.

use std::fmt;
use std::str::FromStr;

/// `NAME=VALUE`, or `NAME` alone for the value that the environment has. A value may be a secret: it is neither shown
/// nor written down, and reaches the builder through its environment, which only its user can read, not on its command
/// line, which everybody can.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildArgument {
    name: String,
    value: Option<String>,
}

/// Names that mean something to the builder itself, which is not to be changed by what a Dockerfile is given.
const BUILDERS: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "TERM",
    "TMPDIR",
    "LD_",
    "XDG_",
    "DOCKER_",
    "BUILDAH_",
    "CONTAINER",
    "STORAGE_",
];

impl BuildArgument {
    /// How it stands on the builder's command line, and what is set in its environment.
    pub(super) fn given(&self) -> (String, Option<(&str, &str)>) {
        match &self.value {
            Some(value) if BUILDERS.iter().any(|begin| self.name.starts_with(begin)) => {
                (format!("{}={value}", self.name), None)
            }
            Some(value) => (self.name.clone(), Some((&self.name, value))),
            None => (self.name.clone(), None),
        }
    }
}

impl FromStr for BuildArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err("it wants NAME=VALUE, or NAME for the value in the environment".into());
        }
        Ok(BuildArgument {
            name: name.into(),
            value,
        })
    }
}

impl fmt::Debug for BuildArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_off_the_command_line() {
        let argument = |text: &str| text.parse::<BuildArgument>().unwrap();
        let token = argument("TOKEN=a=b");
        assert_eq!(token.given(), ("TOKEN".into(), Some(("TOKEN", "a=b"))));
        assert_eq!(format!("{token:?}"), "TOKEN");
        assert_eq!(argument("TOKEN").given(), ("TOKEN".into(), None));
        assert_eq!(argument("TOKEN=").given().1, Some(("TOKEN", "")));
        // The builder would be looked for, and look for its files, elsewhere.
        assert_eq!(argument("PATH=/x").given(), ("PATH=/x".into(), None));
        for bad in ["", "=x", "A B=c", "A\n=c"] {
            assert!(bad.parse::<BuildArgument>().is_err(), "{bad:?}");
        }
    }
}
