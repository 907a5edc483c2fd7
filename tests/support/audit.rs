//! The auditor: compares what the store says with what there is, in both directions, with the kernel's and the
//! distribution's own means. Called when no command is under way.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use ipnet::Ipv4Net;
use rusqlite::Connection;
use serde_json::Value;

use super::lab::Lab;
use super::left;

/// What should be there, and what is. Each thing is a line of words.
#[derive(Default)]
struct Books {
    wanted: BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Books {
    fn want(&mut self, thing: impl Into<String>) {
        self.wanted.insert(thing.into());
    }

    fn find(&mut self, thing: impl Into<String>) {
        self.found.insert(thing.into());
    }
}

/// The differences between the store and the world; none when all is well.
pub fn differences(lab: &Lab) -> Vec<String> {
    let mut books = Books::default();
    let store = left::store(lab).expect("a store");
    machines(&mut books, &store);
    unfinished(&mut books, &store);
    networks(&mut books, &store, lab);
    links(&mut books, lab);
    elements(&mut books, lab);
    files(&mut books, &store, lab);
    processes(&mut books, lab);
    owners(&mut books, &store, lab);
    let missing = books.wanted.difference(&books.found);
    let extra = books.found.difference(&books.wanted);
    missing
        .map(|thing| format!("missing: {thing}"))
        .chain(extra.map(|thing| format!("extra: {thing}")))
        .collect()
}

/// Runs `e2fsck` on copies of all disks that no hypervisor has, and gives what is wrong with them. What a file system
/// puts right by itself when it is mounted, after its guest was cut off, is not wrong.
pub fn damaged_disks(lab: &Lab) -> Vec<String> {
    let store = left::store(lab).expect("a store");
    let disks = left::rows_of(
        &store,
        "SELECT volumes.path FROM volumes LEFT JOIN machines ON machines.id = machine_id \
         WHERE coalesce(status, '') NOT IN ('running', 'paused')",
    );
    let mut wrong = Vec::new();
    for disk in disks {
        let copy = lab.data_dir().join("examined.ext4");
        left::output(&format!(
            "cp --sparse=always {} {}",
            disk[0],
            copy.display()
        ));
        for way in ["-fp", "-fn"] {
            let done = Command::new("e2fsck").arg(way).arg(&copy).output().unwrap();
            if done.status.code().is_none_or(|code| code >= 4) {
                let said = String::from_utf8_lossy(&done.stdout);
                wrong.push(format!("{}: {way}: {said}", disk[0]));
            }
        }
        std::fs::remove_file(copy).unwrap();
    }
    wrong
}

/// Each machine is at rest; all that a running one consists of is wanted.
fn machines(books: &mut Books, store: &Connection) {
    let query = "SELECT machines.id, machines.name, status, pid, machines.ip, machines.mac, bridge \
                 FROM machines LEFT JOIN networks ON networks.name = network";
    for row in left::rows_of(store, query) {
        let [id, name, status, pid, ip, mac, bridge] = &row[..] else {
            unreachable!()
        };
        if !["running", "paused", "stopped", "failed"].contains(&status.as_str()) {
            books.find(format!("machine {name} that is {status}"));
        }
        if !["running", "paused"].contains(&status.as_str()) {
            if !pid.is_empty() {
                books.find(format!("pid {pid} written down for {name}"));
            }
            continue;
        }
        let short = &id[..8];
        let (port, namespace) = (format!("veth-{short}"), format!("sistemo-{short}"));
        books.want(format!("process {pid}"));
        books.want(format!("namespace {namespace}"));
        books.want(format!("link {port} on {bridge}"));
        books.want(format!("link br0 in {namespace}"));
        books.want(format!("link tap0 on br0 in {namespace}"));
        books.want(format!("link uplink on br0 in {namespace}"));
        books.want(format!("element owners {ip} {port}"));
        books.want(format!("element guests {port} {mac} {ip}"));
        books.want(format!("element ports {port}"));
        let ports = format!(
            "SELECT protocol, host_port, machine_port FROM ports WHERE machine_id = '{id}'"
        );
        for row in left::rows_of(store, &ports) {
            let (protocol, host, machine) = (&row[0], &row[1], &row[2]);
            books.want(format!("element published {protocol} {host} {ip}"));
            books.want(format!("element published_as {protocol} {host} {machine}"));
        }
    }
}

/// What machines had of the host that do not run is the program's again: files are its, and there is no control group.
fn owners(books: &mut Books, store: &Connection, lab: &Lab) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let groups = mounts.lines().find(|line| line.contains(" cgroup2 "));
    let groups = groups
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or("/none");
    let query = "SELECT machines.id, volumes.path FROM machines \
                 JOIN volumes ON volumes.machine_id = machines.id WHERE status NOT IN ('running', 'paused') \
                 UNION SELECT '', path FROM volumes WHERE machine_id IS NULL";
    for row in left::rows_of(store, query) {
        let (id, volume) = (&row[0], &row[1]);
        let mut files = vec![volume.into()];
        if !id.is_empty() {
            let folder = lab.data_dir().join("machines").join(id);
            let entries = std::fs::read_dir(folder).unwrap().flatten();
            files.extend(entries.map(|entry| entry.path()));
            let group = Path::new(groups).join("sistemo").join(id);
            if group.exists() {
                books.find(format!("control group {}", group.display()));
            }
        }
        for file in files {
            let Ok(facts) = std::fs::symlink_metadata(&file) else {
                continue;
            };
            let user = facts.st_uid();
            if user != 0 {
                books.find(format!("file {} of user {user}", file.display()));
            }
        }
    }
}

