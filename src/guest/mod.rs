//! What the host hands to a guest (kernel, initramfs, configuration) and the clients that talk to it: SSH,
//! SFTP over it, copying over that, and orders.
//!
//! Knows nothing of machines, volumes or networks: it is given paths, keys and connected sockets.

pub mod client;
pub mod copy;
pub mod initramfs;
pub mod kernel;
pub mod keys;
pub mod orders;
pub mod sftp;
pub mod words;
