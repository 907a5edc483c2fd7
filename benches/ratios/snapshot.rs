//! Going back to a snapshot, and forking, until the guest answers over SSH, beside a cold boot of the same machine: the
//! whole commands, disks included.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::lab::{Lab, run};
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 3;

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let deploy = "machine deploy debian --name cold --storage 2G";
    sistemo(lab, deploy)?;
    rest(lab)?;
    let (mut boots, mut restores, mut forks) = (Vec::new(), Vec::new(), Vec::new());
    sistemo(lab, "machine snapshot create cold warm")?;
    for _ in 0..ROUNDS {
        sistemo(lab, "machine stop --force cold")?;
        boots.push(sistemo(lab, "machine start cold")?);
        rest(lab)?;
        // Before it is restored: a fork waits until a disk that was just copied is on the host's.
        forks.push(sistemo(lab, "machine fork cold other")?);
        lab.delete("other")?;
        restores.push(sistemo(lab, "machine snapshot restore cold warm -y")?);
    }
    lab.delete("cold")?;
    let line = |name: &str, ours: &[Duration]| -> Outcome<Line> {
        Ok(Line {
            name: name.into(),
            unit: Unit::Milliseconds,
            ours: Samples::times(ours)?,
            plain: Some(("cold boot".into(), Samples::times(&boots)?)),
            bound: Bound::Times(0.15),
        })
    };
    Ok(vec![
        line("restore to ssh: debian", &restores)?,
        line("fork to ssh: debian", &forks)?,
    ])
}

/// Waits until the machine has booted: it answers long before, and a fork would go on booting beside it.
fn rest(lab: &Lab) -> Outcome<()> {
    let until = "systemctl is-system-running --wait || true";
    run(&mut lab.sistemo(&["machine", "exec", "cold", until]))?;
    Ok(())
}

/// How long a command takes.
fn sistemo(lab: &Lab, line: &str) -> Outcome<Duration> {
    let words: Vec<&str> = line.split(' ').collect();
    let begun = Instant::now();
    run(&mut lab.sistemo(&words))?;
    Ok(begun.elapsed())
}
