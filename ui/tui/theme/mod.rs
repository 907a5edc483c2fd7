//! Themes: named styles, from TOML files, fitted to what the terminal can show.

mod depth;

pub(crate) use depth::Depth;
