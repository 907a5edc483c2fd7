//! Pictures of the console for its users, from real engine state, kept in `screenshots/` and compared on every run.

mod ink;
mod shapes;
mod stage;
mod state;
mod svg;

use std::path::{Path, PathBuf};

use stage::Stage;
use state::State;

const WIDE: (u16, u16) = (120, 40);

/// Compares pictures with those that are kept, or writes them.
struct Album {
    folder: PathBuf,
    writes: bool,
    stale: Vec<String>,
    names: Vec<String>,
}

impl Album {
    fn open() -> Album {
        let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
        Album {
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots"),
            writes: is("SISTEMO_UPDATE_SCREENSHOTS", "1") || is("INSTA_UPDATE", "always"),
            stale: Vec::new(),
            names: Vec::new(),
        }
    }

    fn take(&mut self, name: &str, stage: &Stage) {
        let (path, picture) = (self.folder.join(format!("{name}.svg")), stage.picture());
        if self.writes {
            std::fs::create_dir_all(&self.folder).unwrap();
            std::fs::write(&path, &picture).unwrap();
        }
        if std::fs::read_to_string(&path).ok() != Some(picture) {
            self.stale.push(format!("{name}.svg"));
        }
        self.names.push(format!("{name}.svg"));
    }

    fn close(self) {
        let kept = std::fs::read_dir(&self.folder).unwrap();
        let kept = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // Those of the browser are made by tests/browser.rs.
        let kept = kept.filter(|name| name.ends_with(".svg"));
        let left: Vec<String> = kept.filter(|name| !self.names.contains(name)).collect();
        assert!(
            left.is_empty(),
            "nothing makes {} in screenshots/ any more: remove what is left",
            left.join(", ")
        );
        assert!(
            self.stale.is_empty(),
            "{} in screenshots/ no longer show the console: take them anew with \
             SISTEMO_UPDATE_SCREENSHOTS=1 cargo test --bin sistemo screenshots, and look at them",
            self.stale.join(", ")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn screenshots_show_the_console_as_it_is() {
    let state = State::new().await;
    let mut album = Album::open();

    let mut stage = Stage::new(&state, "default-dark", WIDE);
    stage.press("j j j j j");
    album.take("machines", &stage);

    let mut stage = Stage::new(&state, "default-light", WIDE);
    stage.press("j j space j j space D");
    album.take("delete-light", &stage);

    let mut stage = Stage::new(&state, "nord", WIDE);
    stage.press("j j j j j enter");
    album.take("overview-nord", &stage);

    let mut stage = Stage::new(&state, "gruvbox-dark", WIDE);
    stage.press("j j j j j L");
    // Its lines are counted beside.
    stage.sees("line 140 of 140").await;
    album.take("boot-log-gruvbox", &stage);

    let mut stage = Stage::new(&state, "catppuccin-mocha", WIDE);
    stage.press("j j j j j s");
    stage.hears_a_guest().await;
    stage.press("ctrl-]");
    stage.press("d");
    stage.press("k k k S");
    stage.hears_a_guest().await;
    album.take("shells-catppuccin", &stage);

    let mut stage = Stage::new(&state, "default-dark", WIDE);
    stage.press("d");
    stage.types("postgres:17");
    stage.press("tab");
    stage.types("orders");
    album.take("deploy", &stage);

    let mut stage = Stage::new(&state, "solarized-dark", WIDE);
    stage.press(":");
    stage.types("sto");
    album.take("palette-solarized", &stage);

    let mut stage = Stage::new(&state, "high-contrast-dark", WIDE);
    stage.press("?");
    album.take("help-high-contrast", &stage);

    let mut stage = Stage::new(&state, "catppuccin-latte", WIDE);
    stage.press("2 j");
    album.take("volumes-latte", &stage);

    let mut stage = Stage::new(&state, "monochrome", (80, 24));
    stage.press("5 j j");
    album.take("history-monochrome", &stage);

    album.close();
}
