//! The steps that make a snapshot: its row, its files, and that it is whole.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::boot::disks;
use super::super::journal::Operation;
use super::super::stop::process;
use super::super::{Error, Rooms};
use crate::error::Result;
use crate::guest::words;
use crate::host::{reclaim, space};
use crate::store;
use crate::store::machines::{MachineRow, Status};
use crate::store::snapshots::{Memory, Place, SnapshotRow, Taken, TakenDisk};
use crate::store::volumes::Doing;
use crate::value::{ByteSize, MachineId, Name};
use crate::{vmm, volume};

/// How long a machine that runs may take to answer before a snapshot of it, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(500);

impl Rooms {
    /// Writes down what is about to be taken. A machine that runs must answer: one that does not could not be told who it
    /// is when it goes on.
    pub(super) async fn reserve_snapshot(
        &self,
        row: &MachineRow,
        id: MachineId,
        name: Option<&Name>,
        passing: bool,
    ) -> Result<()> {
        if row.status == Status::Running {
            let answers = async {
                while self.takes_orders(row).await.is_err() {
                    tokio::time::sleep(AGAIN).await;
                }
            };
            let silent = |_| Error::SnapshotSilent(row.name.clone());
            tokio::time::timeout(PATIENCE, answers)
                .await
                .map_err(silent)?;
        }
        let taken = self.what_is_taken(row).await?;
        self.check_room(row, &taken)?;
        let mut snapshot = SnapshotRow {
            id,
            name: row.name.clone(),
            machine: Some(row.id),
            doing: Some(Doing::Create),
            passing,
            taken,
            size: ByteSize::bytes(0),
            created_at: store::now(),
        };
        if passing {
            snapshot.name = id.to_string()[..8].parse()?;
        }
        let Some(name) = name.filter(|_| !passing) else {
            for number in 0u32.. {
                if !passing {
                    snapshot.name = format!("snap{number}").parse()?;
                }
                if self.store.add_snapshot(&snapshot)? {
                    break;
                }
            }
            return Ok(());
        };
        snapshot.name = name.clone();
        match self.store.add_snapshot(&snapshot)? {
            true => Ok(()),
            false => Err(Error::SnapshotExists {
                machine: row.name.clone(),
                snapshot: name.clone(),
            }
            .into()),
        }
    }

    /// Refuses a snapshot that the host's disk has no room for, before the guest is held still for it.
    fn check_room(&self, row: &MachineRow, taken: &Taken) -> Result<()> {
        let volumes = self.store.volumes_of(&row.id)?;
        let disks: u64 = volumes
            .iter()
            .filter_map(|volume| volume::used(&volume.path))
            .sum();
        // At most: QEMU does not write what the guest has never touched.
        let memory = (taken.memory.as_ref()).map_or(0, |_| taken.spec.memory.as_u64());
        let keep = self.config.min_disk_free;
        let needed = ByteSize::bytes(disks.saturating_add(memory));
        Ok(space::check(&self.paths.snapshots(), needed, keep)?)
    }

    async fn what_is_taken(&self, row: &MachineRow) -> Result<Taken> {
        let memory = match row.status.is_up() {
            true => Some(self.loader(row).await?),
            false => None,
        };
        let place = match (&row.network, row.ip) {
            (Some(name), Some(ip)) => {
                let network = self.store.network(name)?;
                Some(Place {
                    network: name.clone(),
                    ip,
                    prefix: network.subnet.prefix_len(),
                    gateway: network.gateway(),
                })
            }
            _ => None,
        };
        let modules = match &memory {
            Some(_) => {
                let all = disks(self, &row.id, &self.kernel()?)?;
                let last = all.into_iter().next_back();
                last.filter(|disk| disk.read_only).map(|disk| disk.path)
            }
            None => None,
        };
        let volumes = self.store.volumes_of(&row.id)?;
        let mut taken = Vec::new();
        for (number, volume) in volumes.into_iter().enumerate() {
            taken.push(TakenDisk {
                config: self.store.volume_config(&volume.id)?,
                volume: volume.id,
                name: volume.name,
                role: volume.role,
                size: volume.size,
                mount_path: volume.mount_path,
                image_digest: volume.image_digest,
                file: format!("disk-{number}.ext4"),
            });
        }
        Ok(Taken {
            machine: row.name.clone(),
            spec: row.spec.clone(),
            image: row.image.clone(),
            image_digest: row.image_digest.clone(),
            place,
            memory,
            modules,
            disks: taken,
        })
    }

