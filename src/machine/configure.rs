//! The step that writes what a guest is told: who it is, where its disks belong, what it runs.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use super::boot::{MODULES_SERIAL, disks, serial};
use super::journal::Operation;
use super::{Error, Rooms};
use crate::error::Result;
use crate::guest::kernel::Kernel;
use crate::guest::{self, initramfs, words};
use crate::store::machines::MachineRow;
use crate::store::operations::OperationKind;
use crate::store::volumes::Role;

/// Writes the guest's host key, once, and its initramfs, anew at each start.
pub(super) async fn write_initramfs(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let folder = rooms.paths.run(&row.id);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|source| Error::File {
            what: "make",
            path: folder,
            source,
        })?;
    if matches!(operation.kind, OperationKind::Fork | OperationKind::Restore) {
        // It does not boot; its next start writes what it boots from.
        host_key(rooms, &row)?;
        return Ok(());
    }
    let kernel = rooms.kernel()?;
    let shared = initramfs::shared(&kernel, &rooms.programs.guest)?;
    let config = guest_config(rooms, &row, &kernel).await?;
    let out = rooms.paths.initramfs(&row.id);
    initramfs::write(&shared, &config, &out)?;
    Ok(())
}

/// What the guest is told of itself.
pub(super) async fn guest_config(
    rooms: &Rooms,
    row: &MachineRow,
    kernel: &Kernel,
) -> Result<words::Config> {
    let disks = disks(rooms, &row.id, kernel)?;
    let disk = |serial: &str| disks.iter().position(|disk| disk.serial == serial);
    let place = |index: usize| words::Disk {
        serial: disks[index].serial.clone(),
        index,
        read_only: disks[index].read_only,
    };
    let keys = guest::keys::ensure_key_pair(&rooms.paths.keys())?;
    let network = match rooms.network_plan(row).await? {
        Some((_, plan)) => Some(words::Network {
            mac: plan.mac.to_string(),
            address: plan.ip,
            prefix: plan.prefix,
            gateway: plan.gateway,
            dns: vec![plan.gateway.into()],
            search: row.network.iter().map(ToString::to_string).collect(),
            mtu: plan.mtu,
        }),
        None => None,
    };
    let mut volumes = rooms.store.volumes_of(&row.id)?;
    // What is mounted below another volume comes after it.
    volumes.sort_by(|a, b| a.mount_path.cmp(&b.mount_path));
    let mounts = volumes
        .iter()
        .filter(|volume| volume.role == Role::Data)
        .filter_map(|volume| {
            let disk = place(disk(&serial(volume))?);
            Some(words::Mount {
                disk,
                path: volume.mount_path.clone()?,
            })
        });
    let command = row.spec.command.clone().map(|mut command| {
        // As container runtimes do; the image's own comes later and wins.
        command.env.insert(0, format!("HOSTNAME={}", row.name));
        command
    });
    Ok(words::Config {
        hostname: row.name.to_string(),
        network,
        authorized_keys: vec![keys.public_line.clone()],
        host_key: host_key(rooms, row)?,
        root: place(0),
        volumes: mounts.collect(),
        modules: disk(MODULES_SERIAL).map(place),
        hosts: Vec::new(),
        command,
    })
}

/// The guest's private host key: made at the first start and kept, so that it stays the same machine to its clients.
fn host_key(rooms: &Rooms, row: &MachineRow) -> Result<String> {
    let path = rooms.paths.host_key(&row.id);
    let fail = |what| {
        let path = path.clone();
        move |source| Error::File { what, path, source }
    };
    if row.host_key.is_some()
        && let Ok(private) = std::fs::read_to_string(&path)
        && !private.is_empty()
    {
        return Ok(private);
    }
    let (private, public) = guest::keys::new_host_key()?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(fail("write"))?;
    std::io::Write::write_all(&mut file, private.as_bytes()).map_err(fail("write"))?;
    // The other half is in the store: they are not to part when the host loses power.
    file.sync_all().map_err(fail("write"))?;
    rooms.store.set_host_key(&row.id, &public)?;
    Ok(private)
}
