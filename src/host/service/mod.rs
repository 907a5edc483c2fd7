//! The daemon as a service of systemd: put in, taken out, looked at.

mod systemctl;
mod unit;

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use unit::Service;

use self::systemctl::{journal_tail, systemctl};
use super::command;
use crate::error::{Advice, Kind};

/// What the service is called.
pub const UNIT: &str = "sistemo.service";
/// Where the administrator's units lie (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";
/// Settings that only the environment had when the service was put in. Nobody else reads it.
pub const ENVIRONMENT: &str = "/etc/sistemo/service.env";

/// A failure around the service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this computer is not run by systemd")]
    NoSystemd,
    #[error("only root may change the services of this computer")]
    NotRoot,
    #[error("the service is there already, for the data directory {}", .0.display())]
    OtherData(PathBuf),
    #[error("the daemon is up already, and was started by hand (pid {0})")]
    ByHand(u32),
    #[error("{} cannot stand in a unit: it is more than one line", .0.display())]
    Path(PathBuf),
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Systemctl(#[from] command::Error),
    /// All of it has been taken back.
    #[error("the service did not start")]
    NotStarted {
        source: Box<Error>,
        log: Option<String>,
    },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NoSystemd | Error::NotRoot | Error::OtherData(_) | Error::ByHand(_) => {
                Kind::Refused
            }
            Error::Path(_) => Kind::Usage,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NoSystemd => "start the daemon by hand: sistemo up --detach; or have this computer's own service \
                 manager run: sistemo up"
                .into(),
            Error::NotRoot => "run it as root: sudo sistemo service …".into(),
            Error::OtherData(_) => "one computer has one service; take it out first: sistemo service remove".into(),
            Error::ByHand(_) => "end it first, machines go on running: sistemo down".into(),
            Error::Path(_) => "choose another with --data-dir".into(),
            Error::NotStarted { .. } => {
                "mend what its log says, then try again; or see it in the foreground: sistemo up".into()
            }
            Error::File { .. } => return None,
            Error::Systemctl(error) => return error.hint(),
        })
    }

    fn detail(&self) -> Option<String> {
        match self {
            Error::NotStarted { log, .. } => log.clone(),
            _ => None,
        }
    }
}

/// The service as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ServiceStatus))]
pub struct Status {
    /// Whether systemd runs this computer.
    pub systemd: bool,
    pub installed: bool,
    /// Whether it starts at boot.
    pub enabled: bool,
    pub active: bool,
    /// systemd's own word for its state: `running`, `dead`, `auto-restart`, `failed` …
    pub state: Option<String>,
    pub pid: Option<u32>,
    /// Since when it has been active: RFC 3339, UTC.
    pub since: Option<String>,
    /// How often systemd has started it again.
    pub restarts: Option<u32>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub data_dir: Option<PathBuf>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub unit: Option<PathBuf>,
}

/// Where the unit lies when there is one.
pub fn unit_path() -> PathBuf {
    Path::new(UNITS).join(UNIT)
}

/// The service as it is; also where there is no systemd.
pub async fn status() -> Result<Status, Error> {
    let path = unit_path();
    let text = read(&path)?;
    let mut status = Status {
        systemd: is_there(),
        installed: text.is_some(),
        data_dir: text.as_deref().and_then(unit::data_dir_of),
        unit: text.is_some().then_some(path),
        ..Status::default()
    };
    if status.systemd {
        systemctl::ask(&mut status).await?;
    }
    Ok(status)
}

/// Puts the service in, or brings it up to date, and has it started at boot; with `start` also now. `by_hand` is the
/// daemon that is up. What was there before is there again when that fails.
pub async fn install(
    service: &Service,
    start: bool,
    by_hand: Option<u32>,
) -> Result<Status, Error> {
    let before = may_change().await?;
    if let Some(other) = (before.data_dir.clone()).filter(|path| *path != service.data_dir) {
        return Err(Error::OtherData(other));
    }
    if let Some(pid) = by_hand.filter(|pid| before.pid != Some(*pid)) {
        return Err(Error::ByHand(pid));
    }
    for path in [&service.data_dir, &service.program] {
        if path.display().to_string().contains('\n') {
            return Err(Error::Path(path.clone()));
        }
    }
    let (unit, environment) = (unit_path(), Path::new(ENVIRONMENT));
    let were = (read(&unit)?, read(environment)?);
    let put_in = async {
        put(environment, service.environment_text().as_deref(), 0o600)?;
        put(&unit, Some(&service.unit(environment)), 0o644)?;
        systemctl(["daemon-reload"]).await?;
        systemctl(["enable", "--quiet", UNIT]).await?;
        if start {
            // One that is up goes on with the new unit.
            systemctl(["restart", UNIT]).await?;
        }
        Ok(())
    };
    if let Err(source) = put_in.await {
        let log = match start {
            true => journal_tail().await,
            false => None,
        };
        if were.0.is_none() {
            let _ = systemctl(["disable", "--now", "--quiet", UNIT]).await;
        }
        let _ = put(environment, were.1.as_deref(), 0o600);
        let _ = put(&unit, were.0.as_deref(), 0o644);
        let _ = systemctl(["daemon-reload"]).await;
        let _ = systemctl(["reset-failed", UNIT]).await;
        if before.installed && !before.enabled {
            let _ = systemctl(["disable", "--quiet", UNIT]).await;
        }
        if before.active {
            // The one that it was goes on, if it can.
            let _ = systemctl(["restart", UNIT]).await;
        }
        return Err(Error::NotStarted {
            source: Box::new(source),
            log,
        });
    }
    status().await
}

/// Takes the service out: the daemon ends, machines go on running. `false` when there was none.
pub async fn remove() -> Result<bool, Error> {
    let before = may_change().await?;
    if !before.installed {
        return Ok(false);
    }
    systemctl(["disable", "--now", "--quiet", UNIT]).await?;
    put(&unit_path(), None, 0o644)?;
    put(Path::new(ENVIRONMENT), None, 0o600)?;
    systemctl(["daemon-reload"]).await?;
    // One that had failed would be listed for ever; one that had not is unknown by now.
    let _ = systemctl(["reset-failed", UNIT]).await;
    Ok(true)
}

/// Refuses whoever cannot change services.
async fn may_change() -> Result<Status, Error> {
    if !is_there() {
        return Err(Error::NoSystemd);
    }
    if !nix::unistd::Uid::effective().is_root() {
        return Err(Error::NotRoot);
    }
    status().await
}

/// Whether systemd runs this computer (sd_booted(3)).
fn is_there() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // What only root may read is there all the same.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Some(String::new())),
        Err(source) => Err(Error::File {
            what: "read",
            path: path.into(),
            source,
        }),
    }
}

/// Makes the file be this text, whole or as before; without a text, makes it be gone.
fn put(path: &Path, text: Option<&str>, mode: u32) -> Result<(), Error> {
    let fail = |what: &'static str| {
        move |source| Error::File {
            what,
            path: path.into(),
            source,
        }
    };
    let Some(text) = text else {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail("remove")(error)),
            _ => Ok(()),
        };
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(fail("write"))
}
