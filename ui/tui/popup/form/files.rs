//! Files of this computer, offered for a half-typed path.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::content::beginning;

/// How a path begins that is not a name.
const PATHS: [&str; 4] = ["/", "./", "../", "~/"];
/// The most files of a folder that are looked at: what is offered is a help, and not worth a wait.
const LOOKED_AT: usize = 1000;
/// The most that are offered.
const OFFERED: usize = 20;

/// What was offered last: a form is read anew whenever anything in the world changes, and a folder is not.
#[derive(Debug, Default)]
pub(super) struct Files(RefCell<(String, Vec<String>)>);

impl Files {
    /// What the folder of a half-typed path holds, as of when that was typed.
    pub(super) fn offers(&self, piece: &str) -> Vec<String> {
        let mut last = self.0.borrow_mut();
        if last.0 != piece || piece.is_empty() {
            *last = (piece.to_owned(), files(piece));
        }
        last.1.clone()
    }
}

/// Whether a text is a path.
pub(super) fn is_path(text: &str) -> bool {
    PATHS.iter().any(|begin| text.starts_with(begin))
}

/// The path that is meant: `~` is the user's own folder.
pub(in super::super) fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.into(),
    }
}

fn files(piece: &str) -> Vec<String> {
    let cut = piece.rfind('/').map_or(0, |at| at + 1);
    let (folder, begin) = piece.split_at(cut);
    let path = expanded(folder);
    let entries = std::fs::read_dir(&path).into_iter().flatten();
    let names = entries
        .take(LOOKED_AT)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.collect();
    let mut names = beginning(begin, names.iter().map(String::as_str));
    names.retain(|name| !name.starts_with('.') || !begin.is_empty());
    names.sort();
    names.truncate(OFFERED);
    let whole = |name: String| {
        let end = if path.join(&name).is_dir() { "/" } else { "" };
        format!("{folder}{name}{end}")
    };
    names.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_once_for_what_is_typed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("{}/{name}", folder.path().display());
        std::fs::create_dir(path("b")).unwrap();
        for name in ["a", "b.img", ".hidden"] {
            std::fs::write(path(name), "").unwrap();
        }
        let files = Files::default();
        let all = [path("a"), path("b/"), path("b.img")];
        assert_eq!(files.offers(&path("")), all);
        std::fs::write(path("b2.img"), "").unwrap();
        assert_eq!(files.offers(&path("")), all);
        let some = [path("b/"), path("b.img"), path("b2.img")];
        assert_eq!(files.offers(&path("b")), some);
        assert_eq!(files.offers(&path(".h")), [path(".hidden")]);
    }
}
