//! What the engine holds: one reading of all of it.

use sistemo::image::Image;
use sistemo::machine::{Machine, Network, Snapshot};
use sistemo::store::history::HistoryRow;
use sistemo::volume::Volume;

/// One reading of everything that the engine holds. Lists are in the engine's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// The number of the reading.
    pub(crate) reading: u64,
    /// Whether anything was read yet.
    pub(crate) is_known: bool,
    /// Why the last attempt to read it failed.
    pub(crate) trouble: Option<String>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) images: Vec<Image>,
    pub(crate) networks: Vec<Network>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// The newest first.
    pub(crate) history: Vec<HistoryRow>,
}

impl World {
    /// A machine by its identifier or name.
    pub(crate) fn machine(&self, text: &str) -> Option<&Machine> {
        let known = |machine: &&Machine| machine.id == text || machine.name == text;
        self.machines.iter().find(known)
    }

    pub(crate) fn volume(&self, text: &str) -> Option<&Volume> {
        let known = |volume: &&Volume| volume.id == text || volume.name == text;
        self.volumes.iter().find(known)
    }

    pub(crate) fn image(&self, text: &str) -> Option<&Image> {
        let known =
            |image: &&Image| image.digest == text || image.names.iter().any(|name| name == text);
        self.images.iter().find(known)
    }

    /// The snapshots of a machine, by its identifier; the oldest first.
    pub(crate) fn snapshots_of(&self, machine: &str) -> impl Iterator<Item = &Snapshot> {
        let of = move |snapshot: &&Snapshot| snapshot.machine_id == machine;
        self.snapshots.iter().filter(of)
    }

    pub(crate) fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }
}
