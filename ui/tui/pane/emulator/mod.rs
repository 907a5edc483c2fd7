//! A terminal emulator: bytes of a guest in, a grid of cells out.
