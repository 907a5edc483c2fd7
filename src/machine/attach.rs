//! Which machine has which data volumes, and where the guest mounts them.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::fault::fault;
use super::volumes::{busy, refuse_running};
use super::{Error, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::store::volumes::{Role, VolumeRow};
use crate::value::MachineId;
use crate::volume::{self, Attachment, MountPath, Volume};

/// The most data volumes of one machine. A QEMU `microvm` has places for 23 devices, Firecracker for fewer.
pub const MOST_VOLUMES: usize = 14;

impl Machines {
    /// Attaches a data volume to a stopped machine, which mounts it when it starts.
    pub async fn attach_volume(
        &self,
        machine: &str,
        attachment: &Attachment,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Volume> {
        let rooms = &*self.0;
        let (row, _lock) = rooms
            .take(machine, "volume attach", progress, cancel)
            .await?;
        refuse_running(&row)?;
        let begun = Instant::now();
        let (volume, _) = rooms.free_data(attachment)?;
        fault("volume-attach", "before")?;
        let claimed = rooms.claim_data(&row.id, std::slice::from_ref(attachment));
        fault("volume-attach", "after")?;
        rooms.note_history("volume", "attach", &volume.name, begun, &claimed);
        claimed?;
        self.volume(&volume.id)
    }

    /// Detaches a data volume from a stopped machine.
    pub async fn detach_volume(
        &self,
        machine: &str,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Volume> {
        let rooms = &*self.0;
        let (row, _lock) = rooms
            .take(machine, "volume detach", progress, cancel)
            .await?;
        let volume = volume::find(&rooms.store, name)?;
        if volume.machine != Some(row.id) {
            let (volume, machine) = (volume.name, row.name);
            return Err(Error::NotAttached { volume, machine }.into());
        }
        if volume.role == Role::Root {
            rooms.refuse_owned(&volume)?;
        }
        refuse_running(&row)?;
        let begun = Instant::now();
        fault("volume-detach", "before")?;
        let released = rooms.store.release_volume(&volume.id).map_err(Into::into);
        fault("volume-detach", "after")?;
        rooms.note_history("volume", "detach", &volume.name, begun, &released);
        released?;
        self.volume(&volume.id)
    }
}

impl Rooms {
    /// The volume of an attachment and where it is to be mounted, if a machine can have it.
    pub(super) fn free_data(&self, attachment: &Attachment) -> Result<(VolumeRow, MountPath)> {
        let row = volume::find(&self.store, &attachment.volume)?;
        if row.role != Role::Data {
            return Err(Error::NotAData(row.name).into());
        }
        self.refuse_taken(&row)?;
        let path = attachment.path.clone();
        let path = path.unwrap_or_else(|| MountPath::usual(&row.name));
        Ok((row, path))
    }

    /// Gives data volumes to a machine, each with its place in the guest. On failure those before are taken back.
    pub(super) fn claim_data(&self, machine: &MachineId, attachments: &[Attachment]) -> Result<()> {
        let mut claimed: Vec<String> = Vec::new();
        let outcome = attachments.iter().try_for_each(|attachment| {
            let (row, path) = self.free_data(attachment)?;
            let others = self.store.volumes_of(machine)?;
            let data = others.iter().filter(|other| other.role == Role::Data);
            if data.count() >= MOST_VOLUMES {
                return Err(Error::TooManyVolumes(MOST_VOLUMES).into());
            }
            if let Some(other) = others
                .iter()
                .find(|other| other.mount_path.as_deref() == Some(path.as_str()))
            {
                let other = other.name.clone();
                return Err(Error::MountTaken { path, other }.into());
            }
            self.claim(&row, machine, path.as_str())?;
            claimed.push(row.id);
            Ok(())
        });
        if outcome.is_err() {
            for id in &claimed {
                self.store.release_volume(id)?;
            }
        }
        outcome
    }

    /// Gives a volume that was free a moment ago to a machine.
    pub(super) fn claim(&self, row: &VolumeRow, machine: &MachineId, path: &str) -> Result<()> {
        if self.store.claim_volume(&row.id, machine, path)? {
            return Ok(());
        }
        // Somebody was quicker.
        let now = self.store.volume(&row.id)?;
        let now = now.ok_or_else(|| volume::Error::Unknown(row.name.to_string()))?;
        self.refuse_taken(&now)?;
        Err(busy(&now))
    }

    /// Refuses a machine one of whose volumes is being worked on.
    pub(super) fn refuse_busy_volumes(&self, machine: &MachineId) -> Result<()> {
        match self
            .store
            .volumes_of(machine)?
            .iter()
            .find(|row| row.doing.is_some())
        {
            Some(row) => Err(busy(row)),
            None => Ok(()),
        }
    }
}
