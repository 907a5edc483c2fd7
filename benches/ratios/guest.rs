//! How large the guest program is, on disk and at rest.

use crate::Outcome;
use crate::lab::{GUEST, Lab, run};
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

/// Prints `PID kB` of each process that runs the guest program. Of the SSH server's processes the oldest is the server;
/// the others serve this very question.
const RESIDENT: &str = "for p in /proc/[0-9]*; do \
    case \"$(readlink $p/exe)\" in */sistemo/guest*|*sistemo-guest*) \
    echo ${p#/proc/} $(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' $p/status);; esac; done";

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let size = std::fs::metadata(GUEST)?.len() as f64 / f64::from(1 << 20);
    let mut lines = vec![line("guest program: size", vec![size], 3.0)?];
    let machine = lab.idle_machine()?;
    let mut resident = Vec::new();
    for _ in 0..3 {
        let output = run(&mut lab.sistemo(&["machine", "exec", machine, RESIDENT]))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let server = text.lines().filter_map(process).min();
        let (_, kib) = server.ok_or("no process in the guest runs the guest program")?;
        resident.push(kib as f64 / 1024.0);
    }
    lines.push(line("guest program: resident, idle", resident, 6.0)?);
    Ok(lines)
}

fn process(line: &str) -> Option<(u64, u64)> {
    let (pid, kib) = line.split_once(' ')?;
    Some((pid.parse().ok()?, kib.trim().parse().ok()?))
}

fn line(name: &str, values: Vec<f64>, most: f64) -> Outcome<Line> {
    Ok(Line {
        name: name.into(),
        unit: Unit::Mebibytes,
        ours: Samples::new(values)?,
        plain: None,
        bound: Bound::AtMost(most),
    })
}
