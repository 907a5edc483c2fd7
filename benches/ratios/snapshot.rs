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
    let (mut boots, mut restores, mut forks) = (Vec::new(), Vec::new(), Vec::new());
    sistemo(lab, "machine snapshot create cold warm")?;
    for _ in 0..ROUNDS {
        sistemo(lab, "machine stop --force cold")?;
        boots.push(sistemo(lab, "machine start cold")?);
        restores.push(sistemo(lab, "machine snapshot restore cold warm -y")?);
        forks.push(sistemo(lab, "machine fork cold other")?);
        lab.delete("other")?;
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

/// How long a command takes.
fn sistemo(lab: &Lab, line: &str) -> Outcome<Duration> {
    let words: Vec<&str> = line.split(' ').collect();
    let begun = Instant::now();
    run(&mut lab.sistemo(&words))?;
    Ok(begun.elapsed())
}
