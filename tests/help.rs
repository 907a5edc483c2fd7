//! The help of every command, each in a snapshot of its own, and that no snapshot is left of what is gone.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Lab;

/// Where the snapshots lie, from this folder.
const FOLDER: &str = "snapshots/help";

/// Takes the help of a command, of all under it and of their aliases, and gives their names as files have them.
fn take(lab: &Lab, path: &[&str], taken: &mut BTreeSet<String>) {
    let line = path.join(" ");
    let help = lab.run(&format!("{line} --help")).ok();
    for help_too in [format!("{line} -h"), format!("help {line}")] {
        lab.run(&help_too).ok();
    }
    let name = ["sistemo"]
        .iter()
        .chain(path)
        .copied()
        .collect::<Vec<_>>()
        .join("-");
    insta::with_settings!({snapshot_path => FOLDER, prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name.as_str(), help);
    });
    taken.insert(name);
    for command in commands(&help) {
        take(lab, &[path, &[command]].concat(), taken);
    }
}

/// The names that stand under `Commands:`.
fn commands(help: &str) -> Vec<&str> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // What is further to the right is the rest of a description.
    let names = lines.filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        (!line.starts_with(' ')).then(|| line.split_whitespace().next())?
    });
    names.filter(|name| *name != "help").collect()
}

#[test]
fn help_of_every_command() {
    let lab = Lab::bare();
    let mut taken = BTreeSet::new();
    take(&lab, &[], &mut taken);
    assert!(taken.len() > 40, "{taken:?}");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(FOLDER);
    let kept = std::fs::read_dir(here).unwrap().map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.split('.').next().unwrap().to_string()
    });
    let stale: Vec<_> = kept.filter(|name| !taken.contains(name)).collect();
    assert!(stale.is_empty(), "snapshots of no command: {stale:?}");
    assert_eq!(
        lab.run("").ok(),
        lab.run("-h").ok(),
        "in a pipe there is no console"
    );
}

/// `insta` itself does not miss a snapshot that nobody asks for.
#[test]
fn every_snapshot_is_of_something() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = String::new();
    for entry in std::fs::read_dir(&tests).unwrap().flatten() {
        if entry.path().extension().is_some_and(|end| end == "rs") {
            sources += &std::fs::read_to_string(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(tests.join("snapshots"))
        .unwrap()
        .flatten()
    {
        let name = entry.file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".snap") else {
            continue;
        };
        let asked = name.rsplit("__").next().unwrap();
        // By the name that it is given, or the test's own.
        let test = asked.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        let known = [format!("\"{asked}\""), format!("fn {test}(")];
        assert!(
            known.iter().any(|words| sources.contains(words)),
            "{name} is stale"
        );
    }
}
