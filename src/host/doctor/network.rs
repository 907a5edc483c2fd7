//! Whether this kernel and this user can make what a machine's network is made of: a namespace, and in it a bridge, a
//! tap on the bridge, and an nftables rule. All of it is made for real, by a thread in a namespace of its own, and is
//! gone when the thread ends.

use std::io::Write;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use rtnetlink::{LinkBridge, LinkUnspec};

use super::Check;
use crate::host::packages::Tool;
use crate::host::tap;

const NAME: &str = "network";

/// Rules of the kind that machines get: matching, counting, translating.
const RULES: &str = "\
table inet sistemo_doctor {
  chain forward { type filter hook forward priority filter; iifname \"bridge0\" ct state established accept; }
  chain nat { type nat hook postrouting priority srcnat; oifname \"uplink0\" masquerade; }
}
table bridge sistemo_doctor {
  chain guard { type filter hook prerouting priority 0; iifname \"tap0\" ether saddr != 02:00:00:00:00:01 drop; }
}
";

/// What failed, why, and how to mend it.
type Failure = (&'static str, String, &'static str);

pub(super) fn check() -> Check {
    match std::thread::spawn(everything).join() {
        Ok(Ok(())) => Check::good(NAME, "namespaces, bridges, taps and nftables work"),
        Ok(Err((what, why, mend))) => Check::bad(NAME, format!("cannot {what}: {why}"), mend),
        Err(_) => Check::bad(NAME, "the check itself failed", "report it"),
    }
}

fn everything() -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| {
        let mend = "run it as root: sudo sistemo doctor";
        ("make a network namespace", e.to_string(), mend)
    })?;
    let tap = tap::make("tap0").map_err(|e| {
        let mend = "load the kernel's module for taps: modprobe tun";
        ("make a tap", e.to_string(), mend)
    })?;
    bridge().map_err(|why| {
        let mend = "load the kernel's module for bridges: modprobe bridge";
        ("make a bridge with a tap on it", why, mend)
    })?;
    rules().map_err(|why| {
        let mend = "load the kernel's modules for nftables: modprobe -a nf_tables nft_masq nft_ct; and: sistemo setup";
        ("add nftables rules", why, mend)
    })?;
    drop(tap);
    Ok(())
}

fn bridge() -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    // A runtime of this thread's own: its netlink socket belongs to the thread's namespace.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| text(&e))?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|e| text(&e))?;
        tokio::spawn(connection);
        let links = handle.link();
        let bridge = LinkBridge::new("bridge0").up().build();
        links.add(bridge).execute().await.map_err(|e| text(&e))?;
        let index = |name| nix::net::if_::if_nametoindex(name).map_err(|e| text(&e));
        let tap = LinkUnspec::new_with_index(index("tap0")?)
            .controller(index("bridge0")?)
            .up()
            .build();
        links.change(tap).execute().await.map_err(|e| text(&e))
    })
}

/// nft inherits the thread's namespace.
fn rules() -> Result<(), String> {
    let program = Tool::Nft.find().ok_or("nft is not installed")?;
    let mut child = Command::new(program)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // What nft makes of an input cut short, it says itself.
        let _ = input.write_all(RULES.as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said.lines().next().unwrap_or("nft failed").to_string())
}
