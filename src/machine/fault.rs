//! The moments of operations at which tests kill, stop or fail this process.

use crate::error::Result;
use crate::host::fault;

/// A moment, such as before or after, of something named `what`, such as a step.
pub(super) fn fault(what: &'static str, when: &str) -> Result<()> {
    match fault::at(what, when) {
        true => Err(super::Error::Fault(what).into()),
        false => Ok(()),
    }
}
