//! Names to addresses, for connections that are forwarded through the guest.
//!
//! `getaddrinfo` is out of reach of a static program. `/etc/hosts` is read here; any other name is asked of the image's
//! own `getent`, which knows how that image resolves (DNS, LDAP, mDNS).

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;

use crate::text;

/// All addresses of `host`, which may be an address itself; never empty.
pub async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(vec![address]);
    }
    let hosts = text::read(Path::new("/etc/hosts")).unwrap_or_default();
    let mut found = in_hosts(&hosts, host);
    if found.is_empty() && host.eq_ignore_ascii_case("localhost") {
        found.push([127, 0, 0, 1].into());
    }
    if found.is_empty() {
        found = getent(host).await?;
    }
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no address for {host}"),
        ));
    }
    Ok(found)
}

async fn getent(host: &str) -> io::Result<Vec<IpAddr>> {
    // No name begins so; to `getent` it would be an option. A `--` before it is a name to that of musl.
    if host.starts_with('-') {
        return Ok(Vec::new());
    }
    let output = tokio::process::Command::new("getent")
        .args(["ahosts", host])
        .env("PATH", "/usr/bin:/bin:/usr/local/bin")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .await?;
    Ok(in_ahosts(&String::from_utf8_lossy(&output.stdout)))
}

/// The addresses that hosts(5) lists for `name`.
fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words
            .any(|word| word.eq_ignore_ascii_case(name))
            .then_some(address)
    };
    text.lines().filter_map(of_line).collect()
}

/// The addresses that `getent ahosts` printed, each once.
fn in_ahosts(text: &str) -> Vec<IpAddr> {
    let mut list = Vec::new();
    for address in text
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
    {
        if !list.contains(&address) {
            list.push(address);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_by_any_of_their_names() {
        let text = "127.0.0.1 localhost\n10.0.0.2\tweb web.default # the web\n# 10.0.0.3 web\n::1 localhost\n";
        assert_eq!(
            in_hosts(text, "WEB.default"),
            ["10.0.0.2".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(in_hosts(text, "localhost").len(), 2);
        assert!(in_hosts(text, "the").is_empty());
    }

    #[test]
    fn each_address_of_getent_comes_once() {
        let text = "10.0.0.9   STREAM web\n10.0.0.9   DGRAM\nfe80::1 STREAM\n";
        assert_eq!(in_ahosts(text).len(), 2);
    }
}
