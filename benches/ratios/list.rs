//! Listing a thousand machines.

use std::path::PathBuf;

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::Outcome;
use crate::lab::{Lab, run};
use crate::measure::{Samples, time};
use crate::table::{Bound, Line, Unit};

const MACHINES: usize = 1000;
const ROUNDS: usize = 31;

/// A data directory with a thousand machines.
pub(crate) fn thousand(lab: &Lab) -> Outcome<PathBuf> {
    let data = lab.scratch().join("thousand");
    if data.exists() {
        return Ok(data);
    }
    // The first command makes the database.
    run(lab.sistemo_in(&data).args(["machine", "list"]))?;
    fill(&data)?;
    let listed = run(lab
        .sistemo_in(&data)
        .args(["machine", "list", "-o", "json"]))?;
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
    match listed.len() {
        MACHINES => Ok(data),
        count => Err(format!("{count} of {MACHINES} machines were listed").into()),
    }
}

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let data = thousand(lab)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(time(|| {
            run(lab.sistemo_in(&data).args(["machine", "list"]))
        })?);
    }
    Ok(vec![Line {
        name: "machine list: 1,000 machines".into(),
        unit: Unit::Milliseconds,
        ours: Samples::times(&times)?,
        plain: None,
        bound: Bound::AtMost(15.0),
    }])
}

/// Stopped machines, each with a root volume whose disk is there.
fn fill(data: &std::path::Path) -> Outcome<()> {
    let mut database = Connection::open(data.join("sistemo.db"))?;
    let rows = database.transaction()?;
    for number in 0..MACHINES {
        let id = uuid::Uuid::new_v4().to_string();
        let name = format!("machine-{number}");
        let disk = data.join("volumes").join(format!("{name}.ext4"));
        std::fs::File::create(&disk)?.set_len(2 << 30)?;
        rows.execute(
            "INSERT INTO machines (id, name, status, spec, image, image_digest, created_at)
             VALUES (?1, ?2, 'stopped', ?3, 'debian', 'sha256:0', '2026-01-01T00:00:00.000Z')",
            params![id, name, r#"{"vcpus":2,"memory":536870912,"command":null}"#],
        )?;
        rows.execute(
            "INSERT INTO volumes (id, name, role, size_bytes, path, machine_id, mount_path, created_at)
             VALUES (?1, ?2, 'root', ?3, ?4, ?5, '/', '2026-01-01T00:00:00.000Z')",
            params![
                uuid::Uuid::new_v4().to_string(),
                format!("{name}-root"),
                2_i64 << 30,
                disk.to_string_lossy(),
                id
            ],
        )?;
    }
    rows.commit()?;
    Ok(())
}
