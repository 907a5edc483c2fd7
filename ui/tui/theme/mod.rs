//! Themes: named styles, from TOML files, fitted to what the terminal can show.

mod builtin;
mod choice;
mod colour;
mod depth;
mod error;
mod gather;
mod glyphs;
mod resolve;
mod scope;
mod sheet;
mod sixteen;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ratatui::style::{Color, Style};

pub(crate) use choice::{Background, Choice, background};
pub(crate) use colour::{ANSI, indexed, rgb};
pub(crate) use depth::Depth;
pub(crate) use error::ThemeError;
pub(crate) use glyphs::Glyphs;

/// What the theme is when none is named and the terminal does not say whether it is dark.
pub(crate) const DEFAULT: &str = "default-dark";
/// The theme for terminals without colours: it says everything by weight, underlines and reversal.
const WITHOUT_COLOUR: &str = "monochrome";

/// Whether a theme, or a terminal, is light on dark or dark on light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Dark,
    Light,
}

/// Colours for what runs in panes, fitted to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestColors {
    /// [`Color::Reset`] where it is the terminal's own.
    pub(crate) foreground: Color,
    pub(crate) background: Color,
    /// The sixteen of ECMA-48 and aixterm, in the order of SGR 30 to 37 and 90 to 97.
    pub(crate) ansi: [Color; 16],
}

/// Named styles. Everything that the console draws gets its style from here.
#[derive(Clone, Debug)]
pub(crate) struct Theme {
    #[cfg(test)]
    name: String,
    #[cfg(test)]
    kind: Kind,
    depth: Depth,
    glyphs: &'static Glyphs,
    /// A style for every scope in [`scope::SCOPES`].
    styles: HashMap<&'static str, Style>,
    guest: GuestColors,
}

impl Theme {
    /// The theme of this name from the first of these folders that has it, else from the program itself. Its colours are
    /// fitted to `depth` once, here; without colours it is `monochrome`, whatever the name.
    pub(crate) fn load(name: &str, depth: Depth, dirs: &[PathBuf]) -> Result<Theme, ThemeError> {
        let (name, dirs) = match depth {
            Depth::None => (WITHOUT_COLOUR, &[][..]),
            _ => (name, dirs),
        };
        let sheet = gather::gather(name, dirs)?;
        Ok(Theme {
            #[cfg(test)]
            name: name.into(),
            #[cfg(test)]
            kind: sheet.kind,
            depth,
            glyphs: &glyphs::UNICODE,
            styles: resolve::styles(&sheet, depth)?,
            guest: resolve::guest(&sheet, depth)?,
        })
    }

    /// The theme of this name, or the default one and what is wrong with it: a theme keeps nobody out.
    pub(crate) fn load_or_default(
        name: &str,
        depth: Depth,
        dirs: &[PathBuf],
    ) -> (Theme, Option<ThemeError>) {
        match Theme::load(name, depth, dirs) {
            Ok(theme) => (theme, None),
            Err(error) => match Theme::load(DEFAULT, depth, &[]) {
                Ok(theme) => (theme, Some(error)),
                // The program's own are tested, so that this is for completeness only.
                Err(_) => (Theme::plain(), Some(error)),
            },
        }
    }

    /// Without any styles.
    fn plain() -> Theme {
        Theme {
            #[cfg(test)]
            name: WITHOUT_COLOUR.into(),
            #[cfg(test)]
            kind: Kind::Dark,
            depth: Depth::None,
            glyphs: &glyphs::UNICODE,
            styles: HashMap::new(),
            guest: GuestColors {
                foreground: Color::Reset,
                background: Color::Reset,
                ansi: [Color::Reset; 16],
            },
        }
    }

    /// The same theme, drawn with other signs.
    pub(crate) fn with_glyphs(self, glyphs: &'static Glyphs) -> Theme {
        Theme { glyphs, ..self }
    }

    /// The style of a scope; of its nearest known parent where there is no such scope, last of `text`.
    pub(crate) fn style(&self, scope: &str) -> Style {
        scope::with_parents(scope)
            .chain([scope::TEXT])
            .find_map(|scope| self.styles.get(scope))
            .copied()
            .unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(test)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn depth(&self) -> Depth {
        self.depth
    }

    pub(crate) fn glyphs(&self) -> &'static Glyphs {
        self.glyphs
    }

    /// Colours for what runs in panes.
    pub(crate) fn guest(&self) -> &GuestColors {
        &self.guest
    }
}

/// The names of all themes there are: the program's, then the user's own.
pub(crate) fn names(dirs: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = builtin::THEMES
        .iter()
        .map(|(name, _)| (*name).into())
        .collect();
    let mut own: Vec<String> = dirs.iter().flat_map(|dir| gather::names_in(dir)).collect();
    own.sort();
    own.dedup();
    own.retain(|name| !names.contains(name));
    names.extend(own);
    names
}

/// Where users keep themes: `$XDG_CONFIG_HOME/sistemo/themes`, or `~/.config/sistemo/themes` (XDG Base Directory
/// Specification 0.8, which has relative paths ignored).
pub(crate) fn dirs(environment: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let absolute = |path: String| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let own = environment("XDG_CONFIG_HOME").and_then(absolute);
    let home = || Some(environment("HOME").and_then(absolute)?.join(".config"));
    let folder = own.or_else(home);
    folder
        .map(|folder| folder.join(Path::new("sistemo/themes")))
        .into_iter()
        .collect()
}
