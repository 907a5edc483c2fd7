//! The unit of systemd that runs the daemon, as text. Pure.
//!
//! What is in it, and why:
//!
//! - **Machines outlive the daemon.** Where hypervisors have no control groups of their own, those that it starts are in
//!   its: `KillMode=process` has systemd end the daemon alone, also when it fails or is restarted, and `OOMPolicy=continue`
//!   keeps it up when the kernel ends a machine for its memory.
//! - **No mount namespace.** Machines' network namespaces are mounts in `/run/netns`, which every command must see, and
//!   what is mounted in a service's own mount namespace stays in there. So none of the options that make one
//!   (`ProtectHome=`, `ProtectSystem=`, `PrivateTmp=`, `PrivateDevices=`, `ProtectKernelModules=` and the like) is here.
//! - **Hypervisors inherit the rest**, and so does whatever makes an image: software emulation writes code and runs it
//!   (no `MemoryDenyWriteExecute=`), a root file system has set-user-id programs, devices and a chroot. What neither
//!   needs is taken away: modules, clocks, raw I/O, reboots, swap, the kernel's log, realtime, user namespaces.

use std::path::{Path, PathBuf};

/// What the unit is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// This program.
    pub program: PathBuf,
    /// The data directory to watch over.
    pub data_dir: PathBuf,
    /// Settings that only the environment has, by variable.
    pub environment: Vec<(String, String)>,
}

/// Capabilities that the daemon, its hypervisors and its image builds do without (capabilities(7)).
const WITHOUT: &str = "CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_LEASE CAP_LINUX_IMMUTABLE CAP_MAC_ADMIN \
    CAP_MAC_OVERRIDE CAP_SYSLOG CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME \
    CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM";

/// The line of the unit by which its data directory is found again. systemd passes over such sections.
const DATA_DIR: &str = "DataDir=";

impl Service {
    /// The unit.
    pub fn unit(&self, environment_file: &Path) -> String {
        let (program, data_dir) = (quoted(&self.program), quoted(&self.data_dir));
        format!(
            "# Written by: sistemo service install. Taken away by: sistemo service remove.
[Unit]
Description=Sistemo, small virtual machines
Wants=network-online.target
# Firewalls that begin by throwing away everybody's rules come first.
After=network-online.target nftables.service firewalld.service ufw.service docker.service
RequiresMountsFor={data_dir}
# However often it fails: nobody else watches.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} --data-dir {data_dir} up
ExecReload=kill -HUP $MAINPID
EnvironmentFile=-{environment_file}
Restart=on-failure
RestartSec=2
# Settings that are wrong, and a daemon that somebody started by hand, do not go away by trying again.
RestartPreventExitStatus=2 4
WatchdogSec=30
TimeoutStartSec=5min
TimeoutStopSec=1min
# Machines outlive the daemon.
KillMode=process
OOMPolicy=continue
OOMScoreAdjust=-500
TasksMax=infinity
LimitNOFILE=524288
UMask=0077
# No option that gives the daemon mounts of its own: machines' network namespaces are mounts that all must see.
NoNewPrivileges=yes
CapabilityBoundingSet=~{WITHOUT}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=net mnt pid uts ipc
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target

[X-Sistemo]
{DATA_DIR}{plain}
",
            environment_file = environment_file.display(),
            plain = self.data_dir.display(),
        )
    }

    /// The settings as a file for `EnvironmentFile=`; none when there are none.
    pub fn environment_text(&self) -> Option<String> {
        let line = |(variable, value): &(String, String)| {
            let mut quoted = String::new();
            for letter in value.chars() {
                if matches!(letter, '"' | '\\' | '$' | '`') {
                    quoted.push('\\');
                }
                quoted.push(letter);
            }
            format!("{variable}=\"{quoted}\"\n")
        };
        let text: String = self.environment.iter().map(line).collect();
        (!text.is_empty()).then_some(text)
    }
}

/// The data directory of a unit that [`Service::unit`] wrote.
pub(super) fn data_dir_of(unit: &str) -> Option<PathBuf> {
    let path = unit.lines().find_map(|line| line.strip_prefix(DATA_DIR))?;
    Some(path.into())
}

/// A path as one word of a unit (systemd.syntax(7)): `%` begins a specifier and `$` a variable.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+:@,=".contains(c);
    if path.chars().all(plain) {
        return path;
    }
    let mut word = String::from("\"");
    for letter in path.chars() {
        match letter {
            '"' | '\\' => word.extend(['\\', letter]),
            '%' | '$' => word.extend([letter, letter]),
            _ => word.push(letter),
        }
    }
    word.push('"');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(data_dir: &str) -> Service {
        Service {
            program: "/usr/local/bin/sistemo".into(),
            data_dir: data_dir.into(),
            environment: vec![
                ("SISTEMO_UPLINK".into(), "eth1".into()),
                ("SISTEMO_KERNEL".into(), r#"/a "b" $c"#.into()),
            ],
        }
    }

    #[test]
    fn the_unit() {
        let service = service("/var/lib/sistemo");
        let unit = service.unit(Path::new("/etc/sistemo/service.env"));
        insta::assert_snapshot!(unit);
        let found = data_dir_of(&unit);
        assert_eq!(found.as_deref(), Some(Path::new("/var/lib/sistemo")));
        assert_eq!(
            service.environment_text().unwrap(),
            "SISTEMO_UPLINK=\"eth1\"\nSISTEMO_KERNEL=\"/a \\\"b\\\" \\$c\"\n"
        );
    }

    #[test]
    fn paths_are_words_of_their_own() {
        let of = |path: &str| quoted(Path::new(path));
        assert_eq!(of("/var/lib/sistemo"), "/var/lib/sistemo");
        assert_eq!(of("/srv/my data"), "\"/srv/my data\"");
        assert_eq!(of(r#"/a%b$c"d\e"#), r#""/a%%b$$c\"d\\e""#);
        let unit = service("/srv/my data").unit(Path::new("/etc/sistemo/service.env"));
        assert!(unit.contains("up\n") && unit.contains("RequiresMountsFor=\"/srv/my data\"\n"));
        assert_eq!(
            data_dir_of(&unit).as_deref(),
            Some(Path::new("/srv/my data"))
        );
    }
}
