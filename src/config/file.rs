//! A file of settings: read with the line that each stands in, and written with everything else in it left as it is.

use std::io::{ErrorKind, Write};
use std::path::Path;

use toml_edit::{Array, Document, DocumentMut, Item, Value};

use super::Error;

/// The setting that is a list.
const LIST: &str = "registry_mirrors";

/// A setting as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The value as text; the items of a list are joined by commas. None for what is no single value, such as a table.
    pub(super) value: Option<String>,
    /// Counted from 1.
    pub(super) line: usize,
}

/// The settings of a file; none of one that is not there.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let text = text_of(path)?;
    let document = Document::parse(text.as_str()).map_err(|source| Error::Toml {
        path: path.into(),
        source: Box::new(source),
    })?;
    let line = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
    let entry = |(key, item): (&str, &Item)| {
        let span = document.key(key).and_then(toml_edit::Key::span);
        Entry {
            key: key.into(),
            value: as_text(item),
            line: line(span.map_or(0, |span| span.start)),
        }
    };
    Ok(document.iter().map(entry).collect())
}

/// Sets a key, or without a value takes it out. Comments, order and the other keys stay.
pub(super) fn write(path: &Path, key: &str, value: Option<&str>) -> Result<(), Error> {
    let mut document: DocumentMut =
        text_of(path)?
            .parse()
            .map_err(|source: toml_edit::TomlError| Error::Toml {
                path: path.into(),
                source: Box::new(source),
            })?;
    match value {
        Some(value) => document[key] = Item::Value(from_text(key, value)),
        None => drop(document.remove(key)),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let place = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(document.to_string().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    place().map(drop).map_err(|source| Error::Write {
        path: path.into(),
        source,
    })
}

fn text_of(path: &Path) -> Result<String, Error> {
    match std::fs::read_to_string(path) {
        // A data directory that is a file is for whoever makes it to say.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        outcome => outcome.map_err(|source| Error::Read {
            path: path.into(),
            source,
        }),
    }
}

fn as_text(item: &Item) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Boolean(truth) => Some(truth.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Datetime(time) => Some(time.value().to_string()),
        Value::Array(_) | Value::InlineTable(_) => None,
    };
    match item.as_value()? {
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(plain).collect();
            Some(items?.join(","))
        }
        value => plain(value),
    }
}

/// What is read again as it was: a number where it is written as one, a list where one is wanted, all else as text.
fn from_text(key: &str, text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ if key == LIST => text.split(',').map(str::trim).collect::<Array>().into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_set_and_taken_out_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let text = "# mine\ndefault_memory = \"1G\" # enough\n\nmax_vcpus = 8\n";
        std::fs::write(&path, text).unwrap();
        write(&path, "default_vcpus", Some("4")).unwrap();
        write(&path, "max_vcpus", Some("16")).unwrap();
        write(&path, "registry_mirrors", Some("one.example, two.example")).unwrap();
        let now = std::fs::read_to_string(&path).unwrap();
        assert!(
            now.starts_with("# mine\ndefault_memory = \"1G\" # enough\n"),
            "{now}"
        );
        let entry = |key: &str| {
            let entries = read(&path).unwrap();
            let found = entries.into_iter().find(|entry| entry.key == key);
            found.map(|entry| (entry.value.unwrap(), entry.line))
        };
        assert_eq!(entry("default_memory").unwrap(), ("1G".into(), 2));
        assert_eq!(entry("max_vcpus").unwrap(), ("16".into(), 4));
        assert_eq!(entry("default_vcpus").unwrap().0, "4");
        assert_eq!(
            entry("registry_mirrors").unwrap().0,
            "one.example,two.example"
        );
        // Written so that it is read as it was.
        for text in ["010", "+5", "/a, b", "true", "1.50", " x "] {
            write(&path, "uplink", Some(text)).unwrap();
            assert_eq!(entry("uplink").unwrap().0, text);
        }
        write(&path, "max_vcpus", None).unwrap();
        assert_eq!(entry("max_vcpus"), None);
        assert!(read(&dir.path().join("none")).unwrap().is_empty());
    }
}
