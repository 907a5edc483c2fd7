//! Pictures of the console for its users, from real engine state, kept in `screenshots/` and compared on every run.

mod ink;
mod shapes;
mod svg;
