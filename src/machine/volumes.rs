//! What is done to volumes by themselves: made, grown, renamed and deleted.
//!
//! What changes a file is written into the volume's row before it begins, and the row refuses everything else until it
//! has ended. Whoever does it holds the volume's lock; a row without one is unfinished work of a killed command, which
//! the next command ends ([`Rooms::tend_volume`]): what was being made is removed, what was being removed is gone, what
//! was being grown is grown.

use std::os::fd::AsFd;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::create::MOST_STORAGE;
use super::fault::fault;
use super::lock::Lock;
use super::stop::refuse_unless;
use super::{Error, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::host::space;
use crate::store;
use crate::store::machines::{MachineRow, Status};
use crate::store::volumes::{Doing, Role, VolumeRow};
use crate::value::{ByteSize, MachineId, Name};
use crate::volume::{self, Volume};

impl Machines {
    /// Refuses a size that no volume can have.
    pub fn check_volume_size(&self, size: ByteSize) -> Result<()> {
        Ok(check_size(size)?)
    }

    /// Makes an empty data volume with a file system. Without a name it is called by the beginning of its identifier.
    pub async fn create_volume(
        &self,
        name: Option<&Name>,
        size: ByteSize,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Volume> {
        let rooms = &*self.0;
        check_size(size)?;
        space::check(
            &rooms.paths.volumes(),
            volume::LEAST,
            rooms.config.min_disk_free,
        )?;
        let id = MachineId::new();
        let text = id.to_string();
        let name = match name {
            Some(name) => name.clone(),
            None => text[..8].parse()?,
        };
        let begun = Instant::now();
        let lock = Lock::found(rooms, &id, "volume create")?;
        let row = VolumeRow {
            path: rooms.paths.volumes().join(format!("{text}.ext4")),
            id: text,
            name: name.clone(),
            role: Role::Data,
            size,
            machine: None,
            mount_path: None,
            image_digest: None,
            doing: Some(Doing::Create),
            created_at: store::now(),
        };
        if !rooms.store.add_volume(&row)? {
            lock.retire()?;
            return Err(Error::VolumeExists(name).into());
        }
        progress.step(format!("making the volume {name}"));
        let made = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled.into()),
            made = rooms.make(&row, size) => made,
        };
        let outcome: Result<()> = match made {
            Ok(()) => rooms.store.end_on_volume(&row.id, size).map_err(Into::into),
            Err(error) => {
                remove(rooms, &row)?;
                Err(error)
            }
        };
        rooms.note_history("volume", "create", &name, begun, &outcome);
        lock.retire()?;
        outcome?;
        self.volume(&row.id)
    }

    /// Grows a volume and its file system; the machine that has it must be stopped.
    pub async fn resize_volume(
        &self,
        name: &str,
        size: ByteSize,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Volume> {
        let rooms = &*self.0;
        check_size(size)?;
        let held = rooms.hold(name, "volume resize", progress, cancel).await?;
        let row = &held.volume;
        if size < row.size {
            let (volume, has) = (row.name.clone(), row.size);
            return Err(Error::Shrink {
                volume,
                has,
                asked: size,
            }
            .into());
        }
        rooms.begin(row, Doing::Resize)?;
        let begun = Instant::now();
        progress.step(format!("growing {} to {size}", row.name));
        let outcome = rooms.grow(row, size, &held.lock).await;
        rooms.note_history("volume", "resize", &row.name, begun, &outcome);
        outcome?;
        self.volume(&row.id)
    }

    /// Gives a volume another name. Where it is mounted does not change. A root volume that belongs to a machine has
    /// its name from that.
    pub async fn rename_volume(&self, name: &str, new: &Name) -> Result<Volume> {
        let rooms = &*self.0;
        let row = volume::find(&rooms.store, name)?;
        if let (Role::Root, Some(machine)) = (row.role, rooms.machine_of(&row)?) {
            let (volume, machine) = (row.name, machine.name);
            return Err(Error::NamedAfter { volume, machine }.into());
        }
        let begun = Instant::now();
        fault("volume-rename", "before")?;
        if row.name != *new && !rooms.store.rename_volume(&row.id, new)? {
            return Err(Error::VolumeExists(new.clone()).into());
        }
        fault("volume-rename", "after")?;
        rooms.note_history("volume", "rename", new, begun, &Ok(()));
        self.volume(&row.id)
    }

    /// Deletes a volume that belongs to no machine.
    pub async fn delete_volume(
        &self,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let rooms = &*self.0;
        let row = volume::find(&rooms.store, name)?;
        rooms.refuse_owned(&row)?;
        let held = rooms.hold(name, "volume delete", progress, cancel).await?;
        let row = &held.volume;
        rooms.refuse_owned(row)?;
        rooms.begin(row, Doing::Delete)?;
        let begun = Instant::now();
        let outcome = remove(rooms, row);
        rooms.note_history("volume", "delete", &row.name, begun, &outcome);
        outcome
    }
}

/// A volume that nobody else does anything to, and whose machine, if it has one, is stopped and stays so.
struct Held {
    volume: VolumeRow,
    lock: Lock,
    _machine: Option<Lock>,
}

impl Rooms {
    /// Takes the locks that changing a volume's file needs: first its machine's, then its own.
    async fn hold(
        &self,
        name: &str,
        why: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Held> {
        loop {
            let found = volume::find(&self.store, name)?;
            let machine = match &found.machine {
                Some(id) => Some(Lock::take(self, id, why, progress, cancel).await?),
                None => None,
            };
            let id: MachineId = found
                .id
                .parse()
                .map_err(|_| Error::Unknown(found.id.clone()))?;
            let lock = Lock::take(self, &id, why, progress, cancel).await?;
            let volume = self.store.volume(&found.id)?;
            let volume = volume.ok_or_else(|| volume::Error::Unknown(name.into()))?;
            if volume.machine != found.machine {
                // It was attached or detached while this waited.
                continue;
            }
            if let Some(row) = self.machine_of(&volume)? {
                refuse_running(&row)?;
            }
            return Ok(Held {
                volume,
                lock,
                _machine: machine,
            });
        }
    }

    /// Writes down that something begins to be done to a volume.
    fn begin(&self, row: &VolumeRow, doing: Doing) -> Result<()> {
        // Work that was cut short is begun again: whoever calls holds the lock that it would hold.
        if row.doing == Some(doing)
            || self
                .store
                .begin_on_volume(&row.id, doing, row.machine.as_ref())?
        {
            return Ok(());
        }
        Err(match self.store.volume(&row.id)? {
            Some(now) => busy(&now),
            None => volume::Error::Unknown(row.name.to_string()).into(),
        })
    }

    async fn make(&self, row: &VolumeRow, size: ByteSize) -> Result<()> {
        fault("volume-create", "before")?;
        volume::make(&row.path, size, row.name.as_str()).await?;
        fault("volume-create", "after")
    }

    async fn grow(&self, row: &VolumeRow, size: ByteSize, lock: &Lock) -> Result<()> {
        fault("volume-resize", "before")?;
        let grown = volume::grow(&row.path, size, lock.as_fd()).await;
        fault("volume-resize", "after")?;
        // Its disk may be longer already even if its file system is not.
        let length =
            std::fs::metadata(&row.path).map_or(row.size, |meta| ByteSize::bytes(meta.len()));
        self.store.end_on_volume(&row.id, length)?;
        Ok(grown.map(drop)?)
    }

    /// Ends what a killed command was doing to a volume. Comes back with what could not be done.
    pub(super) async fn tend_volume(
        &self,
        found: &VolumeRow,
        progress: &Progress,
    ) -> Result<Option<String>> {
        let Ok(id) = found.id.parse::<MachineId>() else {
            return Ok(None);
        };
        let Some(lock) = Lock::try_take(self, &id, "recovery")? else {
            return Ok(None);
        };
        let row = self.store.volume(&found.id)?;
        let outcome = match row.as_ref().and_then(|row| Some((row, row.doing?))) {
            Some((row, Doing::Create | Doing::Delete)) => remove(self, row),
            Some((row, Doing::Resize)) => self.grow(row, row.size, &lock).await,
            None => Ok(()),
        };
        lock.retire()?;
        match outcome {
            Ok(()) => {
                progress.note(format!("recovered volume {}", found.name));
                Ok(None)
            }
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    pub(super) fn refuse_owned(&self, row: &VolumeRow) -> Result<()> {
        match self.machine_of(row)? {
            None => Ok(()),
            Some(machine) => Err(Error::VolumeInUse {
                volume: row.name.clone(),
                machine: machine.name.to_string(),
                role: row.role,
            }
            .into()),
        }
    }

    /// Refuses a volume that a machine has, or that is being worked on.
    pub(super) fn refuse_taken(&self, row: &VolumeRow) -> Result<()> {
        self.refuse_owned(row)?;
        match row.doing {
            Some(_) => Err(busy(row)),
            None => Ok(()),
        }
    }

    fn machine_of(&self, row: &VolumeRow) -> Result<Option<MachineRow>> {
        match &row.machine {
            Some(id) => Ok(self.store.machine(id)?),
            None => Ok(None),
        }
    }
}

/// Removes a volume's files and then its row.
fn remove(rooms: &Rooms, row: &VolumeRow) -> Result<()> {
    fault("volume-delete", "before")?;
    volume::remove(&volume::partial(&row.path))?;
    volume::remove(&row.path)?;
    fault("volume-delete", "after")?;
    rooms.store.remove_volume(&row.id)?;
    Ok(())
}

pub(super) fn busy(row: &VolumeRow) -> crate::error::Error {
    let doing = row.doing.map_or("in use", Doing::says);
    let volume = row.name.clone();
    Error::VolumeBusy { volume, doing }.into()
}

pub(super) fn refuse_running(row: &MachineRow) -> Result<(), Error> {
    let way_out = format!("stop it: sistemo machine stop {}", row.name);
    refuse_unless(row, &[Status::Stopped, Status::Failed], &way_out)
}

fn check_size(size: ByteSize) -> Result<(), Error> {
    if size < volume::LEAST || size > MOST_STORAGE {
        return Err(Error::VolumeSize {
            asked: size,
            least: volume::LEAST,
            most: MOST_STORAGE,
        });
    }
    Ok(())
}
