//! The console's shells: a lot of output through one, beside tmux, and what many of them keep.

use std::time::Duration;

use crate::Outcome;
use crate::console::{quit, shows, start, tmux};
use crate::daemon::resident_mib;
use crate::lab::{Lab, run};
use crate::measure::{Samples, alternate, time};
use crate::screen::Screen;
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 5;
const PANES: usize = 10;
const MEBIBYTES: usize = 100;

/// A command that says so when it has ended; what is typed is not taken for it.
fn through(screen: &mut Screen, command: &str, round: usize) -> Outcome<Duration> {
    time(|| {
        screen.types(&format!("{command}; echo ended-$((7*6))-{round}"));
        screen.press("enter");
        shows(screen, |text| text.contains(&format!("ended-42-{round}")))
    })
}

/// The same file through a pane of ours and through tmux, both in a session of `machine ssh`'s kind to the same machine.
pub(crate) fn cat(lab: &Lab) -> Outcome<Vec<Line>> {
    let machine = lab.idle_machine()?;
    let line = "the quick brown fox jumps over the lazy dog, and does so again and again";
    let make = format!("yes '{line}' | head -c {} > /root/text", MEBIBYTES << 20);
    run(&mut lab.sistemo(&["machine", "exec", machine, &make]))?;
    let mut ours = start(lab, &lab.data());
    shows(&ours, |text| text.contains(&format!(" {machine} ")))?;
    ours.press("s");
    shows(&ours, |text| text.contains('#'))?;
    let words = ["machine", "ssh", machine];
    let mut plain = tmux(lab, &lab.typed(&words));
    shows(&plain, |text| text.contains('#'))?;
    let cat = "cat /root/text";
    let (a, b) = alternate(
        ROUNDS,
        |round| through(&mut ours, cat, round),
        |round| through(&mut plain, cat, round),
    )?;
    plain.types("exit");
    plain.press("enter");
    plain.ends();
    leave(ours)?;
    run(&mut lab.sistemo(&["machine", "exec", machine, "rm /root/text"]))?;
    Ok(vec![Line {
        name: format!("console: cat of {MEBIBYTES} MiB in a shell"),
        unit: Unit::Milliseconds,
        ours: a,
        plain: Some(("tmux".into(), b)),
        bound: Bound::Times(1.0),
    }])
}

/// What the console has in memory with many shells that have said much.
pub(crate) fn memory(lab: &Lab) -> Outcome<Vec<Line>> {
    let machine = lab.idle_machine()?;
    let mut screen = start(lab, &lab.data());
    shows(&screen, |text| text.contains(&format!(" {machine} ")))?;
    for pane in 0..PANES {
        screen.press(if pane == 0 { "s" } else { "ctrl-] c" });
        shows(&screen, |text| {
            text.contains('#') && !text.contains("ended-")
        })?;
        let lines = "seq -f '%.0f of ten thousand lines, each about as long as lines in logs and listings are' 10100";
        through(&mut screen, lines, pane)?;
    }
    let resident = resident_mib(u32::try_from(screen.pid())?)?;
    leave(screen)?;
    Ok(vec![Line {
        name: format!("console: resident, {PANES} shells with 10,000 lines each"),
        unit: Unit::Mebibytes,
        ours: Samples::new(vec![resident])?,
        plain: None,
        bound: Bound::AtMost(80.0),
    }])
}

fn leave(mut screen: Screen) -> Outcome<()> {
    screen.press("ctrl-] d");
    shows(&screen, |text| text.contains(" NAV "))?;
    quit(screen)
}