/// Nothing is said to be under way.
fn unfinished(books: &mut Books, store: &Connection) {
    let kinds = [
        ("operation", "SELECT kind, step FROM operations"),
        (
            "volume",
            "SELECT name, doing FROM volumes WHERE doing IS NOT NULL",
        ),
        (
            "snapshot",
            "SELECT name, doing FROM snapshots WHERE doing IS NOT NULL OR passing OR machine_id IS NULL",
        ),
        ("ports of", "SELECT name FROM machines WHERE unsettled"),
        ("network", "SELECT name FROM networks WHERE unsettled"),
        (
            "address without a machine",
            "SELECT ip FROM addresses WHERE machine_id NOT IN (SELECT id FROM machines)",
        ),
        (
            "machine without an address",
            "SELECT name FROM machines WHERE id NOT IN (SELECT machine_id FROM addresses)",
        ),
        (
            "machine without a root disk",
            "SELECT name FROM machines WHERE id NOT IN \
             (SELECT machine_id FROM volumes WHERE role = 'root' AND machine_id IS NOT NULL)",
        ),
    ];
    for (what, query) in kinds {
        for row in left::rows_of(store, query) {
            books.find(format!("unfinished {what} {}", row.join(" ")));
        }
    }
}

/// A network that has a bridge, or should have one, has all of it.
fn networks(books: &mut Books, store: &Connection, lab: &Lab) {
    let bridges = lab.inside("ip -o link show type bridge");
    let used = left::rows_of(
        store,
        "SELECT DISTINCT network FROM machines WHERE status IN ('running', 'paused')",
    );
    for row in left::rows_of(store, "SELECT name, subnet, bridge FROM networks") {
        let (name, bridge) = (&row[0], &row[2]);
        if !bridges.contains(&format!(" {bridge}: ")) && !used.iter().any(|used| used[0] == *name) {
            continue;
        }
        let subnet: Ipv4Net = row[1].parse().unwrap();
        let gateway = Ipv4Addr::from(u32::from(subnet.network()) + 1);
        books.want(format!("link {bridge}"));
        books.want(format!(
            "address {gateway}/{} on {bridge}",
            subnet.prefix_len()
        ));
        books.want(format!("route {subnet} by {bridge}"));
        books.want(format!("element bridges {bridge}"));
        books.want(format!("element within {bridge} {bridge}"));
        books.want(format!("element gateways {bridge} {gateway}"));
        books.want(format!("element subnets {subnet}"));
    }
}

fn links(books: &mut Books, lab: &Lab) {
    for (name, on) in links_of(&lab.namespace) {
        books.find(format!("link {name}{on}"));
    }
    for namespace in left::namespaces(lab) {
        books.find(format!("namespace {namespace}"));
        for (name, on) in links_of(&namespace) {
            books.find(format!("link {name}{on} in {namespace}"));
        }
    }
    for link in json(&lab.inside("ip -j -4 address")) {
        let name = text(&link["ifname"]);
        for address in link["addr_info"].as_array().into_iter().flatten() {
            if name != "lo" {
                books.find(format!(
                    "address {}/{} on {name}",
                    text(&address["local"]),
                    address["prefixlen"]
                ));
            }
        }
    }
    for route in json(&lab.inside("ip -j -4 route")) {
        books.find(format!(
            "route {} by {}",
            text(&route["dst"]),
            text(&route["dev"])
        ));
    }
}

