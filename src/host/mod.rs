//! This computer: the programs it has, and how it gets those it lacks.

pub mod command;
pub mod doctor;
pub mod packages;
pub mod setup;
pub mod tap;
