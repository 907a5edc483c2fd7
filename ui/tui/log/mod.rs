//! The boot log of a machine, however large, as it grows.
