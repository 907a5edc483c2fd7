//! Why a line is not done, and the way out.

use crate::cli::report::Failure;

/// Why a line is not done, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Refusal {
    pub(in super::super) message: String,
    pub(in super::super) hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

/// What cannot be done in here.
pub(super) fn elsewhere(command: &str) -> Refusal {
    Refusal::new(
        format!("{command} is nothing for the console"),
        format!("type it into a shell: sistemo {command}"),
    )
}

/// Refuses a command with an option that would do nothing in here.
pub(super) fn refuse(command: &str, option: Option<&str>) -> Result<(), Refusal> {
    option.map_or(Ok(()), |option| {
        Err(elsewhere(&format!("{command} {option}")))
    })
}

/// The first of the options that was given.
pub(super) fn given<const N: usize>(options: [(&'static str, bool); N]) -> Option<&'static str> {
    let mut options = options.into_iter();
    options.find_map(|(name, given)| given.then_some(name))
}

/// What a command itself says against it.
pub(super) fn failed(failure: Failure) -> Refusal {
    match failure {
        Failure::Usage { message, hint } | Failure::Refused { message, hint } => {
            Refusal::new(message, hint)
        }
        Failure::Engine(error) => Refusal {
            message: error.report(),
            hint: error.hint(),
        },
        Failure::Cancelled | Failure::Reported(_) => Refusal {
            message: "cancelled".into(),
            hint: None,
        },
    }
}
