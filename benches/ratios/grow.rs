//! Growing a volume and the file system on it, beside the tools that do it by hand.

use std::process::Command;

use crate::Outcome;
use crate::lab::{Lab, run, settle_disks};
use crate::measure::{alternate, time};
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 9;

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let file = lab.scratch().join("by-hand");
    let ours = |round: usize| {
        let name = format!("grown-{round}");
        run(&mut lab.sistemo(&["volume", "create", "1G", "--name", &name]))?;
        settle_disks();
        let took = time(|| run(&mut lab.sistemo(&["volume", "resize", &name, "100G"])))?;
        run(&mut lab.sistemo(&["volume", "delete", &name, "-y"]))?;
        Ok(took)
    };
    let plain = |_| {
        // As `volume create` makes it.
        run(Command::new("truncate").args(["-s", "1G"]).arg(&file))?;
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-b", "4096", "-m", "0"])
            .args(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"])
            .arg(&file))?;
        settle_disks();
        let took = time(|| {
            run(Command::new("truncate").args(["-s", "100G"]).arg(&file))?;
            run(Command::new("resize2fs").arg(&file))
        })?;
        std::fs::remove_file(&file)?;
        Ok(took)
    };
    let (ours, plain) = alternate(ROUNDS, ours, plain)?;
    Ok(vec![Line {
        name: "volume resize: 1 GiB to 100 GiB".into(),
        unit: Unit::Milliseconds,
        ours,
        plain: Some(("truncate and resize2fs".into(), plain)),
        bound: Bound::Times(1.2),
    }])
}
