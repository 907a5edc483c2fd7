//! What the machine calls itself and others: host name, `/etc/hosts`, `/etc/resolv.conf`, and word to the image's
//! network daemons that the interface is set up already.
//!
//! Written anew at each start, since the host may have renamed the machine. Of `/etc/hosts` only a marked block is
//! ours; what a user adds around it stays.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sistemo::guest::words::{Config, Network};

use crate::text;

/// Why a machine keeps an old name.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot set the host name")]
    Name(#[source] nix::Error),
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

const BEGIN: &str = "# sistemo: begin (rewritten at each start)";
const END: &str = "# sistemo: end";

/// Writes all of it, each part whatever became of the others; what went wrong. The kernel's host name needs no writable
/// root. `for_init`: whether an init will run that may start daemons for the network.
pub fn write(config: &Config, for_init: bool) -> Vec<IdentityError> {
    let name = nix::unistd::sethostname(&config.hostname).map_err(IdentityError::Name);
    let hosts = text::read(Path::new("/etc/hosts")).unwrap_or_default();
    let mut files = vec![
        ("/etc/hostname", format!("{}\n", config.hostname)),
        ("/etc/hosts", hosts_file(&hosts, config)),
    ];
    if let Some(network) = &config.network {
        if for_init {
            // For this start only: `/run` is memory.
            let networkd = networkd(network);
            files.push(("/run/systemd/network/00-sistemo.network", networkd));
            let manager = network_manager(network);
            files.push(("/run/NetworkManager/conf.d/00-sistemo.conf", manager));
        }
        if !network.dns.is_empty() {
            files.push(("/etc/resolv.conf", resolver(network)));
        }
    }
    let written = files.iter().map(|(path, text)| put(Path::new(path), text));
    std::iter::once(name)
        .chain(written)
        .filter_map(Result::err)
        .collect()
}

/// Replaces a file's text in one step. A link is replaced, not followed: the one of `/etc/resolv.conf` leads to a
/// daemon's file under `/run`, which is not there yet.
pub fn put(path: &Path, text: &str) -> Result<(), IdentityError> {
    put_bytes(path, text.as_bytes())
}

/// The same with what is no text.
pub fn put_bytes(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Write {
        path: path.to_owned(),
        source,
    };
    let is_file = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
    if is_file && std::fs::read(path).is_ok_and(|now| now == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".sistemo");
    let new = path.with_file_name(name);
    // Left over from a start that was cut short; a link would be followed.
    let _ = std::fs::remove_file(&new);
    let mut file = File::create_new(&new).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if is_file && let Ok(meta) = path.metadata() {
        // As it was, where someone chose other permissions.
        let _ = std::fs::set_permissions(&new, meta.permissions());
    }
    std::fs::rename(&new, path).map_err(failed)
}

/// The new text of `/etc/hosts`.
pub fn hosts_file(now: &str, config: &Config) -> String {
    let others = without_block(now);
    let mut text = String::new();
    for line in &others {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{BEGIN}");
    if !others
        .iter()
        .any(|line| names(line).any(|name| name == "localhost"))
    {
        text.push_str("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    }
    match &config.network {
        Some(network) => {
            let _ = writeln!(
                text,
                "{} {}",
                network.address,
                full_names(&config.hostname, &network.search)
            );
        }
        None => {
            // Debian's address for a name without a network (hosts(5), Debian reference 5.1.1).
            let _ = writeln!(text, "127.0.1.1 {}", config.hostname);
        }
    }
    for host in &config.hosts {
        let _ = writeln!(text, "{} {}", host.address, host.names.join(" "));
    }
    let _ = writeln!(text, "{END}");
    text
}

/// `web.default web`: the full name first, so that `hostname -f` finds it.
fn full_names(name: &str, search: &[String]) -> String {
    match search.first() {
        Some(domain) => format!("{name}.{domain} {name}"),
        None => name.to_owned(),
    }
}

/// The lines outside the block. A block without an end, from a file that somebody cut, ends with the file.
fn without_block(text: &str) -> Vec<&str> {
    let mut inside = false;
    // A carriage return of the user's stays, and does not hide the block.
    let outside = |line: &&str| {
        let ours = inside || line.trim_end() == BEGIN;
        inside = ours && line.trim_end() != END;
        !ours
    };
    text.split_terminator('\n').filter(outside).collect()
}

/// The names on a line of `/etc/hosts`.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split('#')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
}

/// `/etc/resolv.conf`, resolv.conf(5).
pub fn resolver(network: &Network) -> String {
    let mut text = String::from("# written by sistemo at each start\n");
    for server in &network.dns {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !network.search.is_empty() {
        let _ = writeln!(text, "search {}", network.search.join(" "));
    }
    text
}

/// systemd-networkd, if the image runs it, keeps the interface as it is (systemd.network(5)).
pub fn networkd(network: &Network) -> String {
    let dns: String = network.dns.iter().fold(String::new(), |mut text, server| {
        let _ = writeln!(text, "DNS={server}");
        text
    });
    let Network {
        mac,
        address,
        prefix,
        gateway,
        mtu,
        ..
    } = network;
    let search = network.search.join(" ");
    format!(
        "[Match]\nMACAddress={mac}\n\n[Link]\nMTUBytes={mtu}\n\n[Network]\nAddress={address}/{prefix}\n\
         Gateway={gateway}\n{dns}Domains={search}\nKeepConfiguration=yes\nIPv6AcceptRA=no\n"
    )
}

/// NetworkManager leaves the interface alone (NetworkManager.conf(5)).
pub fn network_manager(network: &Network) -> String {
    format!("[keyfile]\nunmanaged-devices=mac:{}\n", network.mac)
}

#[cfg(test)]
pub mod tests {
    use sistemo::guest::words::{Disk, Host};

    use super::*;

    pub fn config(name: &str) -> Config {
        Config {
            hostname: name.into(),
            network: Some(Network {
                mac: "52:54:00:00:00:01".into(),
                address: [10, 200, 0, 5].into(),
                prefix: 16,
                gateway: [10, 200, 0, 1].into(),
                dns: vec![[10, 200, 0, 1].into(), "fd00::1".parse().unwrap()],
                search: vec!["default".into()],
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
                address: [10, 200, 0, 1].into(),
                names: vec!["gateway".into(), "gw".into()],
            }],
            command: None,
        }
    }

    #[test]
    fn the_hosts_of_an_image_without_any() {
        let text = hosts_file("", &config("web"));
        let expected = format!(
            "{BEGIN}\n127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n\
             10.200.0.5 web.default web\n10.200.0.1 gateway gw\n{END}\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_user_s_lines_stay_and_the_block_is_replaced() {
        let first = hosts_file(
            "127.0.0.1\tlocalhost # loop\n192.0.2.1 mine\n",
            &config("web"),
        );
        assert!(!first.contains("ip6-loopback"));
        let edited = format!("{first}192.0.2.2 later\n");
        let second = hosts_file(&edited, &config("renamed"));
        assert!(
            second.starts_with("127.0.0.1\tlocalhost # loop\n192.0.2.1 mine\n192.0.2.2 later\n")
        );
        assert_eq!(second.matches(BEGIN).count(), 1);
        assert!(
            second.contains("10.200.0.5 renamed.default renamed\n") && !second.contains(" web")
        );
        assert_eq!(hosts_file(&second, &config("renamed")), second);
    }

    #[test]
    fn a_cut_block_ends_with_the_file() {
        let text = format!("192.0.2.1 mine\n{BEGIN}\n10.0.0.1 old\n");
        assert_eq!(without_block(&text), ["192.0.2.1 mine"]);
    }

    #[test]
    fn the_resolver_lists_servers_and_domains() {
        let network = config("web").network.unwrap();
        assert!(
            resolver(&network)
                .ends_with("nameserver 10.200.0.1\nnameserver fd00::1\nsearch default\n")
        );
    }

    #[test]
    fn a_dangling_link_is_replaced_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etc/resolv.conf");
        put(&path, "first\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        put(&path, "second\n").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/run/nowhere/stub.conf", &path).unwrap();
        // As if an earlier start had been cut short, or somebody wanted another file written.
        let other = dir.path().join("other");
        std::os::unix::fs::symlink(&other, path.with_file_name("resolv.conf.sistemo")).unwrap();
        put(&path, "third\n").unwrap();
        assert!(!other.exists());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third\n");
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }
}
