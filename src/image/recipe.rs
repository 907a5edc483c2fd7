//! Recipes: a real operating system, made on this computer by mmdebstrap(1) from the mirror that its apt uses.

use std::fs::File;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::layer::Whiteouts;
use super::make::Making;
use super::work::Work;
use super::{Error, Image, Images, furnish, resolve};
use crate::event::Progress;

const PROGRAM: &str = "mmdebstrap";
/// What a machine is to have beyond the smallest Debian.
const PACKAGES: &str = "apt,ca-certificates,curl,dbus,iproute2,kmod,less,login,openssh-server,passwd,\
     systemd,systemd-sysv,udev,vim-tiny";
/// The releases that there are recipes for: code name and number, the newest last.
const RELEASES: [(&str, &str); 2] = [("bookworm", "12"), ("trixie", "13")];
/// With which the newest release's packages are signed, where the keyring is new enough to have it.
const NEWEST_KEY: &str = "/usr/share/keyrings/debian-archive-trixie-stable.gpg";

/// Names that mean a recipe: `debian` alone, and with each release's code name.
pub fn recipes() -> impl Iterator<Item = String> {
    let releases = RELEASES.iter().map(|(suite, _)| format!("debian:{suite}"));
    std::iter::once("debian".into()).chain(releases)
}

/// A Debian release that there is a recipe for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    suite: &'static str,
}

impl Recipe {
    /// The recipe that a name means: `debian`, with a release's code name or number behind a colon.
    pub(super) fn named(name: &str) -> Option<Recipe> {
        let release = match name.strip_prefix("debian")? {
            "" => return Some(Recipe::usual(&host_release())),
            rest => rest.strip_prefix(':')?,
        };
        let known = RELEASES
            .iter()
            .find(|(suite, number)| release == *suite || release == *number);
        known.map(|(suite, _)| Recipe { suite })
    }

    /// The release that `debian` alone means: the host's own, whose mirror, keys and kernel are at hand; elsewhere the
    /// newest whose keys the host has.
    fn usual(host: &str) -> Recipe {
        let own = RELEASES.iter().find(|(suite, _)| *suite == host);
        let newest = match std::path::Path::new(NEWEST_KEY).exists() {
            true => RELEASES.last(),
            false => RELEASES.first(),
        };
        let suite = own.or(newest).map_or("bookworm", |(suite, _)| *suite);
        Recipe { suite }
    }

    /// `debian:` and the code name.
    pub(super) fn full_name(self) -> String {
        format!("debian:{}", self.suite)
    }

    /// All names that its image gets.
    fn names(self) -> Vec<String> {
        let mut names = vec![self.full_name()];
        if Recipe::named("debian") == Some(self) {
            names.push("debian".into());
        }
        names
    }
}

/// The code name of the host's release, when it is a Debian (os-release(5)).
fn host_release() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_string()
    };
    if field("ID") == "debian" {
        field("VERSION_CODENAME")
    } else {
        String::new()
    }
}

impl Images {
    /// Makes a recipe's image.
    pub(super) async fn make_recipe(
        &self,
        recipe: Recipe,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let work = Work::new(&self.dir)?;
        let made = work.join("disk");
        progress.step(format!("making Debian {} from its packages", recipe.suite));
        let sources = sources(recipe, &host_mirrors().await);
        let mut child = mmdebstrap(recipe, &sources)?;
        let stream = child
            .stdout
            .take()
            .and_then(|out| out.into_owned_fd().ok())
            .map(File::from);
        let stream = stream.ok_or_else(|| failed("it has no output".into()))?;
        let stop = cancel.child_token();
        let making = {
            let (made, stop) = (made.clone(), stop.clone());
            let keep_free = self.options.keep_free;
            resolve::blocking(move || {
                let mut making =
                    Making::begin(&made, now(), Whiteouts::Honoured, keep_free, &stop)?;
                let content = making.add_stream(stream)?;
                making.add_stream(std::io::Cursor::new(furnish::archive(&sources)?))?;
                Ok((making, content))
            })
        };
        let (finished, made_of) = tokio::join!(
            async {
                let finished = watch(child, progress, cancel).await;
                if finished.is_err() {
                    stop.cancel();
                }
                finished
            },
            making
        );
        // When mmdebstrap failed its archive is cut short, which is not worth saying.
        finished?;
        let (making, content) = made_of?;
        progress.step("writing the disk");
        let images = self.clone();
        resolve::blocking(move || {
            making.finish(&content)?;
            let image = images.keep(
                &made,
                &recipe.names(),
                &format!("recipe {}", recipe.full_name()),
                None,
            )?;
            drop(work);
            Ok(image)
        })
        .await
    }
}

pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn failed(said: String) -> Error {
    Error::Tool {
        program: PROGRAM,
        said,
    }
}

/// Starts mmdebstrap; it writes an archive to its standard output. As root it works in a chroot, else in a user
/// namespace (its mode `auto`).
fn mmdebstrap(recipe: Recipe, sources: &[String]) -> Result<tokio::process::Child, Error> {
    let path = std::env::var("PATH").unwrap_or_default();
    tokio::process::Command::new(PROGRAM)
        .args(["--variant=minbase", "--format=tar"])
        .arg(format!("--include={PACKAGES}"))
        .arg("--aptopt=Apt::Install-Recommends \"false\"")
        .args([recipe.suite, "-"])
        .args(sources)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))
}

/// Waits until mmdebstrap has ended, saying what it does; of a failure it keeps the last errors.
async fn watch(
    mut child: tokio::process::Child,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
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
        Ok(status) if last.is_empty() => Err(failed(status.to_string())),
        Ok(_) => Err(failed(last[last.len().saturating_sub(3)..].join("; "))),
        Err(error) => Err(failed(error.to_string())),
    }
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
    let parse = |line: &str| {
        let (site, rest) = line.split_once(' ')?;
        let (release, component) = rest.split_once(' ')?;
        let web = site.starts_with("http://") || site.starts_with("https://");
        (component == "main" && web).then(|| (site.to_string(), release.to_string()))
    };
    lines.lines().filter_map(parse).collect()
}

/// Lines for the image's sources: the host's own mirror where it has Debian's, mmdebstrap's default otherwise.
fn sources(recipe: Recipe, mirrors: &[(String, String)]) -> Vec<String> {
    let find = |suffix: &str| {
        let found = mirrors.iter().find(|(_, release)| {
            let named = |(name, _): &(&str, &str)| *release == format!("{name}{suffix}");
            RELEASES.iter().any(named)
        });
        found.map(|(site, _)| format!("deb {site} {}{suffix} main", recipe.suite))
    };
    match find("") {
        None => Vec::new(),
        Some(main) => {
            let all = [Some(main), find("-updates"), find("-security")];
            all.into_iter().flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        (lines.iter())
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
        assert_eq!(Recipe::named("debian:12"), Recipe::named("debian:bookworm"));
        for name in [
            "debian:buster",
            "debian/debian",
            "nginx",
            "Debian",
            "debianish",
        ] {
            assert!(Recipe::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn debian_alone_is_the_hosts_own_release() {
        assert_eq!(Recipe::usual("bookworm").suite, "bookworm");
        assert!(recipes().count() > 1 && recipes().all(|name| Recipe::named(&name).is_some()));
        assert_eq!(Recipe::usual("trixie").suite, "trixie");
        assert!(["bookworm", "trixie"].contains(&Recipe::usual("noble").suite));
    }
}
