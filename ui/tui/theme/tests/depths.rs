//! Colours on terminals that have few.

use proptest::prelude::*;

use super::*;

const GREYS: [Color; 5] = [
    Color::Reset,
    Color::Black,
    Color::DarkGray,
    Color::Gray,
    Color::White,
];

fn hue_of(color: Color) -> &'static str {
    match color {
        Color::Red | Color::LightRed => "red",
        Color::Green | Color::LightGreen => "green",
        Color::Yellow | Color::LightYellow => "yellow",
        Color::Blue | Color::LightBlue => "blue",
        Color::Magenta | Color::LightMagenta => "magenta",
        Color::Cyan | Color::LightCyan => "cyan",
        _ => "grey",
    }
}

#[test]
fn sixteen_colours_keep_the_hue() {
    let known = [
        ("#bf616a", "red"),
        ("#f38ba8", "red"),
        ("#dc322f", "red"),
        ("#800000", "red"),
        ("#a6e3a1", "green"),
        ("#40a02b", "green"),
        ("#00ff00", "green"),
        ("#f9e2af", "yellow"),
        ("#ebcb8b", "yellow"),
        ("#b58900", "yellow"),
        ("#81a1c1", "blue"),
        ("#1e66f5", "blue"),
        ("#000080", "blue"),
        ("#cba6f7", "magenta"),
        ("#b48ead", "magenta"),
        ("#d33682", "magenta"),
        ("#2aa198", "cyan"),
        ("#8fbcbb", "cyan"),
        ("#ebdbb2", "grey"),
        ("#fdf6e3", "grey"),
        ("#fbf1c7", "grey"),
        ("#2e3440", "grey"),
        ("#1e1e2e", "grey"),
        ("#002b36", "grey"),
        ("#d8dee9", "grey"),
    ];
    for (hex, hue) in known {
        let color = colour::by_hex(hex).unwrap();
        assert_eq!(hue_of(Depth::Sixteen.fit(color)), hue, "{hex}");
    }
}

#[test]
fn every_theme_keeps_its_signal_colours_in_sixteen() {
    let signals = [
        ("machine.running", "green"),
        ("machine.failed", "red"),
        ("machine.stopping", "yellow"),
    ];
    for theme in with_own_colours() {
        let few = Theme::load(theme.name(), Depth::Sixteen, &[]).unwrap();
        for (scope, hue) in signals {
            assert_eq!(
                hue_of(few.style(scope).fg.unwrap()),
                hue,
                "{} {scope}",
                theme.name()
            );
        }
        for scope in SCOPES {
            let (many, few) = (theme.style(scope), few.style(scope));
            for (many, few) in [(many.fg, few.fg), (many.bg, few.bg)] {
                let Some(rgb) = many.and_then(colour::rgb) else {
                    continue;
                };
                let [least, most] = [rgb.iter().min().unwrap(), rgb.iter().max().unwrap()];
                // Half as pale as can be, and half as light.
                if *most >= 128 && *least <= most / 2 {
                    assert!(!GREYS.contains(&few.unwrap()), "{} {scope}", theme.name());
                }
            }
        }
    }
}

#[test]
fn nothing_is_drawn_in_its_own_colour() {
    for theme in with_own_colours() {
        for depth in [Depth::Sixteen, Depth::Indexed] {
            let few = Theme::load(theme.name(), depth, &[]).unwrap();
            for scope in SCOPES {
                let fg = few.style(scope).fg.or(few.style("text").fg).unwrap();
                for ground in grounds(&few, scope) {
                    assert_ne!(fg, ground, "{} {scope} at {depth:?}", theme.name());
                }
            }
        }
    }
}

#[test]
fn without_colours_there_are_none() {
    for (name, _) in THEMES {
        let theme = Theme::load(name, Depth::None, &[]).unwrap();
        for scope in SCOPES {
            let style = theme.style(scope);
            assert_eq!(
                (style.fg, style.bg, style.underline_color),
                (None, None, None)
            );
        }
        assert_eq!(theme.guest().ansi, [Color::Reset; 16]);
        assert!(
            theme
                .style("table.selected")
                .add_modifier
                .contains(Modifier::REVERSED)
        );
    }
}

