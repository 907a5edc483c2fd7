//! Screens as they look, in several sizes and themes.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use sistemo::machine::Stats;
use sistemo::store::history::HistoryRow;
use sistemo::store::machines::Status;
use sistemo::value::ByteSize;

use super::draw;
use crate::tui::fixture::{machine, model, text, typed, world};
use crate::tui::message::Message;
use crate::tui::model::Model;
use crate::tui::model::host::Host;
use crate::tui::task::{Task, Thing};
use crate::tui::theme::{Depth, Glyphs, Theme};
use crate::tui::update::update;

/// A model of a busy computer.
fn busy(columns: u16, rows: u16) -> Model {
    let mut model = model(columns, rows);
    let mut world = world();
    world
        .machines
        .push(machine("starting-up", Status::Starting));
    let broken = world
        .machines
        .iter_mut()
        .find(|machine| machine.name == "broken")
        .unwrap();
    broken.failure = Some("Kernel panic - not syncing: No working init found".into());
    world.history = (1..=30).map(entry).rev().collect();
    update(&mut model, Message::World(Ok(Box::new(world))));
    update(&mut model, Message::Host(host()));
    for step in 0..40_u32 {
        let stats = model
            .world
            .machines
            .iter()
            .map(|machine| reading(&machine.id, step));
        let stats = stats.collect();
        update(&mut model, Message::Stats(stats));
    }
    model
}

fn host() -> Host {
    Host {
        name: "lab".into(),
        accelerator: Some("kvm".into()),
        processors: 8,
        busy_percent: Some(37.0),
        memory: Some((ByteSize::gib(32), ByteSize::gib(20))),
        disk: Some((ByteSize::gib(500), ByteSize::gib(123))),
        lacks: Vec::new(),
        supervisor: None,
    }
}

fn entry(number: i64) -> HistoryRow {
    let failed = number % 7 == 0;
    HistoryRow {
        id: number,
        at: format!("2026-03-01T10:{number:02}:00Z"),
        user: Some("root".into()),
        action: if number % 2 == 0 { "start" } else { "stop" }.into(),
        target: "machine".into(),
        name: if number % 3 == 0 { "web" } else { "db" }.into(),
        duration_ms: number * 137,
        ok: !failed,
        error: failed.then(|| "the guest did not answer within 180 s".into()),
    }
}

fn reading(id: &str, step: u32) -> Stats {
    let runs = id == "web-id";
    let wave = f64::from(step % 10) * 20.0;
    Stats {
        time: "2026-03-01T12:00:00Z".into(),
        id: id.into(),
        name: id.into(),
        status: if runs {
            Status::Running
        } else {
            Status::Stopped
        },
        pid: runs.then_some(4711),
        uptime_ns: None,
        vcpus: 2,
        cpu_percent: runs.then_some(wave),
        cpu_time_ns: None,
        memory_bytes: runs.then_some(u64::from(100 + step * 8) << 20),
        memory_limit_bytes: 512 << 20,
        memory_percent: None,
        disk_read_bytes: None,
        disk_write_bytes: None,
        disk_read_bytes_per_second: runs.then_some(0.0),
        disk_write_bytes_per_second: runs.then_some(wave * 1000.0),
        network_rx_bytes: None,
        network_tx_bytes: None,
        network_rx_bytes_per_second: runs.then_some(wave * 100.0),
        network_tx_bytes_per_second: runs.then_some(50.0),
        threads: None,
    }
}

fn press(model: &mut Model, keys: &str) {
    for key in typed(keys) {
        update(model, Message::Key(key));
    }
}

fn buffer(model: &Model) -> Buffer {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buffer = Buffer::empty(area);
    draw(model, area, &mut buffer);
    buffer
}

fn shown(model: &Model) -> String {
    text(&buffer(model), None)
}

/// The styles of a screen, line by line: each run of cells that look the same.
fn styles(model: &Model) -> String {
    let buffer = buffer(model);
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut run: Option<(Style, String)> = None;
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let (style, symbol) = (cell.style(), cell.symbol());
            match &mut run {
                Some((same, text)) if *same == style => text.push_str(symbol),
                _ => {
                    say_run(&mut out, run.take());
                    run = Some((style, symbol.into()));
                }
            }
        }
        say_run(&mut out, run);
        out.push('\n');
    }
    out
}

fn say_run(out: &mut String, run: Option<(Style, String)>) {
    let Some((style, text)) = run else {
        return;
    };
    let color =
        |color: Option<ratatui::style::Color>| color.map_or("-".into(), |color| color.to_string());
    let (fg, bg) = (color(style.fg), color(style.bg));
    let _ = writeln!(
        out,
        "{fg} on {bg} {:?} {:?}",
        style.add_modifier,
        text.trim_end()
    );
}

