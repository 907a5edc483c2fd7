//! Embedded terminals into machines.

mod emulator;
