//! What files say, and what is said of what is wrong in them.

use std::fmt::Write as _;

use super::*;
use crate::tui::action::{Action, On};
use crate::tui::keymap::{Found, sequence};

/// Reads files of these texts, the later over the earlier.
fn files(texts: &[&str]) -> Reading {
    let dir = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let path = dir.path().join(format!("{at}.toml"));
        std::fs::write(&path, text).unwrap();
        paths.push(path);
    }
    paths.push(dir.path().join("none.toml"));
    let mut reading = read_files(&paths);
    for wrong in &mut reading.wrong {
        wrong.path = wrong.path.file_name().unwrap().into();
    }
    reading
}

fn find(keymap: &Keymap, keys: &str) -> Found {
    let keys: Vec<_> = sequence(keys)
        .unwrap()
        .into_iter()
        .map(Key::event)
        .collect();
    keymap.find(&keys, &[On::MACHINES])
}

#[test]
fn files_that_say_nothing_leave_the_defaults() {
    for texts in [&[][..], &["default_memory = \"1G\"\n"], &["[console]\n"]] {
        let reading = files(texts);
        assert_eq!(reading.settings, Settings::default());
        assert_eq!(reading.wrong, []);
    }
}

#[test]
fn everything_that_can_be_said_is_heard_and_the_later_file_counts() {
    let first = "[console]\nrefresh = 30\nmouse = false\n[console.keys]\n\"machine.stop\" = \"ctrl-s\"\nquit = \"Q\"\n";
    let second = r#"
[console]
prefix = "ctrl-b"
refresh = 5
scrollback = 2000
glyphs = "ascii"

[console.columns]
machines = ["name", "cpu", "name"]
history = ["when"]

[console.keys]
machine.stop = ["g s", "f9"]
"machine.deploy" = ""
up.page = "pageup"
"#;
    let reading = files(&[first, second]);
    assert_eq!(reading.wrong, []);
    let settings = reading.settings;
    assert_eq!(settings.prefix, "ctrl-b".parse().unwrap());
    assert_eq!(settings.refresh, Duration::from_secs(5));
    assert_eq!(
        (settings.mouse, settings.scrollback, settings.glyphs),
        (false, 2000, Drawing::Ascii)
    );
    assert_eq!(
        settings.columns_of(View::Machines).unwrap(),
        ["name", "cpu"]
    );
    assert_eq!(settings.columns_of(View::History).unwrap(), ["when"]);
    assert_eq!(settings.columns_of(View::Images), None);
    let keymap = reading.keymap;
    assert_eq!(find(&keymap, "g s"), Found::Action(Action::Stop));
    assert_eq!(find(&keymap, "f9"), Found::Action(Action::Stop));
    assert_eq!(find(&keymap, "ctrl-s"), Found::None);
    assert_eq!(find(&keymap, "Q"), Found::Action(Action::Quit));
    assert_eq!(find(&keymap, "d"), Found::None);
    assert_eq!(find(&keymap, "ctrl-b"), Found::Action(Action::Panes));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_a_way_out() {
    let text = r#"# mine
[console]
refesh = 5
refresh = 0
mouse = "yes"
scrollback = 1000000
prefix = "x"
glyphs = 'nice'
theme = "nord"

[console.columns]
machine = ["name"]
machines = ["name", "stauts"]
volumes = []
images = "name"
networks = ["name", 7]

[console.keys]
"machine.stopp" = "x"
"frobnicate" = "x"
"stop" = "x"
"machine.stop" = "hyper-x"
"machine.start" = 7
"machine.restart" = "d"
quit = "ctrl-q"
"#;
    let reading = files(&[text]);
    let mut told = String::new();
    for wrong in &reading.wrong {
        writeln!(told, "{wrong}\n    {}", wrong.hint).unwrap();
    }
    insta::assert_snapshot!(told);
    // What is right counts all the same, and what is wrong has its default.
    assert_eq!(find(&reading.keymap, "ctrl-q"), Found::Action(Action::Quit));
    assert_eq!(find(&reading.keymap, "d"), Found::Action(Action::Deploy));
    assert_eq!(find(&reading.keymap, "R"), Found::Action(Action::Restart));
    let settings = Settings {
        keys: Overrides::new(),
        ..reading.settings
    };
    assert_eq!(settings, Settings::default());
}

#[test]
fn what_is_no_table_is_told() {
    for (text, told) in [
        ("console = 3\n", "0.toml:1: console is a value, not a table"),
        (
            "\n[console]\nkeys = \"x\"\n",
            "0.toml:3: console.keys is a value, not a table",
        ),
        (
            "console = { columns = 1 }\n",
            "0.toml:1: console.columns is a value, not a table",
        ),
        ("[console.mouse]\n", "0.toml:1: console.mouse is a table"),
    ] {
        let wrong = files(&[text]).wrong;
        assert_eq!(wrong.len(), 1, "{text}");
        assert_eq!(wrong[0].to_string(), told);
    }
}

#[test]
fn a_prefix_in_the_way_of_the_table_is_given_up() {
    // A page up in a list is not done in the shells.
    let reading = files(&["[console]\nprefix = \"ctrl-b\"\n"]);
    assert_eq!(
        (reading.settings.prefix, reading.wrong),
        ("ctrl-b".parse().unwrap(), vec![])
    );
    assert_eq!(
        find(&reading.keymap, "ctrl-b"),
        Found::Action(Action::PageUp)
    );
    let reading = files(&["[console]\nmouse = true\nprefix = \"ctrl-x\"\n"]);
    assert_eq!(reading.settings.prefix, Key::PREFIX);
    assert_eq!(
        find(&reading.keymap, "ctrl-]"),
        Found::Action(Action::Panes)
    );
    let told = reading.wrong[0].to_string();
    assert_eq!(
        told,
        "0.toml:3: Ctrl-x is the key of cancel in the list of machines already"
    );
}
