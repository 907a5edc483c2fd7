//! What is typed into the palette, and what comes of it.

mod commands;

use super::*;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::fixture::{click, drawn, model, typed};
use crate::tui::model::place::View;

const THEMES: [&str; 4] = ["auto", "default-dark", "nord", "solarized-light"];

fn opened(model: &Model) -> Palette {
    Palette::with(model, &THEMES.map(String::from))
}

fn press(palette: &mut Palette, model: &Model, keys: &str) -> Vec<Step> {
    typed(keys)
        .into_iter()
        .flat_map(|key| palette.key(key, model))
        .collect()
}

/// A model in which `web` is selected.
fn with_web(columns: u16, rows: u16) -> Model {
    let mut model = model(columns, rows);
    let list = model.lists.of(View::Machines);
    list.rows = vec![0, 1, 2];
    list.selected = Some("web-id".into());
    model
}

/// What a line does, told shortly.
fn done(line: &str, model: &Model) -> String {
    let mut palette = opened(model);
    let steps = press(&mut palette, model, &format!("{line}<enter>"));
    let told: Vec<String> = steps.iter().filter_map(told).collect();
    match &palette.refusal {
        Some(Refusal { message, hint }) => {
            format!("! {message} / {}", hint.as_deref().unwrap_or("-"))
        }
        None => told.join(", "),
    }
}

fn told(step: &Step) -> Option<String> {
    Some(match step {
        Step::Close | Step::Note(_) => return None,
        Step::Act(action) => format!("{action:?}"),
        Step::ActOn(view, id, action) => format!("{action:?} on {id} in {view:?}"),
        Step::Do(task) => task.command_line(),
        Step::Open(_) => "asks".into(),
        Step::Effect(effect) => format!("{effect:?}"),
        Step::Preview(name) => format!("shows {name}"),
        Step::Go(view, name) => format!("to {name} in {view:?}"),
        step => format!("{step:?}"),
    })
}

#[test]
fn actions_are_found_by_their_names_and_done() {
    let model = with_web(80, 24);
    assert_eq!(done("stop", &model), "Stop");
    assert_eq!(done("boot log", &model), "BootLog");
    assert_eq!(done("deploy", &model), "Deploy");
    // What is done in another view is done there.
    assert_eq!(done("pull", &model), "Images, Pull");
    assert_eq!(done("create net", &model), "Networks, Create");
    assert_eq!(done("undo", &model), "! there is nothing to undo / -");
    assert_eq!(done("start", &model), "! web is running / -");
}

#[test]
fn views_have_short_names() {
    let model = model(80, 24);
    for (line, action) in [
        ("m", Action::Machines),
        ("vol", Action::Volumes),
        ("img", Action::Images),
        ("net", Action::Networks),
        ("hist", Action::History),
        ("q", Action::Quit),
    ] {
        assert_eq!(done(line, &model), format!("{action:?}"), "{line}");
    }
}

#[test]
fn things_are_found_and_something_is_done_with_them() {
    let model = with_web(80, 24);
    assert_eq!(done("go to photos", &model), "to photos-id in Volumes");
    assert_eq!(done("lab", &model), "to lab in Networks");
    assert_eq!(done("rename db", &model), "Rename on db-id in Machines");
    assert_eq!(done("start db", &model), "Start on db-id in Machines");
    assert_eq!(
        done("log broken", &model),
        "BootLog on broken-id in Machines"
    );
    assert_eq!(done("start web", &model), "! web is running / -");
}

#[test]
fn words_are_completed() {
    let model = with_web(80, 24);
    let completed = |line: &str| {
        let mut palette = opened(&model);
        press(&mut palette, &model, &format!("{line}<tab>"));
        palette.input.value().to_string()
    };
    assert_eq!(completed("mach"), "machine ");
    assert_eq!(completed("machine re"), "machine re");
    assert_eq!(completed("machine ren"), "machine rename ");
    assert_eq!(completed("vm delete we"), "vm delete web ");
    assert_eq!(
        completed("machine delete web --pre"),
        "machine delete web --preserve-storage "
    );
    assert_eq!(
        completed("machine deploy debian:tr"),
        "machine deploy debian:trixie "
    );
    assert_eq!(
        completed("machine deploy debian --network la"),
        "machine deploy debian --network lab "
    );
    assert_eq!(
        completed("machine deploy debian --restart on"),
        "machine deploy debian --restart on-failure "
    );
    assert_eq!(
        completed("machine volume attach db da"),
        "machine volume attach db data "
    );
    assert_eq!(completed("volume resize ph"), "volume resize photos ");
    assert_eq!(completed("network delete l"), "network delete lab ");
    // A name to be is nobody's yet.
    assert_eq!(completed("network create l"), "network create l");
    assert_eq!(completed("machine rename web d"), "machine rename web d");
}

#[test]
fn words_are_chosen_among() {
    let model = with_web(80, 24);
    let mut palette = opened(&model);
    press(&mut palette, &model, "machine re<down><down><up>");
    insta::assert_snapshot!("words_80x24", drawn(&palette, &model));
    press(&mut palette, &model, "<enter>");
    let Below::Words(completion, None) = &palette.below else {
        panic!("{:?}", palette.below)
    };
    assert_eq!(palette.input.value(), "machine restart ");
    let names: Vec<&str> = completion
        .words
        .iter()
        .map(|(word, _)| word.as_str())
        .collect();
    assert_eq!(names, ["broken", "db", "web"]);
}

