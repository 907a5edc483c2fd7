//! Rename: the machine, and its root disk, which is named after it.
//!
//! Only rows know names: files, links and processes go by the identifier. So it is one transaction, and works on a machine
//! that runs. Its network answers to the new name at once; the guest calls itself by it from its next start, since
//! programs that run in it have taken the old name for granted.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::fault::fault;
use super::reserve::root_name;
use super::stop::{refuse_unless, unfinished};
use super::{Error, Machine, Machines};
use crate::error::Result;
use crate::event::Progress;
use crate::store::machines::{Renamed, Status};
use crate::value::Name;

impl Machines {
    /// Gives a machine another name, and its root volume the one that goes with it.
    pub async fn rename(
        &self,
        name: &str,
        new: &Name,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(name, "rename", progress, cancel).await?;
        refuse_unless(
            &row,
            &[Status::Running, Status::Stopped, Status::Failed],
            &unfinished(&row),
        )?;
        let root = root_name(new)?;
        let begun = Instant::now();
        fault("rename", "before")?;
        match rooms.store.rename_machine(&row.id, new, &root)? {
            Renamed::Done => {}
            Renamed::NameTaken => return Err(Error::NewNameTaken(new.clone()).into()),
            Renamed::RootTaken => {
                let (machine, volume) = (row.name, root);
                return Err(Error::NewRootTaken { machine, volume }.into());
            }
        }
        fault("rename", "after")?;
        // Under the new name, by which it is asked for from now on; what it was leads to what was done before.
        let action = format!("rename from {}", row.name);
        rooms.note_history("machine", &action, new, begun, &Ok(()));
        self.show(&row.id.to_string())
    }
}
