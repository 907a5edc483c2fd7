//! Machines as front ends see them.

use std::collections::HashMap;

use serde::Serialize;

use super::{Console, Error, Machines, Rooms, application, console};
use crate::error::Result;
use crate::guest::words::Restart;
use crate::store::machines::{MachineRow, Status};
use crate::store::volumes::VolumeRow;
use crate::value::{MachineId, PortMapping, Protocol};
use crate::volume::{self, Volume};

/// How much of the boot log is shown with why a machine failed.
const LAST_LINES: usize = 10;

/// A machine. The field names are the keys of `-o json`; they are only ever added to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Machine {
    pub id: String,
    pub name: String,
    pub status: Status,
    /// The image as it was asked for; `null` for a machine that booted from an existing volume.
    pub image: Option<String>,
    pub image_digest: Option<String>,
    pub ip: Option<String>,
    pub mac: Option<String>,
    /// The machine's network namespace in the network home.
    pub namespace: Option<String>,
    pub network: Option<String>,
    pub vcpus: u8,
    pub memory_bytes: u64,
    /// What runs instead of an init; `null` when an operating system boots.
    pub command: Option<Vec<String>>,
    /// Names of the variables that it has. Their values may be secrets.
    pub environment: Vec<String>,
    /// As the image and its user wrote it; `null` for root.
    pub user: Option<String>,
    pub workdir: Option<String>,
    /// Ports that the image says its application listens on: `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// When the machine is started again by itself: `no`, `on-failure` or `always`.
    pub restart: Restart,
    /// Megabits per second, each way.
    pub bandwidth_mbps: Option<u32>,
    /// Reads and writes per second.
    pub iops: Option<u32>,
    pub vmm: Option<String>,
    pub accelerator: Option<String>,
    pub pid: Option<u32>,
    pub created_at: String,
    pub started_at: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// The end of the boot log of one that failed.
    pub boot_log: Option<String>,
    pub volumes: Vec<Volume>,
    pub ports: Vec<Port>,
}

/// A host port that leads to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Port {
    pub host_port: u16,
    pub machine_port: u16,
    pub protocol: Protocol,
}

impl From<&PortMapping> for Port {
    fn from(port: &PortMapping) -> Self {
        Port {
            host_port: port.host,
            machine_port: port.machine,
            protocol: port.protocol,
        }
    }
}

impl Machines {
    /// Every machine, by name.
    pub fn list(&self) -> Result<Vec<Machine>> {
        let rooms = &*self.0;
        let mut volumes: HashMap<MachineId, Vec<VolumeRow>> = HashMap::new();
        for volume in rooms.store.volumes()? {
            if let Some(machine) = volume.machine {
                volumes.entry(machine).or_default().push(volume);
            }
        }
        let ports = rooms.store.ports_by_machine()?;
        let rows = rooms.store.machines()?;
        Ok(rows
            .iter()
            .map(|row| {
                let volumes = volumes.get(&row.id).into_iter().flatten();
                let ports = ports.get(&row.id).map(Vec::as_slice).unwrap_or_default();
                view(row, volumes, ports, rooms.last_lines(row))
            })
            .collect())
    }

    /// One machine.
    pub fn show(&self, name: &str) -> Result<Machine> {
        let row = self.0.find(name)?;
        let volumes = self.0.store.volumes_of(&row.id)?;
        let ports = self.0.store.ports_of(&row.id)?;
        Ok(view(&row, volumes.iter(), &ports, self.0.last_lines(&row)))
    }

    /// The boot log of a machine, whatever its state; with `previous` that of the start before its last.
    pub fn logs(&self, name: &str, previous: bool) -> Result<Console> {
        let row = self.0.find(name)?;
        let path = self.0.paths.console(&row.id);
        if previous {
            let path = crate::vmm::console::previous(&path);
            return match path.exists() {
                true => Ok(Console::open(path)?),
                false => Err(Error::NoPreviousLog(row.name).into()),
            };
        }
        if !self.0.paths.machine(&row.id).is_dir() {
            return Err(Error::State {
                name: row.name,
                status: row.status,
                way_out: "it has not begun to boot yet; try again in a moment".into(),
            }
            .into());
        }
        Ok(Console::open(path)?)
    }