#[test]
fn a_theme_is_shown_while_it_is_chosen_and_given_back() {
    let mut model = with_web(80, 24);
    model.settings.theme = "default-dark".into();
    let mut palette = opened(&model);
    let steps = press(&mut palette, &model, "theme nord");
    assert!(
        matches!(steps.last(), Some(Step::Preview(name)) if name == "nord"),
        "{steps:?}"
    );
    let steps = press(&mut palette, &model, "<esc>");
    assert!(
        matches!(&steps[..], [Step::Preview(name), Step::Close] if name == "default-dark"),
        "{steps:?}"
    );
    let mut palette = opened(&model);
    let steps = press(&mut palette, &model, "theme nord<enter>");
    assert!(
        matches!(steps.last(), Some(Step::Effect(Effect::SetTheme(name))) if name == "nord"),
        "{steps:?}"
    );
    // Whoever looks for something else is not blinded.
    let mut palette = opened(&model);
    assert!(
        press(&mut palette, &model, "sol")
            .iter()
            .all(|step| matches!(step, Step::Preview(name) if name == "solarized-light"))
    );
    let mut palette = opened(&model);
    assert!(press(&mut palette, &model, "net").is_empty());
}

#[test]
fn what_was_used_comes_first_and_comes_back() {
    let mut model = with_web(80, 24);
    model.remembered.note("machine start db");
    model.remembered.note("Choose a theme");
    let mut palette = opened(&model);
    let Below::Offers(offers, 0) = &palette.below else {
        panic!()
    };
    assert_eq!(offers[0].name, "Choose a theme");
    press(&mut palette, &model, "<up><up>");
    assert_eq!(palette.input.value(), "machine start db");
    press(&mut palette, &model, "<down>");
    assert_eq!(palette.input.value(), "Choose a theme");
    press(&mut palette, &model, "<down>");
    assert_eq!(palette.input.value(), "");
    let noted = |line: &str| {
        let steps = press(&mut opened(&model), &model, &format!("{line}<enter>"));
        steps.into_iter().find_map(|step| match step {
            Step::Note(line) => Some(line),
            _ => None,
        })
    };
    assert_eq!(noted("deploy").as_deref(), Some("Deploy a machine"));
    assert_eq!(
        noted("machine start db").as_deref(),
        Some("machine start db")
    );
    // What may hold a secret is not.
    assert_eq!(noted("machine deploy debian --env TOKEN=x"), None);
    assert_eq!(noted("machine deploy debian -eTOKEN=x"), None);
    for (line, kept) in [
        (
            "image pull https://user:t0ken@host/x.img",
            "image pull https://host/x.img",
        ),
        (
            "sistemo image pull 'https://host/x?token=t0ken&v=2'",
            "image pull 'https://host/x?token=…&v=2'",
        ),
        (
            "image build --recipe=https://user:t0ken@host/x",
            "image build '--recipe=https://host/x'",
        ),
        (
            "machine deploy alpine --name 'a' -- sh -c 'login --password t0ken'",
            "machine deploy alpine --name a --",
        ),
        ("image pull  'nginx:1'", "image pull  'nginx:1'"),
    ] {
        assert_eq!(noted(line).as_deref(), Some(kept), "{line}");
    }
}

#[test]
fn it_can_be_clicked_and_pasted_into() {
    let model = with_web(80, 24);
    let mut palette = opened(&model);
    palette.paste("st\u{1b}op\n", &model);
    assert_eq!(palette.input.value(), "stop");
    let drawn = drawn(&palette, &model);
    let row = drawn
        .lines()
        .position(|line| line.contains("Stop at once"))
        .unwrap();
    let steps = palette.mouse(click(20, row as u16), &model);
    assert!(
        matches!(steps.last(), Some(Step::Act(Action::ForceStop))),
        "{steps:?}"
    );
    assert!(matches!(
        palette.mouse(click(40, 23), &model)[..],
        [Step::Close]
    ));
}

#[test]
fn a_name_with_escape_sequences_stays_in_its_line() {
    let mut model = with_web(80, 24);
    model.world.volumes[0].name = "evil\u{1b}[2J\u{202e}".into();
    let mut palette = opened(&model);
    press(&mut palette, &model, "evil");
    let drawn = drawn(&palette, &model);
    assert!(drawn.contains("Go to: evil\u{fffd}[2J\u{fffd}"), "{drawn}");
    press(&mut palette, &model, "<ctrl-u>volume show ");
    let text = crate::tui::fixture::drawn(&palette, &model);
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn it_fits_large_and_small_screens() {
    for (columns, rows) in [(80, 24), (120, 40), (40, 12)] {
        let model = with_web(columns, rows);
        insta::assert_snapshot!(
            format!("empty_{columns}x{rows}"),
            drawn(&opened(&model), &model)
        );
        let mut palette = opened(&model);
        press(&mut palette, &model, "sta");
        insta::assert_snapshot!(format!("sought_{columns}x{rows}"), drawn(&palette, &model));
        let mut palette = opened(&model);
        press(
            &mut palette,
            &model,
            "machine deploy debian --memory lots<enter>",
        );
        insta::assert_snapshot!(format!("refused_{columns}x{rows}"), drawn(&palette, &model));
    }
}

#[test]
fn a_thousand_machines_are_sought_quickly_enough_to_type() {
    let mut model = model(80, 24);
    let one = model.world.machines[0].clone();
    let many = (0..1000).map(|number| sistemo::machine::Machine {
        id: format!("{number}-id"),
        name: format!("machine-{number}"),
        ..one.clone()
    });
    model.world.machines = many.collect();
    let mut palette = opened(&model);
    press(&mut palette, &model, "shell 999");
    let Below::Offers(offers, 0) = &palette.below else {
        panic!()
    };
    assert_eq!(offers[0].text(), "Shell: machine-999");
    assert!(offers.len() <= 200);
}
