//! Fork: another machine goes on from where this one is, or from where it was at a snapshot.

use tokio_util::sync::CancellationToken;

use super::super::fault::fault;
use super::super::journal::{Detail, Operation};
use super::super::lock::Lock;
use super::super::reserve::{self, Source, root_name, with_suffix};
use super::super::start::check_memory;
use super::super::{Error, Machine, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::network;
use crate::store;
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::{OperationKind, OperationRow};
use crate::store::snapshots::SnapshotRow;
use crate::store::volumes::{Role, VolumeRow};
use crate::value::{MachineId, Name, PortMapping};

/// What is asked for beside the machine or the snapshot that it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForkRequest {
    /// By default that of the machine, with `-2`, `-3` … behind it.
    pub name: Option<Name>,
    /// Ports of the host that are to lead into it; those of the other stay the other's.
    pub expose: Vec<PortMapping>,
    /// The network that it is on; that of the other when absent.
    pub network: Option<Name>,
    /// Whether its memory is left out, and it boots.
    pub disks_only: bool,
    /// Whether to come back before the guest answers.
    pub no_wait: bool,
}

impl Machines {
    /// Makes another machine that goes on from where this one is, beside it. A machine that is stopped is copied, and the
    /// copy boots.
    pub async fn fork(
        &self,
        machine: &str,
        request: &ForkRequest,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        rooms.check_fork(request).await?;
        // Nobody else takes it away as long as this is held; and whoever finds it free does.
        let id = MachineId::new();
        let kept = Lock::found(rooms, &id, "fork")?;
        let forked = async {
            let (row, lock) = rooms.take(machine, "fork", progress, cancel).await?;
            let (taken, ()) = tokio::join!(
                rooms.snapshot_locked(&row, id, None, true, progress, cancel),
                rooms.prepare_to_load(&row),
            );
            taken?;
            drop(lock);
            let forking = self.go_on(&id, "fork", request, progress, cancel);
            if row.status != Status::Running {
                return forking.await;
            }
            // The other does not wait for it.
            let (forked, ()) = tokio::join!(forking, rooms.correct_clock(&row, progress));
            forked
        };
        let forked = forked.await;
        let removed = match rooms.store.snapshot(&id)? {
            Some(row) => rooms.remove_snapshot(&row),
            None => Ok(()),
        };
        kept.retire()?;
        let machine = forked?;
        if let Err(error) = removed {
            // The next command tries again.
            progress.note(error.to_string());
        }
        Ok(machine)
    }

    /// Makes a machine of a snapshot.
    pub async fn deploy_from_snapshot(
        &self,
        machine: &str,
        snapshot: &str,
        request: &ForkRequest,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        rooms.check_fork(request).await?;
        let (row, _) = rooms.find_snapshot(machine, snapshot)?;
        self.go_on(&row.id, "deploy", request, progress, cancel)
            .await
    }

    async fn go_on(
        &self,
        snapshot: &MachineId,
        action: &'static str,
        request: &ForkRequest,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let snapshot = rooms.store.snapshot(snapshot)?;
        let Some(mut snapshot) = snapshot else {
            return Err(Error::Cancelled.into());
        };
        if request.disks_only {
            snapshot.taken.memory = None;
        }
        rooms.refuse_unfit(&snapshot).await?;
        let id = MachineId::new();
        let lock = Lock::found(rooms, &id, action)?;
        let reserved = rooms.reserve_fork(id, request, snapshot).await;
        fault("reserve", "after")?;
        let (row, kind, detail) = match reserved {
            Ok(reserved) => reserved,
            Err(error) => {
                lock.retire()?;
                return Err(error);
            }
        };
        let operation = Operation {
            rooms,
            machine: id,
            name: row.name,
            kind,
            detail,
            progress,
            cancel,
            no_wait: request.no_wait,
        };
        self.make(operation, action, lock).await
    }
}

impl Rooms {
    /// Refuses what can be refused before anything is made.
    async fn check_fork(&self, request: &ForkRequest) -> Result<()> {
        if let Some(name) = &request.name {
            self.check_free(name, false)?;
        }
        self.refuse_ports(&request.expose).await?;
        if let Some(name) = &request.network {
            self.store.network(name)?;
        }
        self.check_parts().map(drop)
    }

    /// Writes the machine, its volumes and its address down, before anything is made.
    async fn reserve_fork(
        &self,
        id: MachineId,
        request: &ForkRequest,
        snapshot: SnapshotRow,
    ) -> Result<(MachineRow, OperationKind, Detail)> {
        let taken = &snapshot.taken;
        check_memory(taken.spec.memory)?;
        let kind = match taken.memory {
            Some(_) => OperationKind::Fork,
            None => OperationKind::Deploy,
        };
        let place = taken.place.as_ref().map(|place| &place.network);
        let network = self.network_for(request.network.as_ref().or(place)).await?;
        let mut row = MachineRow {
            id,
            name: taken.machine.clone(),
            status: Status::Creating,
            spec: taken.spec.clone(),
            image: taken.image.clone(),
            image_digest: taken.image_digest.clone(),
            network: Some(network.name.clone()),
            ip: None,
            mac: None,
            host_key: None,
            vmm: None,
            accelerator: None,
            process: None,
            failure: None,
            created_at: store::now(),
            started_at: None,
        };
        let disks: Vec<String> = taken
            .disks
            .iter()
            .map(|_| MachineId::new().to_string())
            .collect();
        let detail = Detail {
            snapshot: Some(snapshot.id),
            disks: disks.clone(),
            ..Detail::default()
        };
        let begins = OperationRow {
            machine: id,
            kind,
            detail: detail.to_json(),
            step: 0,
            undoing: false,
        };
        let source = Source::Snapshot(Box::new(snapshot.clone()));
        self.add_named(&mut row, &begins, request.name.as_ref(), &source)?;
        let reserved = (|| -> Result<()> {
            for (disk, volume) in taken.disks.iter().zip(&disks) {
                let name = match disk.role {
                    Role::Root => root_name(&row.name)?,
                    Role::Data => with_suffix(&row.name, &format!("-{}", disk.name))
                        .or_else(|_| volume[..8].parse())?,
                };
                let added = self.store.add_volume(&VolumeRow {
                    path: self.paths.volumes().join(format!("{volume}.ext4")),
                    id: volume.clone(),
                    name: name.clone(),
                    role: disk.role,
                    size: disk.size,
                    machine: Some(id),
                    mount_path: disk.mount_path.clone(),
                    image_digest: disk.image_digest.clone(),
                    doing: None,
                    created_at: store::now(),
                })?;
                if !added {
                    return Err(Error::VolumeExists(name).into());
                }
                if let Some(config) = &disk.config {
                    self.store.set_volume_config(volume, config)?;
                }
            }
            self.claim_ports(&id, &request.expose)?;
            let ip = self.store.allocate_address(&network.name, &id)?;
            let mac = network::mac_for(ip).to_string();
            Ok(self.store.set_address(&id, ip, &mac)?)
        })();
        match reserved {
            Ok(()) => Ok((row, kind, detail)),
            Err(error) => {
                for volume in &disks {
                    self.store.remove_volume(volume)?;
                }
                reserve::forget(self, &id)?;
                Err(error)
            }
        }
    }
}
