//! From what a user types to a machine.

use super::{Error, Rooms};
use crate::store::machines::MachineRow;
use crate::value::MachineId;

impl Rooms {
    /// The machine of that name, of that identifier, or the only one whose identifier begins so.
    pub(super) fn find(&self, text: &str) -> Result<MachineRow, Error> {
        let mut found = self.store.machines_like(text)?;
        match (found.pop(), found.is_empty()) {
            (Some(row), true) if !text.is_empty() => Ok(row),
            (Some(_), false) if !text.is_empty() => Err(Error::Ambiguous(text.into())),
            _ => Err(Error::Unknown(text.into())),
        }
    }

    /// The machine's row as it is now, which may be gone since it was found.
    pub(super) fn row(&self, id: &MachineId) -> Result<MachineRow, Error> {
        self.store
            .machine(id)?
            .ok_or_else(|| Error::Unknown(id.to_string()))
    }
}
