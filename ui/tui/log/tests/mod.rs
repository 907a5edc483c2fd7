//! A boot log on a screen: real files, the real worker, drawn into a buffer.

mod events;
mod large;
mod pictures;
mod random;
mod screen;
