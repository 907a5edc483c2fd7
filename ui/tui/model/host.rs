//! What is known of this computer.

use sistemo::value::ByteSize;

/// This computer, for the header.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// `KVM` or `TCG`, once it is known.
    pub(crate) accelerator: Option<String>,
    pub(crate) processors: usize,
    /// How busy they are, all of them together: 0 to 100.
    pub(crate) busy_percent: Option<f64>,
    /// In all, and available.
    pub(crate) memory: Option<(ByteSize, ByteSize)>,
    /// Of the disk that the data directory is on: in all, and free.
    pub(crate) disk: Option<(ByteSize, ByteSize)>,
    /// What this computer lacks before machines can run, in words; empty when nothing.
    pub(crate) lacks: Vec<String>,
    /// The process that watches over machines, if one does.
    pub(crate) supervisor: Option<u32>,
}