    /// What the state of a machine that is up is saved by.
    async fn loader(&self, row: &MachineRow) -> Result<Memory> {
        let vmm = self.driver_of(row)?;
        let run_dir = self.paths.run(&row.id);
        vmm.check_savable(&run_dir).await?;
        let accelerator = match row.accelerator.as_deref() {
            Some("kvm") => vmm::Accelerator::Kvm,
            _ => vmm::Accelerator::Tcg,
        };
        Ok(Memory {
            vmm: vmm.name().into(),
            version: vmm.version_in(&run_dir).await?,
            accelerator: accelerator.as_str().into(),
            processor: vmm::processor(accelerator),
            orders: words::ORDERS_VERSION,
        })
    }
}

/// Writes the state and the disks of a machine that is held still.
pub(in crate::machine) async fn take(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let snapshot = operation.snapshot()?;
    let folder = rooms.paths.snapshot(&snapshot.id);
    let fail = |what| {
        let path = folder.clone();
        move |source| Error::File { what, path, source }
    };
    let current = rooms.store.volumes_of(&operation.machine)?;
    let pairs: Vec<(PathBuf, PathBuf, ByteSize)> = snapshot
        .taken
        .disks
        .iter()
        .filter_map(|disk| {
            let volume = current.iter().find(|volume| volume.id == disk.volume)?;
            Some((volume.path.clone(), folder.join(&disk.file), disk.size))
        })
        .collect();
    let begun = Instant::now();
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(fail("make"))?;
    let (progress, cancel) = (operation.progress.clone(), operation.cancel.clone());
    let copy = move || {
        let report = |done| progress.transfer("snapshot", "disks", done, None);
        for (from, to, size) in &pairs {
            volume::clone_image(from, to, *size, &report, &|| cancel.is_cancelled())?;
        }
        Ok::<_, volume::Error>(())
    };
    let row = rooms.row(&operation.machine)?;
    let vmm = rooms.driver_of(&row)?;
    let save = async {
        match (&snapshot.taken.memory, process(&row)) {
            (Some(_), Some(process)) => {
                let run_dir = rooms.paths.run(&operation.machine);
                Ok(vmm.save(&process, &run_dir, &folder).await?)
            }
            (Some(_), None) => Err(Error::Died(None).into()),
            (None, _) => Ok::<_, crate::error::Error>(()),
        }
    };
    let (saved, copied) = if vmm.is_settled_by_pause() {
        // At once: the machine is held still for as long as the slower of the two takes.
        tokio::join!(save, tokio::task::spawn_blocking(copy))
    } else {
        let saved = save.await;
        let copied = match saved {
            Ok(()) => tokio::task::spawn_blocking(copy).await,
            Err(_) => Ok(Ok(())),
        };
        (saved, copied)
    };
    if operation.cancel.is_cancelled() {
        return Err(Error::Cancelled.into());
    }
    saved?;
    copied.map_err(|join| fail("write")(std::io::Error::other(join)))??;
    if operation.detail.was == Some(Status::Running) {
        let (name, seconds) = (&operation.name, begun.elapsed().as_secs_f32());
        let says = format!("machine {name} was held still for {seconds:.1} s");
        operation.progress.note(says);
    }
    Ok(())
}

/// Removes what [`take`] made, and what was written down of it.
pub(in crate::machine) fn forget(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    if let Some(id) = &operation.detail.snapshot {
        remove_files(rooms, id)?;
        rooms.store.remove_snapshot(id)?;
    }
    Ok(())
}

/// The snapshot is whole from now on.
pub(in crate::machine) async fn keep(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let snapshot = operation.snapshot()?;
    let folder = rooms.paths.snapshot(&snapshot.id);
    if !snapshot.passing {
        // Its files are to outlast a loss of power as its row does. The guest goes on meanwhile.
        let path = folder.clone();
        let synced = tokio::task::spawn_blocking(move || sync(&path)).await;
        let synced = synced.unwrap_or_else(|join| Err(std::io::Error::other(join)));
        synced.map_err(|source| Error::File {
            what: "write",
            path: folder.clone(),
            source,
        })?;
    }
    let used = space::used(&folder);
    rooms
        .store
        .keep_snapshot(&snapshot.id, ByteSize::bytes(used))?;
    Ok(())
}

/// Has a folder and its files on the disk.
fn sync(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Removes the files of a snapshot whose end nobody waits for. What stays is [`remove_files`]'s to complain about.
pub(super) fn reclaim_files(rooms: &Rooms, id: &MachineId) {
    let entries = std::fs::read_dir(rooms.paths.snapshot(id));
    for entry in entries.into_iter().flatten().flatten() {
        let _ = reclaim::remove(&entry.path());
    }
}

/// Removes a snapshot's folder. One that is not there is no failure.
pub(super) fn remove_files(rooms: &Rooms, id: &MachineId) -> Result<()> {
    let path = rooms.paths.snapshot(id);
    match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
            what: "remove",
            path,
            source,
        }
        .into()),
        _ => Ok(()),
    }
}
