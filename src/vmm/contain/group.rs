//! Control groups, version 2 (cgroups(7), Documentation/admin-guide/cgroup-v2.rst): what a hypervisor takes of the host's
//! memory, processors, disks and processes, as the kernel counts and limits it.
//!
//! They are `sistemo/MACHINE` under the root of the hierarchy that this program sees, whoever starts the machine: a
//! machine outlives the command or the daemon that starts it, and so it must not be in the group of either, which
//! `systemctl stop` or the end of a session may take down. The root of a container's hierarchy holds the container's
//! processes, and then has no controllers to give (the rule of no internal processes).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::enclosure::Limits;
use super::error::Error;
use super::mountinfo::mount_point;

/// The controllers that limits are asked of.
const WANTED: [&str; 4] = ["cpu", "io", "memory", "pids"];
/// The group that holds those of machines.
const ALL: &str = "sistemo";
/// The period that a share of the processors is counted in, in µs.
const PERIOD: u64 = 100_000;
/// How often a group is made anew that another command has removed the group above of.
const TRIES: usize = 100;

/// Those of the wanted controllers that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controllers(Vec<&'static str>);

impl Controllers {
    pub(super) fn of(text: &str) -> Self {
        let has = |name: &&str| text.split_whitespace().any(|word| word == *name);
        Controllers(WANTED.into_iter().filter(has).collect())
    }

    /// Those that there are not.
    pub fn missing(&self) -> Vec<&'static str> {
        let has = |name: &&str| !self.0.contains(name);
        WANTED.into_iter().filter(has).collect()
    }

    /// Their names.
    pub fn names(&self) -> &[&'static str] {
        &self.0
    }
}

fn root() -> Option<PathBuf> {
    mount_point(&fs::read_to_string("/proc/self/mountinfo").ok()?, "cgroup2")
}

/// The controllers that machines' groups can have, or why they can have none. Changes nothing.
pub(super) fn available() -> Result<Controllers, String> {
    let root = root().ok_or("control groups of version 2 are not mounted")?;
    let read = |name: &str| fs::read_to_string(root.join(name));
    let shown = root.display();
    let controllers = Controllers::of(&read("cgroup.controllers").unwrap_or_default());
    if controllers.0.is_empty() {
        return Err(format!(
            "the control groups of version 2 at {shown} have none of the controllers {}",
            WANTED.join(", ")
        ));
    }
    // Only groups below the root have this file; those with processes in them pass no controllers on.
    let enclosed = root.join("cgroup.type").exists();
    let passed = Controllers::of(&read("cgroup.subtree_control").unwrap_or_default());
    if enclosed && passed.0.is_empty() && !read("cgroup.procs").unwrap_or_default().is_empty() {
        return Err(format!(
            "the control group at {shown} holds this container's processes"
        ));
    }
    let writable = nix::unistd::access(&root, nix::unistd::AccessFlags::W_OK);
    match writable {
        Ok(()) => Ok(controllers),
        Err(errno) => Err(format!(
            "the control groups at {shown} cannot be changed: {errno}"
        )),
    }
}

/// Makes the group of a machine with its limits, unless there can be none here. Its hypervisor enters it by writing `0`
/// to the file that comes back. `devices` are the numbers of the file systems' devices that its disks lie on.
pub(super) fn make(machine: &str, limits: &Limits, devices: &[u64]) -> Result<Option<File>, Error> {
    let (Ok(_), Some(root)) = (available(), root()) else {
        return Ok(None);
    };
    let all = root.join(ALL);
    let group = all.join(machine);
    let failed = Error::path("make the control group", &group);
    pass_on(&root);
    // Whoever removes the last machine's group removes the one above, too, perhaps just now.
    let mut made = make_once(&all, &group);
    for _ in 0..TRIES {
        match &made {
            Err(error) if error.kind() == io::ErrorKind::NotFound => made = make_once(&all, &group),
            _ => break,
        }
    }
    let made = made.map_err(&failed)?;
    let has =
        Controllers::of(&fs::read_to_string(group.join("cgroup.controllers")).map_err(&failed)?);
    for (file, text) in settings(limits, &has) {
        let path = group.join(file);
        fs::write(&path, text).map_err(Error::path("write", &path))?;
    }
    if let (true, Some(iops)) = (has.0.contains(&"io"), limits.iops) {
        for device in devices.iter().filter_map(|device| whole_disk(*device)) {
            // The hypervisor limits its guest by itself, and this limits the hypervisor: a file system makes more of a
            // guest's requests. A file system without a disk of its own (Btrfs, tmpfs) has none that could be limited.
            let most = u64::from(iops) * 4;
            let limit = format!("{device} riops={most} wiops={most}");
            let _ = fs::write(group.join("io.max"), limit);
        }
    }
    Ok(Some(made))
}

