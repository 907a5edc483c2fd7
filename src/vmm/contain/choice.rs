//! The `contain` setting.

use crate::error::{Advice, Kind};

/// Whether hypervisors are contained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// As far as this host lets them be; `doctor` says what is missing.
    #[default]
    Auto,
    /// In full, or no machine starts.
    Always,
    /// They may do what the program that starts them may.
    Never,
}

/// A word that is not a [`Choice`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not say whether hypervisors are contained")]
pub struct UnknownChoice(String);

impl Advice for UnknownChoice {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("it is one of: auto, always, never".into())
    }
}

impl std::str::FromStr for Choice {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        match text {
            "auto" => Ok(Choice::Auto),
            "always" => Ok(Choice::Always),
            "never" => Ok(Choice::Never),
            _ => Err(UnknownChoice(text.into())),
        }
    }
}
