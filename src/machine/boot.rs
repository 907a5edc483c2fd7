//! The steps from a disk to a running hypervisor: parts, network, launch. Deploy and start share them.

use super::journal::Operation;
use super::snapshot::saved_by;
use super::{Error, Rooms, console};
use crate::error::Result;
use crate::guest::kernel::{Kernel, Kernels, Needs};
use crate::network::{self, MachinePlan, NetworkPlan};
use crate::store;
use crate::store::machines::{MachineRow, ProcessRow};
use crate::store::operations::OperationKind;
use crate::store::snapshots::SnapshotRow;
use crate::store::volumes::{Role, VolumeRow};
use crate::value::{MachineId, Name};
use crate::vmm::contain::{self, Owner};
use crate::vmm::{
    self, Hypervisor, HypervisorChoice, KernelForm, LaunchSpec, Probe, Selection, Vmm,
};

/// Serial number of the disk that holds the kernel's modules.
pub(super) const MODULES_SERIAL: &str = "modules";

impl Rooms {
    /// What every guest boots from must be there: the program that runs inside it, a kernel, and a hypervisor that can run
    /// it. Looked at before anything is fetched or made.
    pub(super) async fn check_boot_parts(&self, choice: HypervisorChoice, vcpus: u8) -> Result<()> {
        let kernel = self.check_parts()?;
        let (selected, _) = self.select_hypervisor(choice, vcpus).await?;
        check_kernel(&kernel, selected.hypervisor)
    }

    /// The same without the hypervisor, for a guest whose state says which.
    pub(super) fn check_parts(&self) -> Result<Kernel> {
        if !self.programs.guest.is_file() {
            return Err(Error::NoGuestProgram(self.programs.guest.clone()).into());
        }
        self.kernel()
    }

    /// What a machine is to run under: what it was deployed for, else what the setting says.
    pub(super) fn hypervisor_choice(&self, row: &MachineRow) -> HypervisorChoice {
        let asked = row.spec.vmm.as_ref();
        match asked.and_then(|word| word.parse().ok()) {
            Some(hypervisor) => HypervisorChoice::Only(hypervisor),
            None => self.config.vmm,
        }
    }

    /// The hypervisor for a machine with `vcpus` virtual processors, and what is known of KVM here.
    pub(super) async fn select_hypervisor(
        &self,
        choice: HypervisorChoice,
        vcpus: u8,
    ) -> Result<(Selection, Probe)> {
        let probe = vmm::choose(self.config.accelerator, self.paths.data_dir());
        let selected = vmm::select(
            choice,
            vcpus,
            &probe,
            self.paths.data_dir(),
            self.config.firecracker.as_deref(),
        )
        .await?;
        Ok((selected, probe))
    }

    /// The driver of the hypervisor that a machine runs under, or ran under last.
    pub(super) fn driver_of(&self, row: &MachineRow) -> Result<Box<dyn Vmm>> {
        let ran = row.vmm.as_ref().and_then(|word| word.parse().ok());
        self.driver(ran.unwrap_or(Hypervisor::Qemu))
    }

    /// The driver of a hypervisor that is installed here.
    pub(super) fn driver(&self, hypervisor: Hypervisor) -> Result<Box<dyn Vmm>> {
        let program = self.config.firecracker.as_deref();
        Ok(vmm::driver(hypervisor, self.paths.data_dir(), program)?)
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

impl Rooms {
    /// The user that the machine's hypervisor is contained as, if it is contained.
    fn owner(&self, id: &MachineId) -> Result<Option<Owner>> {
        let ability = contain::Ability::look();
        if !contain::is_wanted(self.config.contain, &ability).map_err(vmm::Error::from)? {
            return Ok(None);
        }
        let preferred = Owner::preferred(&id.to_string());
        let number = (self.store).owner(id, preferred, Owner::FIRST, Owner::COUNT)?;
        Ok(Some(Owner::new(number)))
    }
}

/// Refuses a kernel that cannot run a machine under the hypervisor.
fn check_kernel(kernel: &Kernel, hypervisor: Hypervisor) -> Result<()> {
    let needs = match hypervisor {
        Hypervisor::Qemu => Needs::Qemu,
        Hypervisor::Firecracker => Needs::Firecracker,
    };
    Ok(kernel.check(needs)?)
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
    // What was saved is loaded by what saved it.
    let choice = match restored.as_ref().and_then(saved_by) {
        Some(hypervisor) => HypervisorChoice::Only(hypervisor),
        None => rooms.hypervisor_choice(&row),
    };
    let (selected, probe) = rooms.select_hypervisor(choice, row.spec.vcpus).await?;
    check_kernel(&kernel, selected.hypervisor)?;
    let vmm = selected.driver;
    tracing::debug!(vmm = vmm.name(), why = %selected.reason, "the hypervisor is chosen");
    let accelerator = probe.accelerator;
    let plan = rooms.network_plan(&row).await?.map(|(_, machine)| machine);
    let spec = LaunchSpec {
        machine: row.id.to_string(),
        kernel: match vmm.kernel_form() {
            KernelForm::BzImage => kernel.bzimage(),
            KernelForm::Elf => kernel.elf(),
        },
        initramfs: rooms.paths.initramfs(&row.id),
        command_line: vmm::command_line::command_line(
            selected.hypervisor,
            accelerator,
            probe.tsc_khz,
        ),
        disks: match &restored {
            Some(snapshot) => disks_as_before(operation, snapshot)?,
            None => disks(rooms, &row.id, &kernel)?,
        },
        restore: restored.map(|snapshot| vmm::Restore {
            folder: rooms.paths.snapshot(&snapshot.id),
            is_last: snapshot.passing,
        }),
        taps: plan
            .iter()
            .map(|p| vmm::Tap {
                name: p.tap.clone(),
                mac: p.mac.to_string(),
                mtu: u16::try_from(p.mtu).ok().filter(|mtu| *mtu > 0),
            })
            .collect(),
        namespace: plan.as_ref().map(MachinePlan::namespace_path),
        vcpus: row.spec.vcpus,
        iops: row.spec.limits.iops,
        memory: row.spec.memory,
        huge_pages: rooms.config.huge_pages,
        console: rooms.paths.console(&row.id),
        run_dir: rooms.paths.run(&row.id),
        accelerator,
        owner: rooms.owner(&row.id)?,
    };
    // Before there is a process: whoever finds one that was not written down knows how to speak to it.
    rooms
        .store
        .set_vmm(&row.id, vmm.name(), accelerator.as_str())?;
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
    // A guest may come to its end before its hypervisor has said that it runs; then its own words say more.
    let early = |error: vmm::Error| match (&error, console::last_words(&spec.console)) {
        (vmm::Error::Ended { .. }, words @ Some(_)) => Error::Died(words).into(),
        _ => crate::error::Error::from(error),
    };
    let mut launched = vmm.launch(&spec, &born).await;
    if let Err(vmm::Error::Contain(why)) = &launched
        && rooms.config.contain == contain::Choice::Auto
    {
        // What a host may have against it is not all to be seen beforehand.
        let why = crate::error::Error::report_of(why);
        operation.progress.note(format!(
            "the hypervisor of machine {} is not contained: {why}",
            row.name
        ));
        let free = LaunchSpec {
            owner: None,
            ..spec.clone()
        };
        launched = vmm.launch(&free, &born).await;
    }
    launched.map_err(early)?;
    rooms
        .store
        .set_started(&row.id, vmm.name(), accelerator.as_str(), &store::now())?;
    Ok(())
}
