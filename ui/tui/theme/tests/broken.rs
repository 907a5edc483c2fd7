//! What is said of themes that cannot be used.

use super::*;

/// What is said of a theme with this text, beside one named `a` that inherits `b` and the other way round.
fn said(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("mine.toml", text);
    write("a.toml", "inherits = \"b\"\n");
    write("b.toml", "\ninherits = \"a\"\n");
    let error = Theme::load("mine", Depth::True, &[dir.path().into()]).unwrap_err();
    let said = format!("{error}\n  {}\n", error.hint());
    said.replace(dir.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_broken_theme_is_told_with_its_line_and_the_way_out() {
    let texts = [
        "kind = \"grey\"",
        "inherits = 5",
        "inherits = \"nordd\"",
        "inherits = \"mine\"",
        "\n# twice round\ninherits = \"a\"",
        "colour = 1",
        "styles = 1",
        "[styles]\ntext = \"#12345\"",
        "[styles]\ntext = 256",
        "[styles]\ntext = 1.5",
        "[styles]\n\ntext = \"grene\"",
        "[palette]\nmoss = \"#446644\"\n[styles]\ntext = \"mos\"",
        "[palette]\nmoss = \"leaf\"",
        "[styles]\n\"machine.runing\" = 1",
        "[styles]\nmachine.runing = 1",
        "[styles]\nqqqq = 1",
        "[styles]\ntext = { foreground = 1 }",
        "[styles]\ntext = { modifiers = [\"bald\"] }",
        "[styles]\ntext = { modifiers = \"bold\" }",
        "[terminal]\ncursor = 1",
        "[terminal]\nansi = [1, 2, 3]",
        "[styles]\ntext = = 1",
        "[styles]\ntext = 1\ntext = 2",
    ];
    let said: Vec<String> = texts
        .iter()
        .map(|text| format!("{text}\n---\n{}", said(text)))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_theme_that_is_not_there_is_told_with_the_nearest() {
    let said = |name: &str| {
        let error = Theme::load(name, Depth::True, &[]).unwrap_err();
        format!("{error}: {}", error.hint())
    };
    assert_eq!(
        said("grvbox-dark"),
        "there is no theme \"grvbox-dark\": did you mean gruvbox-dark?"
    );
    assert!(said("zzz").ends_with("monochrome, ansi"), "{}", said("zzz"));
    assert!(said("a\u{1b}[2Jb").is_ascii());
}

#[test]
fn a_broken_theme_keeps_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let dirs = [dir.path().to_path_buf()];
    std::fs::write(
        dir.path().join("default-dark.toml"),
        "[styles]\ntext = 1 1\n",
    )
    .unwrap();
    let (theme, error) = Theme::load_or_default("default-dark", Depth::True, &dirs);
    assert_eq!(theme.style("text"), builtin("default-dark").style("text"));
    assert!(
        error
            .unwrap()
            .to_string()
            .contains("default-dark.toml:2: not TOML")
    );
    let (theme, error) = Theme::load_or_default("nord", Depth::True, &dirs);
    assert_eq!((theme.name(), error), ("nord", None));
    // Even without any style there is an answer.
    assert_eq!(Theme::plain().style("machine.running"), Style::default());
}

#[test]
fn a_name_is_no_way_to_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("themes");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(dir.path().join("out.toml"), "").unwrap();
    std::fs::write(inner.join(".hidden.toml"), "").unwrap();
    std::fs::write(inner.join("in.toml"), "").unwrap();
    for name in ["../out", ".hidden", "", "/etc/passwd"] {
        assert!(
            Theme::load(name, Depth::True, std::slice::from_ref(&inner)).is_err(),
            "{name}"
        );
    }
    assert_eq!(names(std::slice::from_ref(&inner)).last().unwrap(), "in");
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bytes.toml"), [0xff, 0xfe]).unwrap();
    let error = Theme::load("bytes", Depth::True, &[dir.path().into()]).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("bytes.toml: cannot be read: stream did not contain valid UTF-8"),
        "{error}"
    );
    assert_eq!(error.hint(), "make the file readable text, or remove it");
}
