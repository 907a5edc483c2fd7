//! The themes that are part of the program.

/// One theme: its name is the name of its file.
macro_rules! themes {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../themes/", $name, ".toml")))),*]
    };
}

/// Names and texts, in the order in which they are offered.
pub(super) const THEMES: &[(&str, &str)] = themes![
    "default-dark",
    "default-light",
    "high-contrast-dark",
    "high-contrast-light",
    "nord",
    "gruvbox-dark",
    "gruvbox-light",
    "catppuccin-mocha",
    "catppuccin-latte",
    "solarized-dark",
    "solarized-light",
    "monochrome",
    "ansi",
];
