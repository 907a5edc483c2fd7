//! How fast Sistemo is beside the plain tools, on this computer and in this run: one table of ratios.
//!
//! `cargo bench` measures every row, `cargo bench -- WORD…` those whose names hold one of the words. Ours and the plain
//! tool take turns, and medians are compared, so that whatever else the computer does meets both alike. Machines live
//! in a network namespace and a data directory of their own. It needs root and what `.ci/run` installs; kernels,
//! images and layers are kept from run to run in `$SISTEMO_TEST_CACHE`, by default `/var/cache/sistemo-tests`.

#[path = "ratios/boot.rs"]
mod boot;
#[path = "ratios/boot_log.rs"]
mod boot_log;
#[path = "ratios/console.rs"]
mod console;
#[path = "ratios/contain.rs"]
mod contain;
#[path = "ratios/cp.rs"]
mod cp;
#[path = "ratios/daemon.rs"]
mod daemon;
#[path = "ratios/deploy.rs"]
mod deploy;
#[path = "../tests/support/emulated.rs"]
#[expect(
    clippy::unwrap_used,
    reason = "the tests' driver, which fails as tests do"
)]
mod emulated;
#[path = "ratios/enter.rs"]
mod enter;
#[path = "ratios/firecracker.rs"]
mod firecracker;
#[path = "ratios/grow.rs"]
mod grow;
#[path = "ratios/guest.rs"]
mod guest;
#[path = "../tests/support/keys.rs"]
mod keys;
#[path = "ratios/lab.rs"]
mod lab;
#[path = "ratios/layers.rs"]
mod layers;
#[path = "ratios/list.rs"]
mod list;
#[path = "ratios/measure.rs"]
mod measure;
#[path = "ratios/network.rs"]
mod network;
#[path = "ratios/pull.rs"]
mod pull;
#[path = "../tests/support/screen.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "the tests' driver, which fails as tests do, and of which this needs a part"
)]
mod screen;
#[path = "ratios/shells.rs"]
mod shells;
#[path = "ratios/snapshot.rs"]
mod snapshot;
#[path = "ratios/table.rs"]
mod table;
#[path = "ratios/web/mod.rs"]
mod web;

use std::process::ExitCode;

use lab::Lab;
use table::{Line, Table};

/// Anything that keeps a row from being measured.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures one row, or a few that belong together.
type Measure = fn(&Lab) -> Outcome<Vec<Line>>;

/// The rows: their names, by which they are chosen, and how they are measured.
const ROWS: &[(&str, Measure)] = &[
    ("guest program", guest::measure),
    ("machine list", list::measure),
    ("deploy host work", deploy::measure),
    ("boot to ssh", boot::measure),
    ("firecracker launch", firecracker::measure),
    ("launch contained", contain::measure),
    ("snapshot restore and fork", snapshot::measure),
    ("exec true", enter::exec_true),
    ("exec cat", enter::exec_cat),
    ("cp large", cp::large),
    ("cp small", cp::small),
    ("oci pull", pull::measure),
    ("network set-up", network::measure),
    ("volume resize", grow::measure),
    ("daemon walk", daemon::walk),
    ("daemon idle and crash", daemon::rest),
    ("console first frame and keys", console::thousand),
    ("console idle", console::idle),
    ("console boot log", boot_log::measure),
    ("console cat", shells::cat),
    ("console memory", shells::memory),
    ("browser output", web::output),
    ("browser echo", web::echo),
    ("browser many terminals", web::many),
    ("api machines", web::thousand),
];

fn main() -> ExitCode {
    firecracker::stand_in();
    // cargo passes --bench along.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let chosen: Vec<_> = ROWS
        .iter()
        .filter(|(name, _)| {
            words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
        })
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "error: no row has such a name\nhint: the rows are {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    let lab = match Lab::new() {
        Ok(lab) => lab,
        Err(error) => {
            eprintln!("error: the benchmark cannot begin: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut table = Table::default();
    for (name, measure) in chosen {
        eprintln!("measuring {name} …");
        match measure(&lab) {
            Ok(lines) => lines.into_iter().for_each(|line| table.add(line)),
            Err(error) => table.add_failure(name, &error.to_string()),
        }
    }
    drop(lab);
    println!("\n{table}");
    match table.complete() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
