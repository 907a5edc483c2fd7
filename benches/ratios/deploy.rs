//! What deploy does on the host, all but waiting for the guest, beside a plain copy of the same image.

use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::lab::{Lab, run, settle_disks};
use crate::measure::{alternate, time};
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 9;

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let image = image(lab)?;
    let copy = lab.scratch().join("copy");
    let ours = |_| {
        settle_disks();
        let words = [
            "machine",
            "deploy",
            "debian",
            "--name",
            "copy",
            "--storage",
            "2G",
            "--no-wait",
        ];
        let took = time(|| run(&mut lab.sistemo(&words)))?;
        lab.delete("copy")?;
        Ok(took)
    };
    let plain = |_| {
        settle_disks();
        let took = time(|| {
            run(Command::new("cp")
                .arg("--sparse=always")
                .arg(&image)
                .arg(&copy))
        })?;
        std::fs::remove_file(&copy)?;
        Ok(took)
    };
    let (ours, plain) = alternate(ROUNDS, ours, plain)?;
    Ok(vec![Line {
        name: "deploy host work: debian, 2 GiB root".into(),
        unit: Unit::Milliseconds,
        ours,
        plain: Some(("cp --sparse=always".into(), plain)),
        bound: Bound::TimesPlus(1.5, 100.0),
    }])
}

/// The disk that machines of this image are cloned from: the largest file among the images, since there is but one.
fn image(lab: &Lab) -> Outcome<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![lab.data().join("images")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            match meta.is_dir() {
                true => folders.push(entry.path()),
                false => found.push((meta.len(), entry.path())),
            }
        }
    }
    let largest = found.into_iter().max();
    Ok(largest.ok_or("there is no image of debian")?.1)
}
