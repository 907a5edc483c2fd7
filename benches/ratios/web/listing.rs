//! Listing a thousand machines for many clients at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::Outcome;
use crate::lab::{Lab, run};
use crate::list;
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

use super::served::Served;

const CLIENTS: usize = 50;
const ROUNDS: usize = 3;

/// How answers are asked for: as `oha` and browsers do, and as `wrk` and a bare `curl` do.
const WAYS: [(&str, &str); 2] = [
    (
        "compressed",
        "wrk.headers[\"Accept-Encoding\"] = \"gzip, deflate, br\"\n",
    ),
    ("as it is", ""),
];

/// The slowest but one in a hundred of what `wrk` asks for in five seconds.
pub(crate) fn thousand(lab: &Lab) -> Outcome<Vec<Line>> {
    let served = Served::start(lab, &list::thousand(lab)?)?;
    let line = |(way, asks): (&str, &str)| {
        let slowest: Outcome<_> = (0..ROUNDS).map(|_| p99(lab, &served, asks)).collect();
        Ok(Line {
            name: format!("GET machines, 1,000 of them, {way}, {CLIENTS} clients: p99"),
            unit: Unit::Milliseconds,
            ours: Samples::new(slowest?)?,
            plain: None,
            bound: Bound::AtMost(10.0),
        })
    };
    WAYS.into_iter().map(line).collect()
}

fn p99(lab: &Lab, served: &Served<'_>, asks: &str) -> Outcome<f64> {
    // What lets it in is no part of a command line.
    let script = lab.scratch().join("listing.lua");
    let authorization = served.authorization()?;
    fs::write(
        &script,
        format!(
            "wrk.headers[\"Authorization\"] = \"{}\"\n{asks}",
            authorization.to_str()?
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o600))?;
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "2", "--duration", "5s", "--latency"])
        .args(["--connections", &CLIENTS.to_string(), "--script"])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{}/api/v1/machines", served.port));
    let said = String::from_utf8(run(&mut wrk)?.stdout)?;
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return Err(format!("not every answer was good:\n{said}").into());
    }
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("99%"))
        .ok_or_else(|| format!("wrk says no 99%:\n{said}"))?;
    milliseconds(line.trim())
}

/// A time as `wrk` writes it: `870.00us`, `9.31ms`, `1.02s`.
fn milliseconds(text: &str) -> Outcome<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, factor) = units
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .ok_or_else(|| format!("no time: {text}"))?;
    Ok(number.parse::<f64>()? * factor)
}
