//! What the console remembers from one time to the next: the file `console.json` in the data directory.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE: &str = "console.json";
/// Where a file goes that cannot be read.
const BROKEN: &str = "console.json.broken";
/// How many lines of the palette are kept.
const LINES: usize = 100;

/// What is remembered. What an older or newer console wrote and this one does not know is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remembered {
    /// The view, as [`settings::word`](crate::tui::settings::word) has it.
    pub(crate) view: Option<String>,
    /// By view: the column that it is sorted by.
    pub(crate) sort: BTreeMap<String, Sort>,
    pub(crate) log: Log,
    /// The layout of the shells, as they write it.
    pub(crate) panes: serde_json::Value,
    /// What was done from the palette, the newest last.
    pub(crate) palette: Vec<String>,
}

/// How a list is sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sort {
    pub(crate) column: String,
    #[serde(default)]
    pub(crate) reverse: bool,
}

/// How boot logs are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Log {
    pub(crate) wrap: bool,
    pub(crate) timestamps: bool,
}

impl Remembered {
    /// What is in the data directory; nothing where nothing is. A file that cannot be read is put aside, and said.
    pub(crate) fn load(data_dir: &Path) -> (Remembered, Option<String>) {
        let path = data_dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return (Remembered::default(), None);
            }
            Err(error) => {
                let said = format!(
                    "what the console remembers cannot be read from {}: {error}",
                    path.display()
                );
                return (Remembered::default(), Some(said));
            }
        };
        let error = match serde_json::from_slice(&text) {
            Ok(remembered) => return (remembered, None),
            Err(error) => error,
        };
        let moved = std::fs::rename(&path, data_dir.join(BROKEN));
        let kept = match moved {
            Ok(()) => format!("; it is {BROKEN} now"),
            Err(_) => String::new(),
        };
        let said = format!(
            "what the console remembers is broken ({}: {error}){kept}",
            path.display()
        );
        (Remembered::default(), Some(said))
    }

    /// Writes it down whole or not at all. Only its user can read it: lines of the palette may hold anything.
    pub(crate) fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        // Temporary files are their user's alone, and stay so.
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(data_dir.join(FILE))
            .map_err(|error| error.error)?;
        Ok(())
    }

    /// Notes a line of the palette as the newest.
    pub(crate) fn note(&mut self, line: &str) {
        self.palette.retain(|known| known != line);
        self.palette.push(line.into());
        let over = self.palette.len().saturating_sub(LINES);
        self.palette.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Remembered::load(dir.path()), (Remembered::default(), None));
        let mut remembered = Remembered {
            view: Some("volumes".into()),
            ..Remembered::default()
        };
        remembered.sort.insert(
            "machines".into(),
            Sort {
                column: "cpu".into(),
                reverse: true,
            },
        );
        remembered.panes = serde_json::json!({ "tabs": [1, 2] });
        remembered.log.wrap = true;
        remembered.note("machine stop web");
        remembered.write(dir.path()).unwrap();
        assert_eq!(Remembered::load(dir.path()), (remembered, None));
        let mode = std::fs::metadata(dir.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(FILE),
            r#"{"view": "images", "moods": 3, "log": {"wrap": true}}"#,
        )
        .unwrap();
        let (remembered, said) = Remembered::load(dir.path());
        assert_eq!(remembered.view.as_deref(), Some("images"));
        assert!(remembered.log.wrap && !remembered.log.timestamps);
        assert_eq!(said, None);
    }

    #[test]
    fn a_broken_file_is_put_aside_and_said_once() {
        let dir = tempfile::tempdir().unwrap();
        for broken in ["{\"view\": 7}", "{", "\u{0}\u{0}"] {
            std::fs::write(dir.path().join(FILE), broken).unwrap();
            let (remembered, said) = Remembered::load(dir.path());
            assert_eq!(remembered, Remembered::default());
            assert!(said.unwrap().ends_with("; it is console.json.broken now"));
            assert_eq!(
                std::fs::read_to_string(dir.path().join(BROKEN)).unwrap(),
                broken
            );
            assert_eq!(Remembered::load(dir.path()), (Remembered::default(), None));
        }
    }

    #[test]
    fn the_newest_lines_are_kept_each_once() {
        let mut remembered = Remembered::default();
        for line in 0..=LINES {
            remembered.note(&line.to_string());
        }
        remembered.note("5");
        assert_eq!(remembered.palette.len(), LINES);
        assert_eq!(remembered.palette.last().unwrap(), "5");
        assert_eq!(remembered.palette.first().unwrap(), "1");
        assert_eq!(
            remembered
                .palette
                .iter()
                .filter(|line| *line == "5")
                .count(),
            1
        );
    }
}
