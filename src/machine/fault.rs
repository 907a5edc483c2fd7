//! Moments of operations at which tests kill, stop or fail this process.

use crate::error::Result;

/// A moment, such as before or after, of something named `what`, such as a step.
pub(super) fn fault(what: &'static str, when: &str) -> Result<()> {
    match crate::fault::is_wished(what, when) {
        true => Err(super::Error::Fault(what).into()),
        false => Ok(()),
    }
}
