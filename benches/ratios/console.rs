//! The console: how soon it is there, how soon it answers, and what it costs while nothing happens.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::daemon::{Fleet, cpu_seconds};
use crate::lab::Lab;
use crate::list;
use crate::measure::{Samples, time};
use crate::screen::Screen;
use crate::table::{Bound, Line, Unit};

/// The size of the terminal.
pub(crate) const COLUMNS: u16 = 120;
pub(crate) const ROWS: u16 = 40;
const STARTS: usize = 21;
/// Keys are pressed in batches, of each of which the slowest but one in a hundred counts.
const BATCHES: usize = 5;
const KEYS: usize = 200;
/// A user's next key comes later than this, and by then the frame before is long drawn.
const PAUSE: Duration = Duration::from_millis(25);
/// How long the console is watched doing nothing, once it has settled.
const SETTLE: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(60);

/// Starts the console on a data directory.
pub(crate) fn start(lab: &Lab, data: &Path) -> Screen {
    Screen::of(lab.sistemo_in(data), COLUMNS, ROWS)
}

/// Waits until what is shown is so.
pub(crate) fn shows(screen: &Screen, holds: impl FnMut(&str) -> bool) -> Outcome<()> {
    Ok(screen.shows(holds)?)
}

/// The first frame and keys, with 1,000 machines in the store.
pub(crate) fn thousand(lab: &Lab) -> Outcome<Vec<Line>> {
    let data = list::thousand(lab)?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let mut screen = None;
        times.push(time(|| {
            let screen = screen.insert(start(lab, &data));
            shows(screen, |text| {
                text.contains(" machine-0 ") && text.contains(" NAV ")
            })
        })?);
        quit(screen.ok_or("there is no screen")?)?;
    }
    let line = |name: &str, ours, most| Line {
        name: format!("console, 1,000 machines: {name}"),
        unit: Unit::Milliseconds,
        ours,
        plain: None,
        bound: Bound::AtMost(most),
    };
    let first = line("exec to first frame", Samples::times(&times)?, 60.0);
    let mut screen = start(lab, &data);
    shows(&screen, |text| text.contains(" machine-0 "))?;
    // There and back.
    let keys = [["j"; KEYS / 2], ["k"; KEYS / 2]].concat();
    let slowest = |screen: &mut Screen| slowest(screen, &keys, selected);
    let batches: Outcome<Vec<_>> = (0..BATCHES).map(|_| slowest(&mut screen)).collect();
    quit(screen)?;
    Ok(vec![
        first,
        line("key to frame, p99", Samples::new(batches?)?, 8.0),
    ])
}

/// The line that is selected.
fn selected(text: &str) -> String {
    text.lines()
        .find(|line| line.starts_with('▶'))
        .unwrap_or_default()
        .into()
}

/// How long it takes until keys, one after the other, have changed what is looked at: the 99th of 100, in milliseconds.
pub(crate) fn slowest(
    screen: &mut Screen,
    keys: &[&str],
    looked_at: fn(&str) -> String,
) -> Outcome<f64> {
    let mut times = Vec::new();
    for key in keys {
        screen.more_than(u64::MAX, PAUSE);
        let before = looked_at(&screen.text());
        times.push(time(|| {
            screen.press(key);
            shows(screen, |text| looked_at(text) != before)
        })?);
    }
    times.sort();
    let slowest = times
        .get(times.len() * 99 / 100)
        .ok_or("no key was pressed")?;
    Ok(slowest.as_secs_f64() * 1e3)
}

/// Leaves the console.
pub(crate) fn quit(mut screen: Screen) -> Outcome<()> {
    screen.press("q");
    shows(&screen, |text| {
        text.contains("Quit?") || !text.contains(" NAV ")
    })?;
    screen.press("y");
    match screen.ends().success() {
        true => Ok(()),
        false => Err("the console failed".into()),
    }
}

/// What it costs to look at twenty machines that run.
pub(crate) fn idle(lab: &Lab) -> Outcome<Vec<Line>> {
    let fleet = Fleet::new(lab, 20)?;
    let screen = start(lab, fleet.data());
    shows(&screen, |text| text.contains("20/20 up"))?;
    screen.more_than(u64::MAX, SETTLE);
    let pid = u32::try_from(screen.pid())?;
    let (before, began) = (cpu_seconds(pid)?, Instant::now());
    screen.more_than(u64::MAX, IDLE);
    let spent = cpu_seconds(pid)? - before;
    let share = 100.0 * spent / began.elapsed().as_secs_f64();
    quit(screen)?;
    Ok(vec![Line {
        name: "console, 20 machines that run (sleeping stand-ins): CPU when idle".into(),
        unit: Unit::Percent,
        ours: Samples::new(vec![share])?,
        plain: None,
        bound: Bound::AtMost(0.5),
    }])
}
