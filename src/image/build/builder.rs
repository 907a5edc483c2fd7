//! The programs that build: buildah, podman, docker, the first that works.
//!
//! buildah comes first: it is made for this and for nothing else, needs no daemon, and has a store wherever it is told.
//! podman is the same library with more around it. docker comes last, because it keeps what it builds in a store that
//! it shares with everything else on this computer, from where it has to be saved and removed again.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::super::work::Work;
use super::super::{Error, disk};
use super::BuildArgument;
use super::place::prepare;
use crate::event::Progress;
use crate::host::packages::PackageManager;

/// How long a builder may take to say that it works, or to tidy up; docker waits for an engine that hangs.
const ANSWER: Duration = Duration::from_secs(30);

/// A builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Buildah,
    Podman,
    Docker,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Buildah, Kind::Podman, Kind::Docker];

    fn name(self) -> &'static str {
        match self {
            Kind::Buildah => "buildah",
            Kind::Podman => "podman",
            Kind::Docker => "docker",
        }
    }
}

/// A builder that works, and how it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chosen {
    kind: Kind,
    program: PathBuf,
    /// The folder that it keeps its store in.
    folder: PathBuf,
    /// How it stores layers when its own choice does not work here.
    driver: Option<String>,
}

/// A build that has begun.
#[derive(Serialize, Deserialize)]
pub(super) struct Unfinished {
    by: Chosen,
    tag: String,
}

/// What is to be built.
pub(super) struct Job<'a> {
    pub(super) file: &'a Path,
    pub(super) context: &'a Path,
    pub(super) arguments: &'a [BuildArgument],
    pub(super) target: Option<&'a str>,
    pub(super) no_cache: bool,
    /// What the image is called in docker's store for as long as it is there.
    pub(super) tag: String,
    /// Where the image is to be: an OCI layout, or an archive of docker's.
    pub(super) out: PathBuf,
}

/// Finds the first builder that works here. One that does not is passed over with a word.
pub(super) async fn choose(
    folder: &Path,
    work: &Work,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Chosen, Error> {
    prepare(folder)?;
    let mut passed = Vec::new();
    for kind in Kind::ALL {
        let Some(program) = in_path(kind.name()) else {
            continue;
        };
        // overlay cannot be had everywhere, and layers in plain folders can.
        let drivers: &[Option<&str>] = match kind {
            Kind::Docker => &[None],
            Kind::Buildah | Kind::Podman => &[None, Some("vfs")],
        };
        let mut why = String::new();
        for driver in drivers {
            let chosen = Chosen {
                kind,
                program: program.clone(),
                folder: folder.into(),
                driver: driver.map(Into::into),
            };
            let mut asks = chosen.command();
            match kind {
                Kind::Docker => asks.args(["version", "--format", "{{.Server.Version}}"]),
                Kind::Buildah | Kind::Podman => asks.arg("info"),
            };
            asks.env("TMPDIR", work.join(""));
            let answer = tokio::select! {
                answer = answer(asks) => answer,
                () = cancel.cancelled() => return Err(Error::Cancelled),
            };
            match answer {
                Ok(_) => return Ok(chosen),
                Err(said) => why = said,
            }
        }
        let word = format!("{} does not work here: {why}", kind.name());
        progress.note(format!("passing over a builder: {word}"));
        passed.push(word);
    }
    let install = PackageManager::detect().map(|manager| manager.install(&["buildah"]).to_string());
    Err(Error::NoBuilder { passed, install })
}

/// A program by name, where the user's `PATH` leads.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let executable = |file: &PathBuf| {
        let meta = file.metadata();
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(executable)
}

/// What a short command prints, or why it failed.
async fn answer(mut command: Command) -> Result<String, String> {
    let output = tokio::time::timeout(ANSWER, command.output()).await;
    let output = match output {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("it said nothing for {} s", ANSWER.as_secs())),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| output.status.to_string(), |line| line.trim().into()))
}

impl Chosen {
    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether what it builds stays with it until it is removed.
    pub(super) fn keeps_images(&self) -> bool {
        self.kind == Kind::Docker
    }

    pub(super) fn unfinished(&self, job: &Job<'_>) -> Unfinished {
        Unfinished {
            by: self.clone(),
            tag: job.tag.clone(),
        }
    }

