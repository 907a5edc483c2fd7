//! The console's shells: a lot of output through one, beside tmux, and what many of them keep.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::console::{COLUMNS, ROWS, quit, shows, start};
use crate::daemon::resident_mib;
use crate::lab::{Lab, run};
use crate::measure::{Samples, alternate, time};
use crate::screen::Screen;
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 3;
const PANES: usize = 10;
const MEBIBYTES: usize = 100;
/// How long one of them may take. Where the guest's processor is emulated, less is sent.
const LIMIT: Duration = Duration::from_secs(15);
/// As much as tells how long that would be.
const PROBE: usize = 2;

/// A command that says so when it has ended; what is typed is not taken for it.
fn through(screen: &mut Screen, command: &str, round: usize) -> Outcome<Duration> {
    time(|| {
        screen.types(&format!("{command}; echo ended-$((7*6))-{round}"));
        screen.press("enter");
        shows(screen, |text| text.contains(&format!("ended-42-{round}")))
    })
}

/// The same text through a shell of ours and through tmux with `machine ssh`, on terminals of one size.
pub(crate) fn cat(lab: &Lab) -> Outcome<Vec<Line>> {
    let machine = lab.idle_machine()?;
    let line = "the quick brown fox jumps over the lazy dog, and does so again and again";
    let make = format!("yes '{line}' | head -c {} > /root/text", MEBIBYTES << 20);
    run(&mut lab.sistemo(&["machine", "exec", machine, &make]))?;
    let mut ours = start(lab, &lab.data());
    shows(&ours, |text| text.contains(&format!(" {machine} ")))?;
    ours.press("s");
    shows(&ours, |text| text.contains('#'))?;
    let mut plain = Tmux::start(lab, &lab.typed(&["machine", "ssh", machine]));
    shows(&plain.screen, |text| text.contains('#'))?;
    let cat = |mebibytes: usize| format!("head -c {mebibytes}M /root/text");
    let probe = through(&mut plain.screen, &cat(PROBE), ROUNDS)?;
    let fitting = LIMIT.as_secs_f64() / probe.as_secs_f64() * PROBE as f64;
    let mebibytes = MEBIBYTES.min(fitting.max(1.0) as usize);
    let (a, b) = alternate(
        ROUNDS,
        |round| through(&mut ours, &cat(mebibytes), round),
        |round| through(&mut plain.screen, &cat(mebibytes), round),
    )?;
    leave(ours)?;
    run(&mut lab.sistemo(&["machine", "exec", machine, "rm /root/text"]))?;
    Ok(vec![Line {
        name: format!("console: {mebibytes} MiB of text in a shell"),
        unit: Unit::Milliseconds,
        ours: a,
        plain: Some(("tmux".into(), b)),
        bound: Bound::Times(1.0),
    }])
}

/// tmux with a command in it. What runs in it ends with it.
struct Tmux {
    screen: Screen,
    socket: PathBuf,
}

impl Tmux {
    fn start(lab: &Lab, command: &str) -> Tmux {
        let socket = lab.scratch().join("tmux");
        let mut tmux = Command::new("tmux");
        tmux.args(["-f", "/dev/null", "-S"]).arg(&socket);
        tmux.args(["new-session", command]);
        let screen = Screen::of(tmux, COLUMNS, ROWS);
        Tmux { screen, socket }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut end = Command::new("tmux");
        end.arg("-S").arg(&self.socket).arg("kill-server");
        // It may have ended with the shell in it.
        let _ = run(&mut end);
    }
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
