//! A boot log of a gibibyte: opening, scrolling and searching it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::console::{quit, shows, slowest, start};
use crate::lab::{Lab, run};
use crate::measure::{Samples, time};
use crate::table::{Bound, Line, Unit};

const LENGTH: u64 = 1 << 30;
const BATCHES: usize = 5;
/// What is looked for, and stands once, at the end.
const NEEDLE: &str = "needle-in-it";

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let data = lab.scratch().join("gibibyte");
    let log = machine(lab, &data)?;
    write(&log)?;
    let mut screen = start(lab, &data);
    shows(&screen, |text| text.contains(" talker "))?;
    let opened = time(|| {
        screen.press("L");
        shows(&screen, |text| text.contains(NEEDLE))
    })?;
    screen.press("g g");
    shows(&screen, |text| text.contains("line 1 "))?;
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let keys = [
            "j", "ctrl-d", "pagedown", "k", "ctrl-u", "G", "g g", "pagedown",
        ];
        batches.push(slowest(&mut screen, &keys.repeat(25), str::to_owned)?);
    }
    screen.press("home");
    shows(&screen, |text| text.contains("line 1 "))?;
    screen.press("/");
    screen.types(NEEDLE);
    let found = time(|| {
        screen.press("enter");
        shows(&screen, |text| {
            text.lines().filter(|line| line.contains(NEEDLE)).count() > 0
                && !text.contains("line 1 ")
        })
    })?;
    screen.press("esc");
    screen.press("esc");
    shows(&screen, |text| text.contains(" talker "))?;
    std::fs::remove_file(log)?;
    quit(screen)?;
    let line = |name: &str, ours, most| Line {
        name: format!("console, boot log of 1 GiB: {name}"),
        unit: Unit::Milliseconds,
        ours,
        plain: None,
        bound: Bound::AtMost(most),
    };
    Ok(vec![
        line("opened at its end", Samples::times(&[opened])?, 100.0),
        line(
            "key to frame while scrolling, p99",
            Samples::new(batches)?,
            16.0,
        ),
        line(
            "first match, at the other end",
            Samples::times(&[found])?,
            1000.0,
        ),
    ])
}

/// A machine that does not run; where its boot log lies.
fn machine(lab: &Lab, data: &Path) -> Outcome<PathBuf> {
    run(lab.sistemo_in(data).args(["machine", "list"]))?;
    let id = uuid::Uuid::new_v4().to_string();
    rusqlite::Connection::open(data.join("sistemo.db"))?.execute(
        "INSERT INTO machines (id, name, status, spec, image, created_at)
         VALUES (?1, 'talker', 'stopped', ?2, 'debian', '2026-01-01T00:00:00.000Z')",
        [&id, r#"{"vcpus":1,"memory":134217728,"command":null}"#],
    )?;
    let folder = data.join("machines").join(id);
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join("console.log"))
}

fn write(path: &Path) -> Outcome<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut length, mut number) = (0, 0u64);
    while length < LENGTH {
        let line = format!(
            "[{:>12}] \x1b[1mline {number} \x1b[0mof what a machine says that says a lot\r\n",
            number * 7
        );
        out.write_all(line.as_bytes())?;
        length += line.len() as u64;
        number += 1;
    }
    writeln!(out, "the {NEEDLE}\r")?;
    Ok(out.flush()?)
}
