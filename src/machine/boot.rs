//! The steps from a disk to a running hypervisor: parts, network, launch. Deploy and start share them.

use super::journal::Operation;
use super::{Error, Rooms};
use crate::error::Result;
use crate::guest::kernel::{Kernel, Kernels};
use crate::network::{self, MachinePlan, NetworkPlan};
use crate::store;
use crate::store::machines::{MachineRow, ProcessRow};
use crate::store::operations::OperationKind;
use crate::store::snapshots::SnapshotRow;
use crate::store::volumes::{Role, VolumeRow};
use crate::value::{MachineId, Name};
use crate::vmm::{self, LaunchSpec};

/// Serial number of the disk that holds the kernel's modules.
pub(super) const MODULES_SERIAL: &str = "modules";

impl Rooms {
    /// What every guest boots from must be there: the program that runs inside it, and a kernel. Looked at before
    /// anything is fetched or made.
    pub(super) fn check_boot_parts(&self) -> Result<()> {
        if !self.programs.guest.is_file() {
            return Err(Error::NoGuestProgram(self.programs.guest.clone()).into());
        }
        self.kernel().map(drop)
    }

    /// The kernel that guests boot.
    pub(super) fn kernel(&self) -> Result<Kernel> {
        let kernels = Kernels::new(self.paths.data_dir());
        Ok(kernels.current().ok_or(Error::NoKernel)?)
    }

    /// What the machine's network and its place in it are made of; nothing for a machine without one.
    pub(super) async fn network_plan(
        &self,
        row: &MachineRow,
    ) -> Result<Option<(NetworkPlan, MachinePlan)>> {
        let Some(name) = &row.network else {
            return Ok(None);
        };
        let network = self.whole_network(name).await?;
        let machine = self.place_in(&network, row)?;
        Ok(machine.map(|machine| (network, machine)))
    }

    /// What a network is made of.
    pub(super) async fn whole_network(&self, name: &Name) -> Result<NetworkPlan> {
        let network = self.store.network(name)?;
        let uplink = self.config.uplink.as_deref();
        let mtu = self.home.uplink_mtu(uplink).await?;
        Ok(network::plan_network(&network, mtu, uplink))
    }

    /// What the machine's place in its network is made of.
    pub(super) fn place_in(
        &self,
        network: &NetworkPlan,
        row: &MachineRow,
    ) -> Result<Option<MachinePlan>> {
        let Some(ip) = row.ip else {
            return Ok(None);
        };
        let ports = self.store.ports_of(&row.id)?;
        let mut machine = network::plan_machine(&row.id, network, ip, network::mac_for(ip), ports);
        machine.bandwidth = row.spec.limits.bandwidth_mbps;
        Ok(Some(machine))
    }

    /// Where the machine is in its network, for finding and taking down what is there: the uplink, which may be gone, is
    /// asked nothing, so the plan says nothing of packet sizes.
    pub(super) fn place(&self, row: &MachineRow) -> Result<Option<MachinePlan>> {
        let (Some(name), Some(ip)) = (&row.network, row.ip) else {
            return Ok(None);
        };
        let network = network::plan_network(&self.store.network(name)?, 0, None);
        let mac = network::mac_for(ip);
        let place = network::plan_machine(&row.id, &network, ip, mac, Vec::new());
        Ok(Some(place))
    }
}

/// The machine's disks in the order in which the guest sees them: root, data volumes, kernel modules.
pub(super) fn disks(rooms: &Rooms, id: &MachineId, kernel: &Kernel) -> Result<Vec<vmm::Disk>> {
    let volumes = rooms.store.volumes_of(id)?;
    let mut disks: Vec<vmm::Disk> = volumes
        .iter()
        .map(|volume| vmm::Disk {
            path: volume.path.clone(),
            read_only: false,
            serial: serial(volume),
        })
        .collect();
    if let Some(modules) = kernel.modules_image() {
        let serial = MODULES_SERIAL.into();
        disks.push(vmm::Disk {
            path: modules,
            read_only: true,
            serial,
        });
    }
    Ok(disks)
}

/// The machine's disks in the order that the guest of a snapshot knows them by, with the modules that it has.
fn disks_as_before(operation: &Operation<'_>, snapshot: &SnapshotRow) -> Result<Vec<vmm::Disk>> {
    let mut disks = Vec::new();
    for id in &operation.detail.disks {
        if let Some(volume) = operation.rooms.store.volume(id)? {
            disks.push(vmm::Disk {
                read_only: false,
                serial: serial(&volume),
                path: volume.path,
            });
        }
    }
    disks.extend(snapshot.taken.modules.clone().map(|path| vmm::Disk {
        path,
        read_only: true,
        serial: MODULES_SERIAL.into(),
    }));
    Ok(disks)
}

/// A disk's serial number; virtio-blk has room for 20 bytes (VIRTIO 1.2 §5.2.6).
pub(super) fn serial(volume: &VolumeRow) -> String {
    match volume.role {
        Role::Root => "root".into(),
        Role::Data => volume
            .id
            .chars()
            .filter(|letter| *letter != '-')
            .take(20)
            .collect(),
    }
}

/// Brings the network up and puts the machine on it.
pub(super) async fn attach_network(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    if let Some((network, machine)) = rooms.network_plan(&row).await? {
        rooms.home.up(&network).await?;
        rooms.home.attach(&machine).await?;
        rooms.ensure_attendant(operation.progress).await;
    }
    Ok(())
}

/// Starts the hypervisor and writes down which process it is.
pub(super) async fn launch(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let kernel = rooms.kernel()?;
    let restored = match operation.kind {
        OperationKind::Fork | OperationKind::Restore => Some(operation.snapshot()?),
        _ => None,
    };
    let probe = vmm::choose(rooms.config.accelerator, rooms.paths.data_dir());
    let accelerator = probe.accelerator;
    let plan = rooms.network_plan(&row).await?.map(|(_, machine)| machine);
    let spec = LaunchSpec {
        machine: row.id.to_string(),
        kernel: kernel.bzimage(),
        initramfs: rooms.paths.initramfs(&row.id),
        command_line: vmm::command_line::command_line(accelerator, probe.tsc_khz),
        disks: match &restored {
            Some(snapshot) => disks_as_before(operation, snapshot)?,
            None => disks(rooms, &row.id, &kernel)?,
        },
        restore: restored.map(|snapshot| rooms.paths.snapshot(&snapshot.id)),
        taps: plan
            .iter()
            .map(|p| vmm::Tap {
                name: p.tap.clone(),
                mac: p.mac.to_string(),
            })
            .collect(),
        namespace: plan.as_ref().map(MachinePlan::namespace_path),
        vcpus: row.spec.vcpus,
        iops: row.spec.limits.iops,
        memory: row.spec.memory,
        console: rooms.paths.console(&row.id),
        run_dir: rooms.paths.run(&row.id),
        accelerator,
    };
    let vmm = vmm::driver()?;
    let born = |process: &vmm::Process| {
        let identity = ProcessRow {
            pid: process.pid,
            started: process.started,
            boot_id: process.boot_id.clone(),
        };
        rooms
            .store
            .set_process(&row.id, Some(&identity))
            .map_err(Into::into)
    };
    vmm.launch(&spec, &born).await?;
    rooms
        .store
        .set_started(&row.id, vmm.name(), accelerator.as_str(), &store::now())?;
    Ok(())
}
