//! Hypervisors.
pub mod accelerator;
pub mod process;
pub mod tsc;
