//! Deploy: from an image, or a root volume, to a running machine.

use tokio_util::sync::CancellationToken;

use super::application::{self, Wishes};
use super::fault::fault;
use super::journal::Operation;
use super::lock::Lock;
use super::reserve::Source;
use super::{Error, Machine, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::guest::words::Restart;
use crate::store::machines::{Limits, Spec};
use crate::store::operations::OperationKind;
use crate::value::{ByteSize, MachineId, Name, PortMapping, without_secrets};
use crate::vmm::{Hypervisor, HypervisorChoice};
use crate::volume::Attachment;

/// The least memory that a kernel with an init starts in.
pub const LEAST_MEMORY: ByteSize = ByteSize::mib(128);
/// The largest root disk: what ext4 with 4 KiB blocks and 32-bit block numbers holds.
pub const MOST_STORAGE: ByteSize = ByteSize::gib(16 << 10);

/// What is asked for. Absent values come from the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// An image reference, or none when `volume` says what to boot.
    pub image: Option<String>,
    /// By default from the image, with `-2`, `-3` … when taken.
    pub name: Option<Name>,
    pub vcpus: Option<u8>,
    pub memory: Option<ByteSize>,
    /// Size of the root disk; never smaller than the image.
    pub storage: Option<ByteSize>,
    /// Megabits per second, each way; 0 for no limit.
    pub bandwidth_mbps: Option<u32>,
    /// Reads and writes per second; 0 for no limit.
    pub iops: Option<u32>,
    /// What it runs under, now and whenever it is started; when absent the setting says, at each start.
    pub vmm: Option<Hypervisor>,
    /// An existing root volume to boot.
    pub volume: Option<String>,
    /// What its application is told otherwise than the image says.
    pub application: Wishes,
    /// When it is started again after it ended by itself; by default an application when it failed, an OS never.
    pub restart: Option<Restart>,
    /// Ports of the host that are to lead into it.
    pub expose: Vec<PortMapping>,
    /// The network that it is on; the default one when absent.
    pub network: Option<Name>,
    /// Data volumes to mount.
    pub attach: Vec<Attachment>,
    /// Whether to come back before the guest answers.
    pub no_wait: bool,
}

impl Machines {
    /// Deploys a machine and waits until its guest answers. What fails, and what is cancelled, is undone.
    pub async fn deploy(
        &self,
        request: &Request,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (vcpus, memory, storage) = self.check(request).await?;
        // The image's disk stays until the machine has its own, or has not.
        let (source, _using) = match (&request.image, &request.volume) {
            (Some(image), None) => {
                progress.step(format!("finding the image {}", without_secrets(image)));
                let found = rooms.images.resolve_to_use(image, progress, cancel).await?;
                (Source::Image(Box::new(found.0)), Some(found.1))
            }
            (None, Some(volume)) => (rooms.free_root(volume)?, None),
            (None, None) => return Err(Error::NothingToBoot.into()),
            (Some(_), Some(_)) => return Err(Error::TwoToBoot.into()),
        };
        let config = source.config();
        let mut command = application::command(config, &request.application)?;
        let restart = request.restart.unwrap_or(match &command {
            Some(command) => command.restart,
            None => Restart::No,
        });
        // Inside the guest the same holds for the application itself.
        if let Some(command) = &mut command {
            command.restart = restart;
        }
        let spec = Spec {
            vcpus,
            memory,
            command,
            exposed: config.map_or_else(Vec::new, |config| config.exposed_ports.clone()),
            restart,
            limits: rooms.limits(request),
            vmm: request.vmm.map(|vmm| vmm.to_string()),
        };
        let id = MachineId::new();
        let network = rooms.network_for(request.network.as_ref()).await?;
        let lock = Lock::found(rooms, &id, "deploy")?;
        let reserved = rooms.reserve(id, request, &source, spec, storage, network);
        fault("reserve", "after")?;
        let (row, detail) = match reserved {
            Ok(reserved) => reserved,
            Err(error) => {
                lock.retire()?;
                return Err(error);
            }
        };
        let operation = Operation {
            rooms,
            machine: id,
            name: row.name.clone(),
            kind: OperationKind::Deploy,
            detail,
            progress,
            cancel,
            no_wait: request.no_wait,
        };
        self.make(operation, "deploy", lock).await
    }