#[test]
fn machines_fit_every_screen() {
    for (columns, rows) in [(40, 12), (60, 20), (80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(
            format!("machines_{columns}x{rows}"),
            shown(&busy(columns, rows))
        );
    }
}

#[test]
fn every_list_fits_a_small_screen_and_uses_a_large_one() {
    for (number, name) in [
        (2, "volumes"),
        (3, "images"),
        (4, "networks"),
        (5, "history"),
    ] {
        for (columns, rows) in [(80, 24), (200, 60)] {
            let mut model = busy(columns, rows);
            press(&mut model, &number.to_string());
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), shown(&model));
        }
    }
}

#[test]
fn a_machine_has_a_screen_of_its_own() {
    for (columns, rows) in [(40, 12), (80, 24), (120, 40)] {
        let mut model = busy(columns, rows);
        press(&mut model, "G<enter>");
        insta::assert_snapshot!(format!("overview_{columns}x{rows}"), shown(&model));
    }
    let mut model = busy(80, 24);
    press(&mut model, "G<enter>");
    for tab in ["log", "terminal", "volumes", "ports", "history"] {
        press(&mut model, "]");
        insta::assert_snapshot!(format!("tab_{tab}"), shown(&model));
    }
}

#[test]
fn in_a_browser_a_machine_says_where_its_terminal_is() {
    let mut model = busy(80, 24);
    press(&mut model, "G<enter>");
    assert!(!shown(&model).contains("http:"));
    model.web = Some("http://localhost:7777".into());
    let name = model.target_names().remove(0);
    let line = format!("  web page    http://localhost:7777/terminals/vm/{name}\n");
    assert!(shown(&model).contains(&line), "{}", shown(&model));
}

#[test]
fn what_failed_says_why() {
    let mut model = busy(80, 24);
    press(&mut model, "gg<enter>");
    insta::assert_snapshot!(shown(&model));
}

#[test]
fn progress_is_in_its_row_or_above_the_bar() {
    let mut model = busy(80, 24);
    let web = Task::Stop {
        machine: Thing::new("web-id", "web"),
        force: false,
    };
    let id = model.tasks.begin(web, model.clock.instant);
    model.tasks.hear(
        id,
        sistemo::event::Event::Step {
            step: "asking the guest to power off".into(),
        },
    );
    let id = model
        .tasks
        .begin(Task::Pull("alpine".into()), model.clock.instant);
    let half = sistemo::event::Event::Transfer {
        id: "layer".into(),
        label: "layer".into(),
        done: 50,
        total: Some(100),
    };
    model.tasks.hear(id, half);
    update(&mut model, Message::Time);
    insta::assert_snapshot!(shown(&model));
}

#[test]
fn marks_a_filter_and_an_order_are_seen() {
    let mut model = busy(80, 24);
    press(&mut model, " jo/e");
    insta::assert_snapshot!(shown(&model));
}

#[test]
fn where_there_is_nothing_the_key_that_changes_it_is_told() {
    let mut model = model(80, 24);
    let empty = crate::tui::model::world::World {
        is_known: true,
        ..Default::default()
    };
    update(&mut model, Message::World(Ok(Box::new(empty))));
    insta::assert_snapshot!("nothing_yet", shown(&model));
    let mut host = host();
    host.lacks = vec![
        "install packages: qemu-system-x86".into(),
        "unpack a kernel".into(),
    ];
    update(&mut model, Message::Host(host));
    insta::assert_snapshot!("first_run", shown(&model));
}

#[test]
fn what_cannot_be_read_is_told_over_what_was_known() {
    let mut model = busy(80, 24);
    let failure = crate::tui::task::Failure {
        message: "cannot read the database: it is locked".into(),
        hint: Some("see who has it open".into()),
        detail: None,
    };
    update(&mut model, Message::World(Err(failure)));
    insta::assert_snapshot!(shown(&model));
}

#[test]
fn names_cannot_act_on_the_terminal() {
    let mut model = model(80, 24);
    let mut world = world();
    world.machines[0].image = Some("\u{1b}]0;gotcha\u{7}\u{202e}evil".into());
    world.machines[0].failure = Some("\u{1b}[2Jgone".into());
    update(&mut model, Message::World(Ok(Box::new(world))));
    for keys in ["", "<enter>"] {
        press(&mut model, keys);
        let harmful = |cell: &ratatui::buffer::Cell| {
            cell.symbol()
                .chars()
                .any(|c| c.is_control() || c == '\u{202e}')
        };
        assert!(!buffer(&model).content.iter().any(harmful));
    }
}

#[test]
fn themes_differ_in_style_and_in_nothing_else() {
    let base = shown(&busy(80, 24));
    for name in ["default-dark", "default-light", "monochrome"] {
        let mut model = busy(80, 24);
        model.theme = Theme::load(name, Depth::True, &[]).unwrap();
        assert_eq!(shown(&model), base);
        insta::assert_snapshot!(format!("styles_{name}"), styles(&model));
    }
    let mut model = busy(80, 24);
    model.theme = Theme::load("default-dark", Depth::None, &[])
        .unwrap()
        .with_glyphs(Glyphs::ascii());
    let drawn = shown(&model);
    assert!(drawn.is_ascii(), "{drawn}");
    insta::assert_snapshot!("ascii", drawn);
}
