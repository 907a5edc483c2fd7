//! Recipes: a real operating system, made on this computer by mmdebstrap(1) from the mirror that its apt uses.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::work::Work;
use super::{Error, Image, Images, disk};
use crate::event::Progress;

/// What a machine is to have beyond the smallest Debian.
const PACKAGES: &str = "apt,ca-certificates,curl,dbus,iproute2,kmod,less,login,openssh-server,passwd,\
     systemd,systemd-sysv,udev,vim-tiny";

/// A Debian release that there is a recipe for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    suite: &'static str,
}

impl Recipe {
    /// The recipe that a name means: `debian`, with a release's code name or number behind a colon.
    pub(super) fn named(name: &str) -> Option<Recipe> {
        let suite = match name {
            "debian" | "debian:bookworm" | "debian:12" => "bookworm",
            "debian:trixie" | "debian:13" => "trixie",
            _ => return None,
        };
        Some(Recipe { suite })
    }
}

/// What is put right in a fresh Debian before it is a machine's disk; run by mmdebstrap with the root as `$1`.
const FINISH: &str = r#"set -e
# Every machine makes SSH host keys of its own, before sshd looks for them.
rm -f "$1"/etc/ssh/ssh_host_*
mkdir -p "$1/etc/systemd/system/ssh.service.d"
printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' \
    >"$1/etc/systemd/system/ssh.service.d/host-keys.conf"
# There is neither a screen to log in on nor a second disk to look after.
for unit in getty@tty1.service e2scrub_reap.service; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$1/etc/systemd/system/default.target"
: >"$1/etc/fstab"
"#;

impl Images {
    /// Makes a recipe's image and gives it `name`.
    pub(super) async fn make_recipe(
        &self,
        recipe: Recipe,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let work = Work::new(&self.dir)?;
        let (root, made) = (work.join("root"), work.join("disk"));
        progress.step(format!("making Debian {} from its packages", recipe.suite));
        bootstrap(recipe, &root, &work.join("finish"), progress, cancel).await?;
        progress.step("writing the disk");
        let source = format!("recipe debian:{}", recipe.suite);
        let (images, name) = (self.clone(), name.to_string());
        super::resolve::blocking(move || {
            disk::make(&root, &made)?;
            let image = images.keep(&made, &name, &source, None)?;
            drop(work);
            Ok(image)
        })
        .await
    }
}

async fn bootstrap(
    recipe: Recipe,
    root: &Path,
    finish: &Path,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let program = "mmdebstrap";
    let failed = |said: String| Error::Tool { program, said };
    std::fs::write(finish, FINISH).map_err(|source| Error::File {
        what: "write",
        path: finish.into(),
        source,
    })?;
    let mut command = tokio::process::Command::new(program);
    command
        .args(["--variant=minbase", "--mode=root", "--format=directory"])
        .arg(format!("--include={PACKAGES}"))
        .arg("--aptopt=Apt::Install-Recommends \"false\"")
        .arg(format!("--customize-hook=sh {} \"$1\"", quoted(finish)))
        .arg(recipe.suite)
        .arg(root)
        .args(sources(recipe, &host_mirrors().await))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let stderr = child.stderr.take().map(BufReader::new);
    let mut last = Vec::new();
    let reading = async {
        if let Some(stderr) = stderr {
            let mut lines = stderr.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(step) = line.strip_prefix("I: ") {
                    progress.step(step.to_string());
                }
                if line.starts_with("E:") || line.starts_with("W:") {
                    last.push(line);
                }
            }
        }
        child.wait().await
    };
    let status = tokio::select! {
        status = reading => status,
        () = cancel.cancelled() => return Err(Error::Cancelled),
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let said = last[last.len().saturating_sub(3)..].join("; ");
            Err(failed(if said.is_empty() {
                status.to_string()
            } else {
                said
            }))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// Debian mirrors that this computer's apt uses: address and release, as `apt-get indextargets` knows them.
async fn host_mirrors() -> Vec<(String, String)> {
    let listed = tokio::process::Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(SITE) $(RELEASE) $(COMPONENT)",
        ])
        .stdin(Stdio::null())
        .output()
        .await;
    let text = listed.map(|output| output.stdout).unwrap_or_default();
    let lines = String::from_utf8_lossy(&text);
    lines
        .lines()
        .filter_map(|line| {
            let (site, rest) = line.split_once(' ')?;
            let (release, component) = rest.split_once(' ')?;
            (component == "main").then(|| (site.to_string(), release.to_string()))
        })
        .collect()
}

/// Lines for the image's sources: the host's own mirror where it has Debian's, mmdebstrap's default otherwise.
fn sources(recipe: Recipe, mirrors: &[(String, String)]) -> Vec<String> {
    let releases = ["bookworm", "trixie"];
    let find = |suffix: &str| {
        let found = mirrors.iter().find(|(_, release)| {
            releases
                .iter()
                .any(|name| *release == format!("{name}{suffix}"))
        });
        found.map(|(site, _)| format!("deb {site} {}{suffix} main", recipe.suite))
    };
    match find("") {
        None => Vec::new(),
        Some(main) => [Some(main), find("-updates"), find("-security")]
            .into_iter()
            .flatten()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        lines
            .iter()
            .map(|(site, release)| (site.to_string(), release.to_string()))
            .collect()
    }

    #[test]
    fn the_hosts_mirror_serves_every_release() {
        let host = mirrors(&[
            ("http://mirror.example/debian", "bookworm"),
            ("http://mirror.example/debian", "bookworm-updates"),
            ("http://security.example/debian", "bookworm-security"),
        ]);
        let trixie = Recipe::named("debian:13").unwrap();
        assert_eq!(
            sources(trixie, &host),
            [
                "deb http://mirror.example/debian trixie main",
                "deb http://mirror.example/debian trixie-updates main",
                "deb http://security.example/debian trixie-security main",
            ]
        );
    }

    #[test]
    fn a_host_that_is_no_debian_leaves_the_choice_to_the_tool() {
        let ubuntu = mirrors(&[("http://mirror.example/ubuntu", "noble")]);
        assert!(sources(Recipe::named("debian").unwrap(), &ubuntu).is_empty());
    }

    #[test]
    fn only_known_names_are_recipes() {
        assert!(Recipe::named("debian:12").is_some());
        for name in ["debian:buster", "debian/debian", "nginx", "Debian"] {
            assert!(Recipe::named(name).is_none(), "{name}");
        }
    }
}
