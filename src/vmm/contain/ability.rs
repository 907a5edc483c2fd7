//! What this host lets be done about containment. Only looks.

use std::fs;

use super::group::{self, Controllers};
use super::mountinfo::is_on_initramfs;
use super::owner::Owner;

/// Capabilities that containing takes, by their bits (linux/capability.h): chown, dac_override, fowner, setgid, setuid,
/// setpcap, net_admin, sys_admin, mknod.
const NEEDED: [(u32, &str); 9] = [
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (3, "CAP_FOWNER"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (8, "CAP_SETPCAP"),
    (12, "CAP_NET_ADMIN"),
    (21, "CAP_SYS_ADMIN"),
    (27, "CAP_MKNOD"),
];

/// What can be had here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ability {
    /// Why hypervisors cannot have users, mounts and processes of their own, if they cannot.
    pub obstacle: Option<String>,
    /// The controllers that control groups can have, or why there are none.
    pub controllers: Result<Controllers, String>,
}

impl Ability {
    /// Looks at this process and its host.
    pub fn look() -> Ability {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (status, uid_map) = (read("/proc/self/status"), read("/proc/self/uid_map"));
        let obstacle = obstacle(&status, &uid_map).or_else(|| {
            let why = "this host's root is an initramfs, which a process cannot leave";
            is_on_initramfs(&read("/proc/self/mountinfo")).then(|| why.into())
        });
        Ability {
            obstacle,
            controllers: group::available(),
        }
    }

    /// Why machines' memory, processors, disks and processes are not limited by control groups, if they are not.
    pub fn ungrouped(&self) -> Option<String> {
        match &self.controllers {
            Err(why) => Some(why.clone()),
            Ok(controllers) => {
                let missing = controllers.missing();
                (!missing.is_empty())
                    .then(|| format!("control groups lack the controllers {}", missing.join(", ")))
            }
        }
    }
}

/// By `/proc/self/status` and `/proc/self/uid_map` (proc(5), user_namespaces(7)).
fn obstacle(status: &str, uid_map: &str) -> Option<String> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let user = field("Uid:").and_then(|ids| ids.split_whitespace().nth(1));
    if user != Some("0") {
        return Some("this program does not run as root".into());
    }
    let has = field("CapEff:").and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    let has = has.unwrap_or(0);
    let lacks: Vec<&str> = NEEDED
        .iter()
        .filter(|(bit, _)| has & (1 << bit) == 0)
        .map(|(_, name)| *name)
        .collect();
    if !lacks.is_empty() {
        return Some(format!("root lacks {} here", lacks.join(", ")));
    }
    let last = u64::from(Owner::FIRST) + u64::from(Owner::COUNT);
    let maps = |line: &str| {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<u64>().ok());
        let (first, _, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(first <= u64::from(Owner::FIRST) && last <= first + count)
    };
    let mapped = uid_map.lines().any(|line| maps(line) == Some(true));
    (!mapped).then(|| {
        format!(
            "this container has no users {} to {}",
            Owner::FIRST,
            last - 1
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_named() {
        const ALL: &str = "         0          0 4294967295\n";
        let status = |uid: u32, caps: &str| format!("Uid:\t1\t{uid}\t1\t1\nCapEff:\t{caps}\n");
        assert_eq!(obstacle(&status(0, "000001fffeffffff"), ALL), None);
        let user = obstacle(&status(1000, "0"), ALL).unwrap();
        assert!(user.contains("root"), "{user}");
        let docker = obstacle(&status(0, "00000000a80425fb"), ALL).unwrap();
        assert_eq!(docker, "root lacks CAP_NET_ADMIN, CAP_SYS_ADMIN here");
        let container = obstacle(&status(0, "000001ffffffffff"), "0 100000 65536\n").unwrap();
        assert!(container.contains("2013265920"), "{container}");
    }
}
