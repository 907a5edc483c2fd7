//! What machines of a lab have left behind: looked for with the kernel's and the distribution's own means, not with the
//! program under test.

use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::lab::Lab;

/// Everything that a machine consists of and that should be gone when there is none.
pub fn of_machines(lab: &Lab) -> Vec<String> {
    let mut found = running(lab);
    for folder in ["machines", "volumes", "snapshots", "locks"] {
        found.extend(files(&lab.data_dir().join(folder)));
        // Duties are nobody's machine.
        let duties = [
            "locks/supervisor",
            "locks/stand-in",
            "locks/attend",
            "locks/networks",
        ];
        found.retain(|file| !duties.iter().any(|duty| file.ends_with(duty)));
    }
    for table in [
        "machines",
        "volumes",
        "snapshots",
        "addresses",
        "operations",
        "ports",
    ] {
        let count = rows(lab, table);
        if count > 0 {
            found.push(format!("{count} rows in {table}"));
        }
    }
    found
}

/// What of machines is alive: processes, namespaces, links, firewall elements.
pub fn running(lab: &Lab) -> Vec<String> {
    let mut found = Vec::new();
    // The attendant goes by itself once the last machine is down.
    let begun = Instant::now();
    while attendant(lab).is_some() && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    found.extend(processes(lab).iter().map(|pid| format!("process {pid}")));
    found.extend(
        namespaces(lab)
            .iter()
            .map(|name| format!("namespace {name}")),
    );
    let links = lab.inside("ip -o link");
    let links = links.lines().filter_map(|line| line.split(": ").nth(1));
    found.extend(
        links
            .filter(|name| !matches!(*name, "lo" | "sistemo0"))
            .map(|name| format!("link {name}")),
    );
    let rules = lab.inside("nft list ruleset");
    found.extend(
        rules
            .lines()
            .filter(|line| line.contains("veth-"))
            .map(|line| format!("rule {}", line.trim())),
    );
    found
}

/// Processes that have the lab's data directory on their command line.
pub fn processes(lab: &Lab) -> Vec<i32> {
    let data = lab.data_dir().display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&data) {
            found.push(pid);
        }
    }
    found
}

/// The process that attends to the lab's machines.
pub fn attendant(lab: &Lab) -> Option<i32> {
    let attends = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.ends_with(b"\0attend\0")
    };
    processes(lab).into_iter().find(attends)
}

/// Namespaces of machines whose home is the lab: their links bear its mark, its device and inode numbers.
pub fn namespaces(lab: &Lab) -> Vec<String> {
    let home = Path::new("/run/netns").join(&lab.namespace);
    let home = std::fs::metadata(home).unwrap();
    let mark = format!("sistemo home {}:{}", home.st_dev(), home.st_ino());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/run/netns").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("sistemo-") || name.starts_with("sistemo-test-") {
            continue;
        }
        // One that goes while it is looked at is not the lab's: the lab's commands have ended.
        let links = Command::new("ip")
            .args(["-n", &name, "-d", "link"])
            .output()
            .unwrap();
        if String::from_utf8_lossy(&links.stdout).contains(&mark) {
            found.push(name);
        }
    }
    found
}

/// Identifiers of the machines in the store.
pub fn machines(lab: &Lab) -> Vec<String> {
    let Some(store) = store(lab) else {
        return Vec::new();
    };
    let mut query = store.prepare("SELECT id FROM machines").unwrap();
    let ids = query.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

/// A field of a machine's row as text.
pub fn field(lab: &Lab, name: &str, column: &str) -> String {
    let store = store(lab).unwrap();
    let query = format!("SELECT CAST({column} AS TEXT) FROM machines WHERE name = ?");
    let value: Option<String> = store.query_row(&query, [name], |row| row.get(0)).unwrap();
    value.unwrap_or_default()
}

/// What helps to understand a test that failed.
pub fn show(lab: &Lab) {
    for id in machines(lab) {
        let log = lab
            .data_dir()
            .join("machines")
            .join(&id)
            .join("console.log");
        let log = std::fs::read(log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(25)..].join("\n");
        eprintln!("--- boot log of {id} ends with:\n{last}");
    }
}

/// What a program wrote, once it has succeeded.
#[track_caller]
pub fn output(line: &str) -> String {
    let words = shlex::split(line).unwrap();
    let done = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{line}: {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| format!("file {}", entry.path().display()))
        .collect()
}

fn rows(lab: &Lab, table: &str) -> i64 {
    let Some(store) = store(lab) else { return 0 };
    let query = format!("SELECT count(*) FROM {table}");
    store.query_row(&query, [], |row| row.get(0)).unwrap()
}

pub fn store(lab: &Lab) -> Option<rusqlite::Connection> {
    let path = lab.data_dir().join("sistemo.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    path.exists()
        .then(|| rusqlite::Connection::open_with_flags(path, flags).unwrap())
}

/// What a query gives, each value as text.
pub fn rows_of(store: &rusqlite::Connection, query: &str) -> Vec<Vec<String>> {
    let mut query = store.prepare(query).unwrap();
    let width = query.column_count();
    let rows = query.query_map([], |row| {
        (0..width)
            .map(|column| {
                Ok(match row.get_ref(column)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                    _ => String::new(),
                })
            })
            .collect()
    });
    rows.unwrap().map(Result::unwrap).collect()
}
