//! What holds of every theme, and what is said of broken ones.

mod broken;
mod depths;
mod signs;

use ratatui::style::{Color, Modifier, Style};

use super::builtin::THEMES;
use super::scope::{SCOPES, SURFACES};
use super::*;

/// The environment that these variables make.
fn environment(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    move |key| {
        let found = variables.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    }
}

fn builtin(name: &str) -> Theme {
    Theme::load(name, Depth::True, &[]).unwrap()
}

/// Themes whose colours are known, which are not those of the terminal.
fn with_own_colours() -> impl Iterator<Item = Theme> {
    let themes = THEMES.iter().map(|(name, _)| builtin(name));
    themes.filter(|theme| matches!(theme.style("text").bg, Some(Color::Rgb(..))))
}

/// What a style is drawn on: its own ground, or that of the surfaces on which such things lie.
fn grounds(theme: &Theme, scope: &str) -> Vec<Color> {
    let room = scope.split('.').next().unwrap();
    let has_own = SURFACES.contains(&room) || room == "input";
    match theme.style(scope).bg {
        Some(ground) => vec![ground],
        None if has_own => vec![theme.style(room).bg.unwrap()],
        // These are seen in lists and in popups alike.
        None => vec![
            theme.style("text").bg.unwrap(),
            theme.style("popup").bg.unwrap(),
        ],
    }
}

#[test]
fn text_is_legible_in_every_theme() {
    let lines = ["border", "pane.border"];
    let mut faint = Vec::new();
    let mut seen = 0;
    for theme in with_own_colours() {
        let high = theme.name().starts_with("high-contrast");
        for scope in SCOPES.iter().filter(|scope| !lines.contains(scope)) {
            let style = theme.style(scope);
            let fg = style.fg.or(theme.style("text").fg).unwrap();
            let is_dim = fg == theme.style("text.dim").fg.unwrap();
            let is_drawing = scope.starts_with("gauge") || *scope == "input.error";
            let least = match (is_dim || is_drawing, high) {
                (true, true) => 4.5,
                (true, false) => 3.0,
                (false, true) => 7.0,
                (false, false) => 4.5,
            };
            for ground in grounds(&theme, scope) {
                seen += 1;
                let contrast =
                    colour::contrast(colour::rgb(fg).unwrap(), colour::rgb(ground).unwrap());
                if contrast < least {
                    faint.push(format!("{} {scope}: {contrast:.2}", theme.name()));
                }
            }
        }
    }
    assert!(seen > 11 * SCOPES.len(), "{seen}");
    assert!(faint.is_empty(), "{faint:#?}");
}

#[test]
fn states_are_legible_on_a_selected_row() {
    for theme in with_own_colours() {
        let ground = colour::rgb(theme.style("table.selected").bg.unwrap()).unwrap();
        let states = SCOPES
            .iter()
            .filter(|scope| scope.starts_with("machine.") || scope.starts_with("volume."));
        for scope in states {
            let fore = colour::rgb(theme.style(scope).fg.unwrap()).unwrap();
            let contrast = colour::contrast(fore, ground);
            assert!(contrast >= 3.0, "{} {scope}: {contrast:.2}", theme.name());
        }
    }
}

#[test]
fn every_theme_tells_apart_what_must_be_told_apart() {
    let pairs = [
        ("border", "border.focused"),
        ("table.row", "table.selected"),
        ("table.selected", "table.marked"),
        ("popup", "popup.selected"),
        ("popup", "input"),
        ("text", "pane.selection"),
        ("text", "text.dim"),
        ("text", "text.strong"),
        ("bar.mode", "bar.mode.pane"),
        ("tab", "tab.active"),
        ("tab", "tab.alert"),
        ("button", "button.focused"),
        ("button.focused", "button.danger"),
        ("log.match", "log.match.current"),
        ("pane.border", "pane.border.focused"),
        ("pane.border.focused", "pane.border.broadcast"),
        ("machine.running", "machine.failed"),
        ("machine.running", "machine.stopped"),
    ];
    for (name, _) in THEMES {
        for depth in [Depth::None, Depth::Sixteen, Depth::Indexed, Depth::True] {
            let theme = Theme::load(name, depth, &[]).unwrap();
            for (one, other) in pairs {
                let what = format!("{name} at {depth:?}: {one}, {other}");
                assert_ne!(theme.style(one), theme.style(other), "{what}");
            }
        }
    }
}

#[test]
fn every_theme_says_its_kind() {
    for theme in with_own_colours() {
        let ground = colour::rgb(theme.style("text").bg.unwrap()).unwrap();
        assert_eq!(
            Kind::of_background(ground),
            theme.kind(),
            "{}",
            theme.name()
        );
    }
}

/// A style on one line.
fn line(style: Style) -> String {
    let color = |color: Option<Color>| color.map_or("-".into(), |color| color.to_string());
    let modifiers = match style.add_modifier {
        none if none == Modifier::empty() => String::new(),
        some => format!(" {some:?}"),
    };
    format!("{} on {}{modifiers}", color(style.fg), color(style.bg))
}

fn table(theme: &Theme) -> String {
    let lines = SCOPES
        .iter()
        .map(|scope| format!("{scope:22} {}\n", line(theme.style(scope))));
    lines.collect()
}

