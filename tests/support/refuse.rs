//! Refusals: each has a message, a way out and an exit status, and nothing is changed by it.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::lab::{Lab, forget_use};
use super::left;

impl Lab {
    /// Checks that each line is refused with its exit status and message and with a way out, that what `seen` shows
    /// stays as it was, and that nothing is changed in the store, on the disk or in the network. Gives back what was
    /// said, for a snapshot of it.
    #[track_caller]
    pub fn refuses(&self, lines: &[(impl AsRef<str>, i32, &str)], seen: &str) -> String {
        // The default network's row is made by who first looks for it.
        self.run("network list").ok();
        let before = (self.shown(seen), self.everything());
        let mut all = String::new();
        let mut wrong = Vec::new();
        for (line, status, message) in lines {
            let line = line.as_ref();
            let done = self.run(line);
            let said = &done.stderr;
            all += &format!("$ sistemo {line}\n{said}[{status}]\n\n");
            let way_out = |line: &str| line.strip_prefix("hint: ").is_some_and(|way| way.len() > 5);
            let right = done.status.code() == Some(*status)
                && done.stdout.is_empty()
                && said.lines().any(|line| line.starts_with("error: "))
                && said.contains(message)
                && said.lines().any(way_out);
            if !right {
                wrong.push(format!("wanted {status}, {message:?} and a hint:\n{done}"));
            }
            let after = (self.shown(seen), self.everything());
            assert_eq!(after.0, before.0, "{line}");
            let changed = after.1.symmetric_difference(&before.1);
            let changed: Vec<_> = changed.collect();
            assert!(changed.is_empty(), "{line}: {changed:#?}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        all
    }

    /// What a command shows; of machines what may change by itself is left out.
    #[track_caller]
    fn shown(&self, command: &str) -> String {
        let shown = self.run(command);
        if command != "machine list -o json" {
            return shown.ok();
        }
        let mut machines = shown.json();
        machines
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(forget_use);
        format!("{machines:#}")
    }

    /// All that a refusal must leave alone: rows, files, links and rules. What was tried is history.
    fn everything(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        if let Some(store) = left::store(self) {
            let query = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                         AND name NOT IN ('history', 'sqlite_sequence')";
            for table in left::rows_of(&store, query) {
                for row in left::rows_of(&store, &format!("SELECT * FROM {}", table[0])) {
                    all.insert(format!("{}: {}", table[0], row.join(" ")));
                }
            }
        }
        files(&self.data_dir(), &mut all);
        for line in self.inside("ip -o -4 address").lines() {
            all.insert(format!("address {line}"));
        }
        for line in self.inside("ip -o link").lines() {
            // Whether it has a carrier is its guest's doing.
            let words = line.split(" <").next().unwrap();
            let alias = line.split(" alias ").nth(1).unwrap_or_default();
            all.insert(format!("link {words} {alias}"));
        }
        for (number, line) in self.inside("nft list ruleset").lines().enumerate() {
            all.insert(format!("rule {number}: {line}"));
        }
        all
    }
}

/// Files and folders with their sizes; not the database's, nor those that running guests and daemons write.
fn files(folder: &Path, all: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, meta) = (entry.path(), entry.metadata().unwrap());
        let name = entry.file_name().to_string_lossy().into_owned();
        let locks = path
            .parent()
            .is_some_and(|folder| folder.ends_with("locks"));
        // The marks of a boot log grow with it, and a builder keeps house as it likes.
        let others = name.ends_with(".log.marks") || path.ends_with("images/builder");
        if name.starts_with("sistemo.db") || name.starts_with('.') || locks || others {
            continue;
        }
        let grows = [".log", ".log.marks"].iter().any(|end| name.ends_with(end));
        let size = match meta.is_file() && !grows {
            true => meta.len(),
            false => 0,
        };
        all.insert(format!(
            "file {} {size} {:o} {}",
            path.display(),
            meta.mode(),
            meta.ino()
        ));
        if meta.is_dir() {
            files(&path, all);
        }
    }
}