    /// Every volume, by name.
    pub fn volumes(&self) -> Result<Vec<Volume>> {
        let rows = self.0.store.volumes()?;
        let machines = self.0.store.machines()?;
        let by_id: HashMap<_, _> = machines.iter().map(|row| (row.id, row)).collect();
        Ok(rows
            .iter()
            .map(|row| volume_view(row, row.machine.and_then(|id| by_id.get(&id).copied())))
            .collect())
    }

    /// One volume.
    pub fn volume(&self, name: &str) -> Result<Volume> {
        let row = volume::find(&self.0.store, name)?;
        let machine = match &row.machine {
            Some(id) => self.0.store.machine(id)?,
            None => None,
        };
        Ok(volume_view(&row, machine.as_ref()))
    }

    /// Digests of the images that machines' disks were cloned from.
    pub fn image_digests(&self) -> Result<Vec<String>> {
        let rows = self.0.store.machines()?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.image_digest)
            .collect())
    }
}

impl Rooms {
    /// What a machine that failed said last.
    fn last_lines(&self, row: &MachineRow) -> Option<String> {
        match row.status {
            Status::Failed => console::tail(&self.paths.console(&row.id), LAST_LINES),
            _ => None,
        }
    }
}

fn view<'a>(
    row: &MachineRow,
    volumes: impl Iterator<Item = &'a VolumeRow>,
    ports: &[PortMapping],
    boot_log: Option<String>,
) -> Machine {
    let runs = matches!(
        row.status,
        Status::Creating | Status::Starting | Status::Running | Status::Paused | Status::Stopping
    );
    let command = row.spec.command.as_ref();
    let program = command.filter(|command| !command.argv.is_empty());
    Machine {
        id: row.id.to_string(),
        name: row.name.to_string(),
        status: row.status,
        image: row.image.clone(),
        image_digest: row.image_digest.clone(),
        ip: row.ip.map(|ip| ip.to_string()),
        mac: row.mac.clone(),
        namespace: row
            .network
            .as_ref()
            .map(|_| crate::network::namespace_name(&row.id)),
        network: row.network.as_ref().map(ToString::to_string),
        vcpus: row.spec.vcpus,
        memory_bytes: row.spec.memory.as_u64(),
        command: program.map(|command| command.argv.clone()),
        environment: command.map_or_else(Vec::new, application::names),
        user: program
            .map(|command| command.user.clone())
            .filter(|user| !user.is_empty()),
        workdir: program.map(|command| command.cwd.clone()),
        exposed_ports: row.spec.exposed.clone(),
        restart: row.spec.restart,
        bandwidth_mbps: row.spec.limits.bandwidth_mbps,
        iops: row.spec.limits.iops,
        vmm: row.vmm.clone(),
        accelerator: row.accelerator.clone(),
        pid: row
            .process
            .as_ref()
            .filter(|_| runs)
            .map(|process| process.pid),
        created_at: row.created_at.clone(),
        started_at: row.started_at.clone().filter(|_| runs),
        failure: row.failure.clone(),
        boot_log,
        volumes: volumes
            .map(|volume| volume_view(volume, Some(row)))
            .collect(),
        ports: ports.iter().map(Port::from).collect(),
    }
}

fn volume_view(row: &VolumeRow, machine: Option<&MachineRow>) -> Volume {
    let status = match machine.map(|machine| machine.status) {
        None => "available",
        Some(Status::Stopped | Status::Failed) => "attached",
        Some(_) => "in-use",
    };
    Volume {
        id: row.id.clone(),
        name: row.name.to_string(),
        role: row.role.to_string(),
        status: status.into(),
        size_bytes: row.size.as_u64(),
        used_bytes: volume::used(&row.path),
        path: row.path.clone(),
        machine: machine.map(|machine| machine.name.to_string()),
        mount_path: row.mount_path.clone(),
        created_at: row.created_at.clone(),
    }
}
