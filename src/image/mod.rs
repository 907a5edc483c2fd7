//! From a name to a bootable disk.
pub mod ext4;