    /// Runs an operation that makes a machine. Its lock is held; nothing is there but what is reserved.
    pub(super) async fn make(
        &self,
        operation: Operation<'_>,
        action: &'static str,
        lock: Lock,
    ) -> Result<Machine> {
        let (rooms, id) = (operation.rooms, operation.machine);
        let begun = std::time::Instant::now();
        let outcome = operation.run().await;
        rooms.note_history("machine", action, &operation.name, begun, &outcome);
        if let Err(error) = outcome {
            if rooms.store.machine(&id)?.is_none() {
                lock.retire()?;
            }
            return Err(error);
        }
        rooms.bury_finished(&id, &lock, operation.progress).await?;
        self.show(&id.to_string())
    }
}

impl Machines {
    /// Refuses what can be refused before anything is fetched or made. Comes back with what it is to have.
    async fn check(&self, request: &Request) -> Result<(u8, ByteSize, ByteSize)> {
        let rooms = &*self.0;
        let resources = rooms.check_resources(request)?;
        request.application.check()?;
        if let Some(name) = &request.name {
            rooms.check_free(name, request.volume.is_some())?;
        }
        if let Some(name) = &request.network {
            // One that is not there is said before anything is fetched.
            self.network(name.as_str())?;
        }
        rooms.refuse_ports(&request.expose).await?;
        for attachment in &request.attach {
            rooms.free_data(attachment)?;
        }
        match (&request.image, &request.volume) {
            (Some(_), None) => {}
            (None, Some(volume)) => drop(rooms.free_root(volume)?),
            (None, None) => return Err(Error::NothingToBoot.into()),
            (Some(_), Some(_)) => return Err(Error::TwoToBoot.into()),
        }
        // Last: it asks for a probe of KVM, whose answer is remembered.
        let asked = request.vmm.map_or(rooms.config.vmm, HypervisorChoice::Only);
        rooms.check_boot_parts(asked, resources.0).await?;
        Ok(resources)
    }

    /// Says beforehand why a deploy would be refused as things are, as far as that is known without fetching anything.
    pub async fn check_deploy(&self, request: &Request) -> Result<()> {
        self.check(request).await.map(drop)
    }
}

impl Rooms {
    fn limits(&self, request: &Request) -> Limits {
        let limit =
            |asked: Option<u32>, default| Some(asked.unwrap_or(default)).filter(|most| *most > 0);
        Limits {
            bandwidth_mbps: limit(request.bandwidth_mbps, self.config.bandwidth_mbps),
            iops: limit(request.iops, self.config.iops),
        }
    }

    fn check_resources(&self, request: &Request) -> Result<(u8, ByteSize, ByteSize)> {
        let config = &self.config;
        let vcpus = request.vcpus.unwrap_or(config.default_vcpus);
        if vcpus == 0 || vcpus > config.max_vcpus {
            return Err(Error::Vcpus {
                asked: vcpus,
                most: config.max_vcpus,
            }
            .into());
        }
        let host = crate::host::memory()?;
        let memory = request.memory.unwrap_or(config.default_memory);
        let most = config.max_memory.unwrap_or(host.total);
        if memory < LEAST_MEMORY || memory > most {
            return Err(Error::Memory {
                asked: memory,
                least: LEAST_MEMORY,
                most,
            }
            .into());
        }
        if memory > host.available {
            return Err(Error::MemoryShort {
                asked: memory,
                free: host.available,
            }
            .into());
        }
        let storage = request.storage.unwrap_or(config.default_storage);
        if storage > MOST_STORAGE {
            return Err(Error::Storage {
                asked: storage,
                most: MOST_STORAGE,
            }
            .into());
        }
        Ok((vcpus, memory, storage))
    }
}
