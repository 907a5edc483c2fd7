//! From a name to a bootable disk.
pub mod ext4;
pub mod archive;
pub mod layer;
