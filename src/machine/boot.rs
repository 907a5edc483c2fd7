//! The steps from a disk to a guest that answers. Deploy and start share them.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use super::console::{self, Console};
use super::journal::Operation;
use super::{Error, Rooms};
use crate::error::Result;
use crate::guest::kernel::{Kernel, Kernels};
use crate::guest::{self, initramfs, words};
use crate::image::ImageConfig;
use crate::network::{self, MachinePlan, NetworkPlan};
use crate::store;
use crate::store::machines::{MachineRow, ProcessRow};
use crate::store::volumes::{Role, VolumeRow};
use crate::value::MachineId;
use crate::vmm::{self, LaunchSpec};

/// Serial number of the disk that holds the kernel's modules.
const MODULES_SERIAL: &str = "modules";

impl Rooms {
    /// What every guest boots from must be there: the program that runs inside it, and a kernel. Looked at before
    /// anything is fetched or made.
    pub(super) fn check_boot_parts(&self) -> Result<()> {
        if !self.guest_program.is_file() {
            return Err(Error::NoGuestProgram(self.guest_program.clone()).into());
        }
        self.kernel().map(drop)
    }

    /// The kernel that guests boot.
    fn kernel(&self) -> Result<Kernel> {
        let kernels = Kernels::new(self.paths.data_dir());
        Ok(kernels.current().ok_or(Error::NoKernel)?)
    }

    /// What the machine's network and its place in it are made of; nothing for a machine without one.
    pub(super) async fn network_plan(
        &self,
        row: &MachineRow,
    ) -> Result<Option<(NetworkPlan, MachinePlan)>> {
        let (Some(name), Some(ip)) = (&row.network, row.ip) else {
            return Ok(None);
        };
        let network = self.store.network(name)?;
        let uplink = self.config.uplink.as_deref();
        let mtu = self.home.uplink_mtu(uplink).await?;
        let network = network::plan_network(&network, mtu, uplink);
        let machine = network::plan_machine(&row.id, &network, ip, network::mac_for(ip));
        Ok(Some((network, machine)))
    }
}

/// What an application image runs, from its configuration (OCI image-spec, config.md). None for an image whose
/// command is an init, which boots as an OS, and for one without a command: its machine is there for who enters it.
pub(super) fn command(config: &ImageConfig) -> Option<words::Command> {
    const INITS: [&str; 3] = [
        "/sbin/init",
        "/lib/systemd/systemd",
        "/usr/lib/systemd/systemd",
    ];
    let argv: Vec<String> = config
        .entrypoint
        .iter()
        .chain(&config.cmd)
        .cloned()
        .collect();
    if argv
        .first()
        .is_none_or(|program| INITS.contains(&program.as_str()))
    {
        return None;
    }
    Some(words::Command {
        argv,
        env: config.env.clone(),
        cwd: config.workdir.clone().unwrap_or_else(|| "/".into()),
        user: config.user.clone().unwrap_or_default(),
        stop_signal: config.stop_signal.unwrap_or(nix::libc::SIGTERM),
        instead_of_init: true,
        restart: words::Restart::OnFailure,
    })
}

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
    let kernel = rooms.kernel()?;
    let shared = initramfs::shared(&kernel, &rooms.guest_program)?;
    let config = guest_config(rooms, &row, &kernel).await?;
    let out = rooms.paths.initramfs(&row.id);
    initramfs::write(&shared, &config, &out)?;
    Ok(())
}

async fn guest_config(rooms: &Rooms, row: &MachineRow, kernel: &Kernel) -> Result<words::Config> {
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
            dns: rooms.home.name_servers().await?,
            search: Vec::new(),
            mtu: plan.mtu,
        }),
        None => None,
    };
    let volumes = rooms.store.volumes_of(&row.id)?;
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
    Ok(words::Config {
        hostname: row.name.to_string(),
        network,
        authorized_keys: vec![keys.public_line.clone()],
        host_key: host_key(rooms, row)?,
        root: place(0),
        volumes: mounts.collect(),
        modules: disk(MODULES_SERIAL).map(place),
        hosts: Vec::new(),
        command: row.spec.command.clone(),
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

/// The machine's disks in the order in which the guest sees them: root, data volumes, kernel modules.
fn disks(rooms: &Rooms, id: &MachineId, kernel: &Kernel) -> Result<Vec<vmm::Disk>> {
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

/// A disk's serial number; virtio-blk has room for 20 bytes (VIRTIO 1.2 §5.2.6).
fn serial(volume: &VolumeRow) -> String {
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
    }
    Ok(())
}

/// Starts the hypervisor and writes down which process it is.
pub(super) async fn launch(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let kernel = rooms.kernel()?;
    let probe = vmm::choose(rooms.config.accelerator, rooms.paths.data_dir());
    let accelerator = probe.accelerator;
    let plan = rooms.network_plan(&row).await?.map(|(_, machine)| machine);
    let spec = LaunchSpec {
        machine: row.id.to_string(),
        kernel: kernel.bzimage(),
        initramfs: rooms.paths.initramfs(&row.id),
        command_line: vmm::command_line::command_line(accelerator, probe.tsc_khz),
        disks: disks(rooms, &row.id, &kernel)?,
        taps: plan
            .iter()
            .map(|p| vmm::Tap {
                name: p.tap.clone(),
                mac: p.mac.to_string(),
            })
            .collect(),
        namespace: plan.as_ref().map(MachinePlan::namespace_path),
        vcpus: row.spec.vcpus,
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

/// Waits until the guest answers over SSH, its hypervisor ends, time runs out, or the user gives up.
pub(super) async fn await_guest(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    if !operation.no_wait {
        let limit = rooms.config.ssh_timeout;
        let process = super::stop::process(&row);
        tokio::select! {
            biased;
            () = operation.cancel.cancelled() => return Err(Error::Cancelled.into()),
            () = ended(process) => {
                let why = console::last_words(&rooms.paths.console(&row.id));
                return Err(Error::Died(why).into());
            }
            answered = answers(rooms, &row) => answered?,
            () = tokio::time::sleep(limit) => return Err(Error::Silent(limit.as_secs()).into()),
        }
    }
    Ok(())
}

/// Comes back when the hypervisor has ended; at once when nobody knows which process it is.
async fn ended(process: Option<vmm::Process>) {
    if let Some(process) = process {
        // One that cannot be watched is left to the clock.
        if process.wait_exit().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Comes back when the guest's SSH server has handed over to the image's init. Attempts follow what the guest writes
/// to its console: a network that is not up yet does not answer, and says nothing of when to ask again.
async fn answers(rooms: &Rooms, row: &MachineRow) -> Result<()> {
    const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
    let mut console = Console::open(rooms.paths.console(&row.id))?;
    let mut seen = Vec::new();
    let line = words::READY_LINE.as_bytes();
    loop {
        seen.extend(console.read()?);
        let listening = seen.windows(line.len()).any(|window| window == line);
        if listening && rooms.ask_ready(row).await.is_ok() {
            return Ok(());
        }
        seen.drain(
            ..if listening {
                0
            } else {
                seen.len().saturating_sub(line.len())
            },
        );
        tokio::select! {
            grown = console.grown() => grown?,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
