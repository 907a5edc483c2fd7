//! Which theme is shown, and what has to be known to show another.

use std::path::PathBuf;

use crate::tui::theme::{Choice, Depth, Glyphs, Kind, Theme, ThemeError};

/// What themes are loaded by.
#[derive(Clone, Debug)]
pub(crate) struct Themes {
    pub(crate) depth: Depth,
    pub(crate) glyphs: &'static Glyphs,
    /// Folders with the user's own.
    pub(crate) folders: Vec<PathBuf>,
    /// Whether the terminal is dark or light, as far as it said.
    pub(crate) background: Kind,
}

impl Themes {
    /// The theme that a setting means: `auto`, a name, or `DARK/LIGHT`.
    pub(crate) fn load(&self, setting: &str) -> Result<Theme, ThemeError> {
        let choice = Choice::parse(setting);
        let theme = Theme::load(choice.name(self.background), self.depth, &self.folders)?;
        Ok(theme.with_glyphs(self.glyphs))
    }

    /// The same, or where there is none like it the default, and why.
    pub(crate) fn load_or_default(&self, setting: &str) -> (Theme, Option<ThemeError>) {
        let choice = Choice::parse(setting);
        let name = choice.name(self.background);
        let (theme, wrong) = Theme::load_or_default(name, self.depth, &self.folders);
        (theme.with_glyphs(self.glyphs), wrong)
    }
}
