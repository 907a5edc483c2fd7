//! Themes by name: where they are found, and what they inherit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builtin::THEMES;
use super::error::{Place, ThemeError, did_you_mean};
use super::names;
use super::sheet::{One, Sheet};

const SUFFIX: &str = "toml";

/// A theme as it was found.
pub(super) struct Source {
    name: String,
    /// What to call it when something is wrong.
    pub(super) label: Arc<str>,
    pub(super) text: String,
    is_built_in: bool,
}

/// Reads a theme with all that it inherits.
pub(super) fn gather(name: &str, dirs: &[PathBuf]) -> Result<Sheet, ThemeError> {
    let mut line: Vec<One> = Vec::new();
    let (mut wanted, mut asked_at) = (name.to_owned(), None::<Place>);
    loop {
        let child = line.last().map(|one| &one.source);
        // The program's own build on nothing but each other, whatever users put in their place.
        let dirs = match child {
            Some(child) if child.is_built_in => &[],
            _ => dirs,
        };
        let mut found = sources(&wanted, dirs)?;
        if found.is_empty() {
            let error = unknown(&wanted, dirs);
            return Err(asked_at.map_or(error.clone(), |at| error.at(&at)));
        }
        // A theme may inherit the one that it takes the place of, as helix has it.
        if let Some(child) = child.filter(|child| child.name == wanted) {
            let own = found.iter().position(|source| source.label == child.label);
            found.drain(..=own.unwrap_or(0));
        }
        let seen = |source: &Source| line.iter().any(|one| one.source.label == source.label);
        let source = found.into_iter().next().filter(|source| !seen(source));
        let Some(source) = source else {
            let what = format!("theme {wanted:?} inherits itself");
            let error = ThemeError::new(what, "take out one of the lines that say inherits");
            return Err(asked_at.map_or(error.clone(), |at| error.at(&at)));
        };
        let one = One::read(source)?;
        let parent = one.inherits.clone();
        line.push(one);
        match parent {
            Some((parent, at)) => (wanted, asked_at) = (parent, Some(at)),
            None => break,
        }
    }
    let mut sheet = Sheet::default();
    for one in line.into_iter().rev() {
        one.lay_over(&mut sheet);
    }
    Ok(sheet)
}

/// The names of themes in a folder; none of one that cannot be read.
pub(super) fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let name = |path: PathBuf| {
        let is_theme = path.extension().is_some_and(|suffix| suffix == SUFFIX);
        let name = path.file_stem()?.to_str()?.to_owned();
        (is_theme && is_plain(&name)).then_some(name)
    };
    entries.filter_map(|entry| name(entry.path())).collect()
}

/// Whether this is the name of a file and not a way to one.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

fn unknown(name: &str, dirs: &[PathBuf]) -> ThemeError {
    let names = names(dirs);
    ThemeError::new(
        format!("there is no theme {name:?}"),
        did_you_mean(name, names.iter().map(String::as_str), "the themes"),
    )
}

/// All themes of a name, in the order in which they take each other's place.
fn sources(name: &str, dirs: &[PathBuf]) -> Result<Vec<Source>, ThemeError> {
    let mut found = Vec::new();
    for dir in dirs.iter().filter(|_| is_plain(name)) {
        let path = dir.join(name).with_added_extension(SUFFIX);
        let label: Arc<str> = path.display().to_string().into();
        match std::fs::read_to_string(&path) {
            Ok(text) => found.push(Source {
                name: name.into(),
                label,
                text,
                is_built_in: false,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let place = Place {
                    file: label,
                    line: None,
                };
                let hint = "make the file readable text, or remove it";
                return Err(ThemeError::new(format!("cannot be read: {error}"), hint).at(&place));
            }
        }
    }
    let built_in = THEMES.iter().find(|(built_in, _)| *built_in == name);
    found.extend(built_in.map(|(name, text)| Source {
        name: (*name).into(),
        label: format!("theme {name:?}").into(),
        text: (*text).into(),
        is_built_in: true,
    }));
    Ok(found)
}