/// The links of a namespace but for its loopback, each with the bridge it is on.
fn links_of(namespace: &str) -> Vec<(String, String)> {
    let listed = left::output(&format!("ip -j -n {namespace} link"));
    json(&listed)
        .iter()
        .filter(|link| link["ifname"] != "lo")
        .map(|link| {
            let on = link["master"].as_str().map(|on| format!(" on {on}"));
            (text(&link["ifname"]), on.unwrap_or_default())
        })
        .collect()
}

/// The elements of Sistemo's sets and maps in the firewall.
fn elements(books: &mut Books, lab: &Lab) {
    let listed: Value = serde_json::from_str(&lab.inside("nft -j list ruleset")).unwrap();
    for item in listed["nftables"].as_array().unwrap() {
        let Some(set) = ["set", "map"].iter().find_map(|kind| item.get(kind)) else {
            continue;
        };
        for element in set["elem"].as_array().into_iter().flatten() {
            books.find(format!("element {} {}", text(&set["name"]), words(element)));
        }
    }
}

/// An element as words: its parts one after the other.
fn words(element: &Value) -> String {
    match element {
        Value::Array(parts) => parts.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => match (fields.get("prefix"), fields.get("concat")) {
            (Some(prefix), _) => format!("{}/{}", text(&prefix["addr"]), prefix["len"]),
            (_, Some(concat)) => words(concat),
            _ => element.to_string(),
        },
        other => text(other),
    }
}

fn files(books: &mut Books, store: &Connection, lab: &Lab) {
    let data = lab.data_dir();
    for row in left::rows_of(store, "SELECT id FROM machines") {
        books.want(format!(
            "file {}",
            data.join("machines").join(&row[0]).display()
        ));
    }
    for row in left::rows_of(store, "SELECT path FROM volumes") {
        books.want(format!("file {}", row[0]));
    }
    for row in left::rows_of(store, "SELECT id FROM snapshots") {
        books.want(format!(
            "file {}",
            data.join("snapshots").join(&row[0]).display()
        ));
    }
    for folder in ["machines", "volumes", "snapshots"] {
        for entry in std::fs::read_dir(data.join(folder)).unwrap().flatten() {
            books.find(format!("file {}", entry.path().display()));
        }
    }
    for row in left::rows_of(store, "SELECT digest FROM images") {
        books.want(format!("image {}", row[0].replace(':', "-")));
    }
    for row in left::rows_of(
        store,
        "SELECT digest FROM images WHERE digest NOT IN (SELECT digest FROM image_names)",
    ) {
        books.find(format!("image without a name {}", row[0]));
    }
    for entry in std::fs::read_dir(data.join("images")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Locks, and downloads that are gone on with.
        if !name.starts_with('.') && name != "blobs" {
            books.find(format!("image {}", name.trim_end_matches(".ext4")));
        }
    }
    // A lock's file may stay as long as what it locks.
    let owners = left::rows_of(
        store,
        "SELECT id FROM machines UNION SELECT id FROM volumes",
    );
    for entry in std::fs::read_dir(data.join("locks")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let duty = ["supervisor", "attend", "networks"].contains(&name.as_str());
        if !duty && !owners.iter().any(|owner| owner[0] == name) {
            books.find(format!("file {}", entry.path().display()));
        }
    }
    let data = data.display().to_string();
    for entry in std::fs::read_dir("/sys/block").unwrap().flatten() {
        let backing = std::fs::read_to_string(entry.path().join("loop/backing_file"));
        if backing.is_ok_and(|file| file.contains(&data)) {
            books.find(format!("loop device {}", entry.path().display()));
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    for mount in mounts.lines().filter(|line| line.contains(&data)) {
        books.find(format!("mount {mount}"));
    }
    for group in groups(Path::new("/sys/fs/cgroup")) {
        books.find(format!("cgroup {group}"));
    }
}

/// Control groups of machines, wherever they are below `folder`.
fn groups(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("sistemo-") {
            found.push(name);
        }
        found.extend(groups(&entry.path()));
    }
    found
}

/// Hypervisors; the daemon and the attendant are no machine's.
fn processes(books: &mut Books, lab: &Lab) {
    let hypervisor = |pid: &i32| {
        // One that has ended since it was listed has no command line.
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        !(line.is_empty() || line.ends_with(b"\0attend\0") || line.ends_with(b"\0up\0"))
    };
    for pid in left::processes(lab) {
        if hypervisor(&pid) {
            books.find(format!("process {pid}"));
        }
    }
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
