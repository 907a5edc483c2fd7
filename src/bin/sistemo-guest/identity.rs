//! Who the machine is: host name, hosts and resolver, written into the image before its init starts.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sistemo::guest::words::{Config, Network};

use crate::mounts::NEW_ROOT;
use crate::{Doing, Outcome, say};

/// Our lines in `/etc/hosts` stand between these; all others are the image's or the user's.
const BEGIN: &str = "# sistemo: begin, written at every start";
const END: &str = "# sistemo: end";

/// Writes it all. What cannot be written (a read-only root) is said on the console and does not keep the machine down.
pub(crate) fn write(config: &Config) {
    let steps = [
        nix::unistd::sethostname(&config.hostname).doing("setting the host name"),
        put("/etc/hostname", &format!("{}\n", config.hostname)),
        hosts(config),
        config.network.as_ref().map_or(Ok(()), resolver),
    ];
    for why in steps.into_iter().filter_map(Result::err) {
        say(&format!("sistemo-guest: {why}"));
    }
}

/// A path of the image, below where it is mounted now.
fn inside(path: &str) -> PathBuf {
    Path::new(NEW_ROOT).join(path.trim_start_matches('/'))
}

/// Writes a file of the image unless it reads so already. A link is replaced: it may lead out of the root, or to a file
/// that a service which is not there would have written.
fn put(path: &str, text: &str) -> Outcome {
    let place = inside(path);
    let link = fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_symlink());
    if !link && fs::read_to_string(&place).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).doing(format_args!("making the folder of {path}"))?;
    }
    if link {
        fs::remove_file(&place).doing(format_args!("replacing the link {path}"))?;
    }
    fs::write(&place, text).doing(format_args!("writing {path}"))
}

fn hosts(config: &Config) -> Outcome {
    let old = fs::read_to_string(inside("/etc/hosts")).unwrap_or_default();
    put("/etc/hosts", &merge_hosts(&old, config))
}

/// The hosts file with our block in place of the one that was there, and a loopback line if there was none.
fn merge_hosts(old: &str, config: &Config) -> String {
    let mut kept = String::new();
    let mut ours = false;
    for line in old.lines() {
        match line {
            BEGIN => ours = true,
            END => ours = false,
            _ if ours => {}
            _ => {
                let _ = writeln!(kept, "{line}");
            }
        }
    }
    let mut block = String::new();
    let known = |address: &str| {
        kept.lines()
            .any(|line| line.split_whitespace().next() == Some(address))
    };
    if !known("127.0.0.1") {
        block += "127.0.0.1 localhost\n";
    }
    if !known("::1") {
        block += "::1 localhost ip6-localhost ip6-loopback\n";
    }
    match &config.network {
        Some(network) => {
            let _ = writeln!(block, "{} {}", network.address, config.hostname);
        }
        None => {
            let _ = writeln!(block, "127.0.1.1 {}", config.hostname);
        }
    }
    for host in &config.hosts {
        let _ = writeln!(block, "{} {}", host.address, host.names.join(" "));
    }
    format!("{kept}{BEGIN}\n{block}{END}\n")
}

fn resolver(network: &Network) -> Outcome {
    let mut text = String::from("# written by sistemo at every start\n");
    for server in &network.dns {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !network.search.is_empty() {
        let _ = writeln!(text, "search {}", network.search.join(" "));
    }
    put("/etc/resolv.conf", &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sistemo::guest::words::{Disk, Host};

    fn config() -> Config {
        Config {
            hostname: "web".into(),
            network: Some(Network {
                mac: "06:00:0a:c8:00:02".into(),
                address: [10, 200, 0, 2].into(),
                prefix: 16,
                gateway: [10, 200, 0, 1].into(),
                dns: Vec::new(),
                search: Vec::new(),
                mtu: 1500,
            }),
            authorized_keys: Vec::new(),
            host_key: String::new(),
            root: Disk {
                serial: "root".into(),
                index: 0,
                read_only: false,
            },
            volumes: Vec::new(),
            modules: None,
            hosts: vec![Host {
                address: [10, 200, 0, 3].into(),
                names: vec!["db".into()],
            }],
            command: None,
        }
    }

    #[test]
    fn our_block_is_replaced_and_everything_else_is_kept() {
        let first = merge_hosts("127.0.0.1 localhost\n192.0.2.1 mine\n", &config());
        assert_eq!(
            first,
            format!(
                "127.0.0.1 localhost\n192.0.2.1 mine\n{BEGIN}\n::1 localhost ip6-localhost \
                 ip6-loopback\n10.200.0.2 web\n10.200.0.3 db\n{END}\n"
            )
        );
        assert_eq!(merge_hosts(&first, &config()), first);
        let renamed = Config {
            hostname: "www".into(),
            ..config()
        };
        assert!(!merge_hosts(&first, &renamed).contains(" web\n"));
    }

    #[test]
    fn an_image_without_a_hosts_file_gets_a_whole_one() {
        let text = merge_hosts("", &config());
        assert!(text.contains("127.0.0.1 localhost\n") && text.contains("10.200.0.2 web\n"));
    }
}