#[test]
fn themes_resolve_to_these_styles() {
    insta::assert_snapshot!("default_dark", table(&builtin("default-dark")));
    insta::assert_snapshot!("monochrome", table(&builtin("monochrome")));
    let few = Theme::load("gruvbox-dark", Depth::Sixteen, &[]).unwrap();
    insta::assert_snapshot!("gruvbox_dark_in_sixteen", table(&few));
    let light = Theme::load("solarized-light", Depth::Sixteen, &[]).unwrap();
    insta::assert_snapshot!("solarized_light_in_sixteen", table(&light));
}

#[test]
fn a_scope_falls_back_to_its_parents() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[styles]\ntext = 7\nmachine = 3\n\"machine.failed\" = 1\npopup = { bg = 4 }\n";
    std::fs::write(dir.path().join("mine.toml"), text).unwrap();
    let theme = Theme::load("mine", Depth::True, &[dir.path().into()]).unwrap();
    let fg = |scope: &str| theme.style(scope).fg;
    assert_eq!(fg("machine.failed"), Some(Color::Indexed(1)));
    assert_eq!(fg("machine.failed.badly"), Some(Color::Indexed(1)));
    assert_eq!(fg("machine.running"), Some(Color::Indexed(3)));
    assert_eq!(fg("machine.asleep"), Some(Color::Indexed(3)));
    assert_eq!(fg("log.time"), Some(Color::Indexed(7)));
    assert_eq!(fg("nothing.like.it"), Some(Color::Indexed(7)));
    // A popup covers what was there, so that it has both colours; its title lies on it and says one.
    assert_eq!(line(theme.style("popup")), "7 on 4");
    assert_eq!(line(theme.style("popup.title")), "7 on 4".replace("7", "-"));
}

#[test]
fn a_theme_inherits_styles_and_gives_them_other_colours() {
    let dir = tempfile::tempdir().unwrap();
    let dirs = [dir.path().to_path_buf()];
    let text = "inherits = \"nord\"\n[palette]\ngreen = \"#010203\"\n[styles]\nmachine.failed = \"orange\"\n";
    std::fs::write(dir.path().join("mine.toml"), text).unwrap();
    let theme = Theme::load("mine", Depth::True, &dirs).unwrap();
    assert_eq!(theme.style("machine.running").fg, Some(Color::Rgb(1, 2, 3)));
    let nord = builtin("nord");
    assert_eq!(theme.style("text"), nord.style("text"));
    assert_eq!(theme.guest(), nord.guest());
    // A style is replaced as a whole: it is not bold any more.
    assert_eq!(line(theme.style("machine.failed")), "#DD937B on -");
    // The user's own takes the place of the program's, which it may build on.
    std::fs::write(
        dir.path().join("nord.toml"),
        "inherits = \"nord\"\n[styles]\ntitle = 9\n",
    )
    .unwrap();
    let theme = Theme::load("nord", Depth::True, &dirs).unwrap();
    assert_eq!(line(theme.style("title")), "9 on -");
    assert_eq!(theme.style("text"), nord.style("text"));
    // Other themes of the program do not build on it.
    assert_eq!(line(builtin("nord").style("title")), "#88C0D0 on - BOLD");
    std::fs::write(dir.path().join("default-dark.toml"), "broken").unwrap();
    let theme = Theme::load("gruvbox-dark", Depth::True, &dirs).unwrap();
    assert_eq!(theme.style("title"), builtin("gruvbox-dark").style("title"));
    let all = names(&dirs);
    assert_eq!(all.len(), THEMES.len() + 1);
    assert_eq!(all.last().unwrap(), "mine");
}

#[test]
fn the_choice_follows_the_terminal() {
    let name = |text: &str, kind| Choice::parse(text).name(kind).to_owned();
    assert_eq!(name("auto", Kind::Dark), "default-dark");
    assert_eq!(name("", Kind::Light), "default-light");
    assert_eq!(name("nord/solarized-light", Kind::Dark), "nord");
    assert_eq!(
        name("nord / solarized-light", Kind::Light),
        "solarized-light"
    );
    assert_eq!(name("nord", Kind::Light), "nord");
    assert!(Choice::parse("auto").follows_terminal());
    assert!(!Choice::parse("nord").follows_terminal());
    assert_eq!(Kind::of_background([0, 0, 0]), Kind::Dark);
    assert_eq!(Kind::of_background([0x28, 0x2a, 0x36]), Kind::Dark);
    assert_eq!(Kind::of_background([0xfd, 0xf6, 0xe3]), Kind::Light);
}

#[test]
fn own_themes_lie_where_xdg_says() {
    let of = |variables: &[(&str, &str)]| dirs(&environment(variables));
    assert_eq!(
        of(&[("HOME", "/home/a")]),
        [PathBuf::from("/home/a/.config/sistemo/themes")]
    );
    let both = [("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/c")];
    assert_eq!(of(&both), [PathBuf::from("/c/sistemo/themes")]);
    let relative = [("HOME", "/home/a"), ("XDG_CONFIG_HOME", "c")];
    assert_eq!(
        of(&relative),
        [PathBuf::from("/home/a/.config/sistemo/themes")]
    );
    assert!(of(&[]).is_empty());
}