fn make_once(all: &Path, group: &Path) -> io::Result<File> {
    for folder in [all, group] {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if folder == all {
            pass_on(all);
        }
    }
    OpenOptions::new()
        .write(true)
        .open(group.join("cgroup.procs"))
}

/// Has a group's controllers be those of the groups in it, each that can be.
fn pass_on(group: &Path) {
    let control = group.join("cgroup.subtree_control");
    let Ok(mut file) = OpenOptions::new().write(true).open(control) else {
        return;
    };
    for name in WANTED {
        let _ = file.write(format!("+{name}").as_bytes());
    }
}

/// The files of a machine's group, and what is written to each.
fn settings(limits: &Limits, has: &Controllers) -> Vec<(&'static str, String)> {
    let vcpus = u64::from(limits.vcpus);
    let mut settings = Vec::new();
    for controller in has.names() {
        match *controller {
            // A machine's share is as large as it has processors, and one more is for the work that the hypervisor does
            // beside them.
            "cpu" => {
                settings.push(("cpu.weight", (100 * vcpus.max(1)).min(10_000).to_string()));
                settings.push(("cpu.max", format!("{} {PERIOD}", (vcpus + 1) * PERIOD)));
            }
            "memory" => {
                settings.push(("memory.max", limits.memory.to_string()));
                settings.push(("memory.oom.group", "1".into()));
            }
            "pids" => settings.push(("pids.max", limits.processes.to_string())),
            _ => {}
        }
    }
    settings
}

/// The disk that a device is, or is a partition of, as `MAJOR:MINOR`.
fn whole_disk(device: u64) -> Option<String> {
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let folder = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    if !folder.join("partition").exists() {
        return Some(format!("{major}:{minor}"));
    }
    let number = fs::read_to_string(folder.parent()?.join("dev")).ok()?;
    Some(number.trim().into())
}

/// Removes the group of a machine whose processes have ended, and the one above with the last. Fine when there is none.
pub(super) fn remove(machine: &str) -> Result<(), Error> {
    let Some(root) = root() else { return Ok(()) };
    let all = root.join(ALL);
    let group = all.join(machine);
    // Where nothing may be removed, what is not there is no failure either.
    if !group.exists() {
        return Ok(());
    }
    match fs::remove_dir(&group) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::path("remove the control group", &group)(error));
        }
        _ => {}
    }
    // Others' groups may be in it.
    let _ = fs::remove_dir(&all);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_files() {
        let limits = Limits {
            processes: 130,
            open_files: 1024,
            file_size: 1,
            data: 2,
            memory: 1 << 30,
            vcpus: 2,
            iops: None,
        };
        let all = Controllers::of("cpuset cpu io memory hugetlb pids rdma misc");
        assert!(all.missing().is_empty());
        assert_eq!(
            settings(&limits, &all),
            [
                ("cpu.weight", "200".to_string()),
                ("cpu.max", "300000 100000".into()),
                ("memory.max", "1073741824".into()),
                ("memory.oom.group", "1".into()),
                ("pids.max", "130".into()),
            ]
        );
        let few = Controllers::of("hugetlb pids");
        assert_eq!(few.missing(), ["cpu", "io", "memory"]);
        assert_eq!(settings(&limits, &few).len(), 1);
    }

    #[test]
    fn a_machine_without_a_group_has_none_to_remove() {
        remove("no-such-machine").unwrap();
    }
}
