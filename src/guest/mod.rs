//! What the host hands to a guest (kernel, initramfs, configuration) and the SSH client that talks to it.
//!
//! Knows nothing of machines, volumes or networks: it is given paths, keys and connected sockets.

pub mod client;
pub mod initramfs;
pub mod kernel;
pub mod keys;
pub mod words;