    /// The commands that build, one after the other.
    pub(super) fn build(&self, job: &Job<'_>) -> Vec<Command> {
        let mut build = self.command();
        build.args(["build", "--file"]).arg(job.file);
        if job.no_cache {
            build.arg("--no-cache");
        }
        if let Some(target) = job.target {
            build.args(["--target", target]);
        }
        for argument in job.arguments {
            let (word, variable) = argument.given();
            build.arg("--build-arg").arg(word);
            build.envs(variable);
        }
        let mut lines = Vec::new();
        match self.kind {
            Kind::Docker => {
                build.args(["--tag", &job.tag]).arg(job.context);
                build.env("BUILDKIT_PROGRESS", "plain");
                let mut save = self.command();
                save.arg("save").arg("--output").arg(&job.out).arg(&job.tag);
                lines.extend([build, save]);
            }
            Kind::Buildah | Kind::Podman => {
                build.arg("--layers");
                // Needs no runtime, and works in a container or a nested host, where runtimes often do not.
                if std::env::var_os("BUILDAH_ISOLATION").is_none() {
                    build.args(["--isolation", "chroot"]);
                }
                let mut out = OsString::from("oci:");
                out.push(&job.out);
                out.push(":built");
                build.arg("--tag").arg(out).arg(job.context);
                lines.push(build);
            }
        }
        for line in &mut lines {
            line.env("TMPDIR", job.out.with_file_name(""));
        }
        lines
    }

    /// The builder, with its store. It has a process group of its own, and ends when this process does.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.kind != Kind::Docker {
            command.arg("--root").arg(self.folder.join("root"));
            command.arg("--runroot").arg(self.folder.join("run"));
            if let Some(driver) = &self.driver {
                command.args(["--storage-driver", driver]);
            }
            let registries = self.folder.join("registries.conf");
            if registries.exists() {
                command.env("CONTAINERS_REGISTRIES_CONF", registries);
            }
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let own_mounts = self.kind != Kind::Docker && nix::unistd::geteuid().is_root();
        // SAFETY: prctl(2), unshare(2) and mount(2) are async-signal-safe, and what they are given needs no allocation.
        unsafe {
            command.pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
                if own_mounts && nix::sched::unshare(CloneFlags::CLONE_NEWNS).is_ok() {
                    // What it mounts, and would leave mounted when it is killed, ends with it. A user's own builder
                    // makes such a namespace by itself.
                    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
                    let _ =
                        nix::mount::mount(None::<&str>, c"/", None::<&str>, flags, None::<&str>);
                }
                Ok(())
            });
        }
        command
    }
}

/// Removes what a build that did not end well, or docker's that did, has left with its builder.
pub(super) async fn tidy(unfinished: &Unfinished, folder: &Path) -> Result<(), Error> {
    let chosen = &unfinished.by;
    let failed = |said| Error::Tool {
        program: chosen.name(),
        said,
    };
    prepare(folder)?;
    let mut command = chosen.command();
    match chosen.kind {
        Kind::Buildah => command.args(["rm", "--all"]),
        Kind::Podman => {
            let mut list = chosen.command();
            list.args(["ps", "--all", "--external", "--quiet"]);
            let listed = answer(list).await.map_err(failed)?;
            if listed.trim().is_empty() {
                return Ok(());
            }
            command
                .args(["rm", "--force"])
                .args(listed.split_whitespace())
        }
        Kind::Docker => {
            let mut list = chosen.command();
            list.args(["images", "--quiet", &unfinished.tag]);
            let listed = answer(list).await.map_err(failed)?;
            if listed.trim().is_empty() {
                return Ok(());
            }
            command.args(["rmi", "--force", "--no-prune", &unfinished.tag])
        }
    };
    answer(command).await.map(drop).map_err(failed)
}

/// Removes the store.
pub(super) async fn remove(folder: &Path) -> Result<(), Error> {
    let fail = |source| Error::File {
        what: "remove",
        path: folder.into(),
        source,
    };
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
        _ => return Ok(()),
    }
    // Of a user's own builder some files belong to identifiers that only its namespace can act for.
    let unshare = |kind: &Kind| in_path(kind.name()).map(|program| (*kind, program));
    if let Some((kind, program)) = [Kind::Buildah, Kind::Podman].iter().find_map(unshare) {
        let mut rm = std::process::Command::new(program);
        disk::run(rm.args(["unshare", "rm", "-rf"]).arg(folder), kind.name())?;
    }
    std::fs::remove_dir_all(folder).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(fail(error)),
    })
}
