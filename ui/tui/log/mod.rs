//! The boot log of a machine, however large, as it grows.

mod census;
mod chunk;
mod colours;
mod errors;
mod pages;
mod pattern;
mod shape;
mod shown;
mod source;
mod state;
mod strip;