#[test]
fn the_environment_says_how_many_colours_there_are() {
    let of = |variables: &[(&str, &str)]| Depth::detect(&environment(variables));
    let (truecolor, many) = (("COLORTERM", "truecolor"), ("TERM", "xterm-256color"));
    assert_eq!(of(&[many, truecolor]), Depth::True);
    assert_eq!(of(&[many, ("COLORTERM", "24bit")]), Depth::True);
    assert_eq!(of(&[many, ("COLORTERM", "yes")]), Depth::Indexed);
    assert_eq!(of(&[many]), Depth::Indexed);
    assert_eq!(of(&[many, truecolor, ("NO_COLOR", "1")]), Depth::None);
    assert_eq!(of(&[many, truecolor, ("NO_COLOR", "")]), Depth::True);
    assert_eq!(of(&[("TERM", "xterm-kitty")]), Depth::True);
    assert_eq!(of(&[("TERM", "xterm-direct")]), Depth::True);
    assert_eq!(of(&[("TERM", "xterm")]), Depth::Sixteen);
    assert_eq!(of(&[("TERM", "linux"), truecolor]), Depth::Sixteen);
    assert_eq!(
        of(&[("TERM", "screen.xterm-256color"), truecolor]),
        Depth::Indexed
    );
    assert_eq!(
        of(&[("TERM", "screen-256color"), truecolor, ("TMUX", "/tmp/1")]),
        Depth::True
    );
    assert_eq!(of(&[("TERM", "tmux-256color"), truecolor]), Depth::True);
    assert_eq!(of(&[("TERM", "dumb"), truecolor]), Depth::None);
    assert_eq!(of(&[("TERM", "vt220")]), Depth::None);
    assert_eq!(of(&[]), Depth::Sixteen);
}

#[test]
fn what_the_palette_has_is_kept_as_it_is() {
    for index in 16..=255 {
        let [r, g, b] = colour::rgb(Color::Indexed(index)).unwrap();
        let Color::Indexed(fitted) = Depth::Indexed.fit(Color::Rgb(r, g, b)) else {
            panic!("{index} became no index");
        };
        assert_eq!(
            colour::rgb(Color::Indexed(fitted)),
            Some([r, g, b]),
            "{index} became {fitted}"
        );
    }
    assert_eq!(Depth::Indexed.fit(Color::LightRed), Color::LightRed);
    assert_eq!(Depth::Indexed.fit(Color::Indexed(7)), Color::Indexed(7));
    assert_eq!(Depth::Sixteen.fit(Color::Indexed(9)), Color::LightRed);
    assert_eq!(Depth::Sixteen.fit(Color::Indexed(196)), Color::LightRed);
    assert_eq!(Depth::Sixteen.fit(Color::Reset), Color::Reset);
    assert_eq!(Depth::None.fit(Color::Red), Color::Reset);
    assert_eq!(Depth::True.fit(Color::Rgb(1, 2, 3)), Color::Rgb(1, 2, 3));
}

proptest! {
    #[test]
    fn any_colour_finds_one_like_it(r: u8, g: u8, b: u8) {
        let color = Color::Rgb(r, g, b);
        let Color::Indexed(index) = Depth::Indexed.fit(color) else {
            panic!("no index");
        };
        prop_assert!(index >= 16);
        // Asked again, from what is remembered.
        prop_assert_eq!(Depth::Indexed.fit(color), Color::Indexed(index));
        let few = Depth::Sixteen.fit(color);
        prop_assert_eq!(Depth::Sixteen.fit(color), few);
        let light = |color| colour::lightness(colour::rgb(color).unwrap());
        let [least, most] = [r.min(g).min(b), r.max(g).max(b)];
        // The cube has hardly any dark colours.
        prop_assert!(most < 0x5f || (light(color) - light(Color::Indexed(index))).abs() < 0.15);
        if most >= 128 && least <= most / 2 {
            prop_assert!(!GREYS.contains(&few), "{few:?}");
            let [r, g, b] = colour::rgb(Color::Indexed(index)).unwrap();
            prop_assert!(r != g || g != b, "{index}");
        }
    }
}
