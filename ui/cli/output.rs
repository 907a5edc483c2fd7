//! Tables, details and JSON.

use std::io::Write;

use serde::Serialize;
use tabwriter::TabWriter;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: keys in snake_case, sizes in bytes, times in RFC 3339 UTC.
    Json,
}

/// Writes to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to stderr. Nobody listening there (`2>&1 | head`) is no failure either, where `eprintln!` would panic.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a value as JSON.
pub(crate) fn json(value: &impl Serialize) {
    // Values are plain structs with string keys, which always have a JSON form.
    match serde_json::to_string_pretty(value) {
        Ok(text) => say(&format!("{text}\n")),
        Err(error) => complain(&format!("error: no JSON for this: {error}\n")),
    }
}

/// Writes the things that a command of `asked` names made or changed as JSON: one name gives one thing, several give a
/// list. Nothing in other formats.
pub(crate) fn things<T: Serialize>(format: Format, asked: usize, things: &[T]) {
    match (format, asked, things) {
        (Format::Table, ..) | (Format::Json, 1, []) => {}
        (Format::Json, 1, [thing, ..]) => json(thing),
        (Format::Json, ..) => json(&things),
    }
}

/// Rows under headings, columns two spaces apart, as `docker` and `kubectl` write them. Lines are never wrapped: a row
/// is a line to the tools it is piped to.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let cell = |cell: String| if cell.is_empty() { "-".into() } else { cell };
    let mut writer = TabWriter::new(Vec::new()).padding(2);
    // Writing to memory cannot fail.
    let _ = writeln!(writer, "{}", headings.join("\t"));
    for row in rows {
        let row: Vec<String> = row.into_iter().map(cell).collect();
        let _ = writeln!(writer, "{}", row.join("\t"));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `KEY  value` lines; a value of several lines is indented under its key. Empty values are left out.
pub(crate) fn details(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        for (number, line) in value.lines().enumerate() {
            let key = if number == 0 { key } else { "" };
            text += format!("{key:width$}  {line}").trim_end();
            text.push('\n');
        }
    }
    text
}

/// Words in one line, quoted where a shell would need it.
pub(crate) fn words<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let words = words.map(String::as_str);
    // Only a zero byte cannot be quoted, and no program has one in its arguments.
    shlex::try_join(words).unwrap_or_default()
}

/// How long ago a time was, in its largest unit: `42s`, `7m`, `3h`, `12d`.
pub(crate) fn age(since: &str) -> String {
    let Ok(then) = since.parse::<jiff::Timestamp>() else {
        return String::new();
    };
    since_then(then, jiff::Timestamp::now())
}

/// The same of a time that is known, at another.
pub(crate) fn since_then(then: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_a_line_per_row_without_trailing_blanks() {
        let text = table(
            &["NAME", "STATUS", "IP"],
            vec![
                vec!["web".into(), "running".into(), "10.200.0.2".into()],
                vec!["a-much-longer-name".into(), "stopped".into(), String::new()],
            ],
        );
        insta::assert_snapshot!(text, @r"
        NAME                STATUS   IP
        web                 running  10.200.0.2
        a-much-longer-name  stopped  -
        ");
    }

    #[test]
    fn details_line_up_and_leave_out_what_is_empty() {
        let pairs = [
            ("Name", "web".to_string()),
            ("Failure", String::new()),
            ("Volumes", "a\nb".to_string()),
        ];
        insta::assert_snapshot!(details(&pairs), @r"
        Name     web
        Volumes  a
                 b
        ");
    }
}
