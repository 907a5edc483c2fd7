//! What of a line is written down, so that it comes back: nothing that may be a secret.

use sistemo::value::without_secrets;

use super::words;

/// A line as it may be written down: addresses without what is secret in them, and nothing that a program in a machine is
/// given. `None` for one that sets variables, whose values may be secrets.
pub(in super::super) fn noted(line: &str) -> Option<String> {
    let words = words(line).ok()?;
    let mut own = words.iter().skip(1);
    if own.any(|word| word == "--env" || word.starts_with("--env=") || word.starts_with("-e")) {
        return None;
    }
    let end = words.iter().position(|word| word == "--");
    let end = end.map_or(words.len(), |end| end + 1);
    let kept: Vec<String> = words[..end]
        .iter()
        .map(|word| without_secrets(word))
        .collect();
    if kept == words {
        return Some(line.into());
    }
    shlex::try_join(kept.iter().skip(1).map(String::as_str)).ok()
}
