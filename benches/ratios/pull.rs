//! From a registry on this computer to a bootable disk, beside skopeo, umoci and mkfs.ext4.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;

use crate::Outcome;
use crate::lab::{Lab, run, settle_disks};
use crate::layers::Registry;
use crate::measure::{Samples, alternate};
use crate::table::{Bound, Line, Unit};

const ROUNDS: usize = 3;

pub(crate) fn measure(lab: &Lab) -> Outcome<Vec<Line>> {
    let registry = Registry::serve(lab)?;
    let reference = registry.reference();
    let mut resident = Vec::new();
    let ours = |round: usize| {
        let data = lab.scratch().join(format!("pull-{round}"));
        settle_disks();
        let mut command = lab.sistemo_in(&data);
        let began = Instant::now();
        let mut child = command
            .args(["image", "pull", &reference])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = std::io::read_to_string(child.stderr.take().ok_or("no stderr")?)?;
        let (status, kib) = wait(&child)?;
        let took = began.elapsed();
        if !status.success() {
            let said = said
                .lines()
                .find(|line| line.starts_with("error:"))
                .unwrap_or(&said);
            return Err(
                format!("`sistemo image pull {reference}` ended with {status}: {said}").into(),
            );
        }
        resident.push(kib as f64 / 1024.0);
        std::fs::remove_dir_all(&data)?;
        Ok(took)
    };
    let plain = |round: usize| plain(lab, &reference, round);
    let (ours, plain) = alternate(ROUNDS, ours, plain)?;
    Ok(vec![
        Line {
            name: "oci pull: 500 MB in 8 layers to a disk".into(),
            unit: Unit::Milliseconds,
            ours,
            plain: Some(("skopeo + umoci + mkfs.ext4".into(), plain)),
            bound: Bound::Times(0.7),
        },
        Line {
            name: "oci pull: peak memory".into(),
            unit: Unit::Mebibytes,
            ours: Samples::new(resident)?,
            plain: None,
            // 150 MB.
            bound: Bound::AtMost(150e6 / f64::from(1 << 20)),
        },
    ])
}

fn plain(lab: &Lab, reference: &str, round: usize) -> Outcome<Duration> {
    let folder = lab.scratch().join(format!("plain-{round}"));
    std::fs::create_dir(&folder)?;
    settle_disks();
    let began = Instant::now();
    run(Command::new("skopeo")
        .args([
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            &format!("docker://{reference}"),
        ])
        .arg(format!("oci:{}:image", folder.join("layout").display())))?;
    run(Command::new("umoci")
        .args(["unpack", "--image"])
        .arg(format!("{}:image", folder.join("layout").display()))
        .arg(folder.join("bundle")))?;
    run(Command::new("mkfs.ext4")
        .args(["-q", "-F", "-d"])
        .arg(folder.join("bundle/rootfs"))
        .arg(folder.join("disk.ext4"))
        .arg("2G"))?;
    let took = began.elapsed();
    std::fs::remove_dir_all(&folder)?;
    Ok(took)
}

/// Waits for a child and says how much memory it had at most, in KiB (wait4(2), getrusage(2)).
fn wait(child: &Child) -> Outcome<(ExitStatus, i64)> {
    let mut status = 0;
    // SAFETY: all zeroes is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = libc::pid_t::try_from(child.id())?;
    // SAFETY: both pointers lead to locals that outlive the call.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    match waited == pid {
        true => Ok((ExitStatus::from_raw(status), usage.ru_maxrss)),
        false => Err(std::io::Error::last_os_error().into()),
    }
}
