//! The table: a line per measurement, and whether it is within its bound.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use crate::measure::Samples;

/// What numbers are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Milliseconds,
    Mebibytes,
    Percent,
    Count,
}

/// What a line is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// Our median itself.
    AtMost(f64),
    /// This many times the plain tool's median.
    Times(f64),
    /// This many times the plain tool's median, and this much more.
    TimesPlus(f64, f64),
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) ours: Samples,
    /// What it is compared with, by name.
    pub(crate) plain: Option<(String, Samples)>,
    pub(crate) bound: Bound,
}

impl Line {
    /// The most that our median may be.
    fn limit(&self) -> f64 {
        let plain = self
            .plain
            .as_ref()
            .map_or(f64::NAN, |(_, samples)| samples.median());
        match self.bound {
            Bound::AtMost(most) => most,
            Bound::Times(factor) => factor * plain,
            Bound::TimesPlus(factor, more) => factor * plain + more,
        }
    }

    fn cells(&self) -> [String; 6] {
        let ours = &self.ours;
        let number = |value| self.unit.number(value);
        let spread = format!(
            "{} ({}..{})",
            self.unit.shown(ours.median()),
            number(ours.least()),
            number(ours.most())
        );
        let (plain, ratio) = match &self.plain {
            Some((name, samples)) => (
                format!("{} {name}", self.unit.shown(samples.median())),
                format!("{:.2}", ours.median() / samples.median()),
            ),
            None => ("-".into(), "-".into()),
        };
        let bound = match self.bound {
            Bound::AtMost(most) => self.unit.shown(most),
            Bound::Times(factor) => format!("{factor} ×"),
            Bound::TimesPlus(factor, more) => format!(
                "{factor} × + {} = {}",
                self.unit.shown(more),
                self.unit.shown(self.limit())
            ),
        };
        let within = if ours.median() <= self.limit() {
            "within"
        } else {
            "over"
        };
        [
            self.name.clone(),
            spread,
            plain,
            ratio,
            bound,
            within.into(),
        ]
    }
}

impl Unit {
    fn number(self, value: f64) -> String {
        match self {
            Unit::Milliseconds if value >= 100.0 => format!("{value:.0}"),
            Unit::Milliseconds => format!("{value:.1}"),
            Unit::Mebibytes => format!("{value:.2}"),
            Unit::Percent => format!("{value:.3}"),
            Unit::Count => format!("{value:.0}"),
        }
    }

    fn shown(self, value: f64) -> String {
        let unit = match self {
            Unit::Milliseconds => "ms",
            Unit::Mebibytes => "MiB",
            Unit::Percent => "%",
            Unit::Count => return self.number(value),
        };
        format!("{} {unit}", self.number(value))
    }
}

/// All lines, and what could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<[String; 6]>,
    failures: Vec<String>,
}

impl Table {
    /// Takes a line, and shows it at once: the others may take long.
    pub(crate) fn add(&mut self, line: Line) {
        let cells = line.cells();
        eprintln!("  {}", cells.join("  "));
        self.rows.push(cells);
    }

    /// Takes a measurement that failed.
    pub(crate) fn add_failure(&mut self, name: &str, why: &str) {
        eprintln!("  failed: {why}");
        let blank = || "-".to_string();
        self.rows.push([
            name.into(),
            blank(),
            blank(),
            blank(),
            blank(),
            "failed".into(),
        ]);
        self.failures.push(format!("{name}: {why}"));
    }

    /// Whether everything was measured.
    pub(crate) fn complete(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text =
            "WHAT\tOURS: MEDIAN (LEAST..MOST)\tPLAIN: MEDIAN\tRATIO\tBOUND\t\n".to_string();
        for row in &self.rows {
            writeln!(text, "{}", row.join("\t"))?;
        }
        let mut aligned = tabwriter::TabWriter::new(Vec::new()).padding(2);
        aligned.write_all(text.as_bytes()).map_err(|_| fmt::Error)?;
        let aligned = aligned.into_inner().map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&aligned))?;
        for failure in &self.failures {
            write!(f, "\nfailed: {failure}")?;
        }
        Ok(())
    }
}
