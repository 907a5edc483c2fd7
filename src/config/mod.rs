//! Settings: defaults, then `/etc/sistemo/config.toml`, then `config.toml` in the data directory, then the environment
//! (`SISTEMO_<KEY>`), then flags. Each value knows where it came from, so that a bad one can be traced.

mod file;
mod keys;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::keys::KEYS;
use self::values::Values;
use crate::error::{self, Advice, Kind};
use crate::value::{Address, ByteSize, Site, nearest, without_secrets};
use crate::vmm::{Choice, HugePages, HypervisorChoice, contain};

/// Where settings for the whole host lie.
pub const SYSTEM_FILE: &str = "/etc/sistemo/config.toml";
/// The setting that says where the others are.
const DATA_DIR: &str = "data_dir";
/// The table of a file that is the console's own, which reads and checks it by itself.
pub const CONSOLE: &str = "console";
const WHERE_DATA_IS: &str =
    "say it with --data-dir, SISTEMO_DATA_DIR or in /etc/sistemo/config.toml";
/// The largest limit of bandwidth, in megabits per second.
pub const MOST_BANDWIDTH: u64 = 100_000;
/// The largest limit of reads and writes per second.
pub const MOST_IOPS: u64 = 10_000_000;
/// The least that a machine's boot log may be bounded to.
pub const LEAST_LOG: ByteSize = ByteSize::bytes(crate::vmm::console::Bound::LEAST);

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// A file, and the line in it, counted from 1.
    File(PathBuf, usize),
    /// The environment variable of that name.
    Environment(String),
    /// The command line's flag of that name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the settings in {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the settings in {} are not TOML", path.display())]
    Toml {
        path: PathBuf,
        source: Box<toml_edit::TomlError>,
    },
    #[error("cannot write the settings to {}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("there is no setting {0:?}")]
    NoSuchKey(String),
    #[error("{origin} has a setting {key:?}, which does not exist")]
    Unknown { key: String, origin: Origin },
    #[error("setting data_dir cannot be in the data directory's own file ({0})")]
    Misplaced(Origin),
    #[error("setting {key} is a table, not a value ({origin})")]
    NoValue { key: &'static str, origin: Origin },
    #[error("setting {key} is {value:?} ({origin})")]
    Value {
        key: &'static str,
        value: String,
        origin: Origin,
        why: String,
    },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Read { .. } | Error::Write { .. } => Kind::Failed,
            _ => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Read { path, source } => Some(
                error::way_out_of(source)
                    .unwrap_or_else(|| format!("make {} readable or remove it", path.display())),
            ),
            Error::Misplaced(_) => Some(WHERE_DATA_IS.into()),
            Error::NoValue { key, .. } => Some(format!("write it as one line: {key} = \"…\"")),
            Error::Toml { .. } => Some("a line reads: default_memory = \"1G\"".into()),
            Error::Write { path, source } => Some(error::way_out_of(source).unwrap_or_else(|| {
                format!("run it as root (sudo), or make {} writable", path.display())
            })),
            Error::Unknown { key, .. } | Error::NoSuchKey(key) => {
                Some(match nearest(key, KEYS.iter().map(|known| known.name)) {
                    Some(near) => format!("did you mean {near}?"),
                    None => {
                        let keys: Vec<_> = KEYS.iter().map(|key| key.name).collect();
                        format!("the settings are {}", keys.join(", "))
                    }
                })
            }
            Error::Value { why, .. } => Some(why.clone()),
        }
    }
}

/// One setting as `sistemo config` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub key: &'static str,
    /// The value as text; empty when there is none.
    pub value: String,
    pub origin: Origin,
    pub meaning: &'static str,
}

/// A setting that a later reading has otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: &'static str,
    pub was: String,
    pub is: String,
    /// Where the new value came from.
    pub origin: Origin,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { key, origin, .. } = self;
        // What changes is written to a log, and an address may hold a password.
        let [was, is] = [&self.was, &self.is].map(|value| without_secrets(value));
        let word = |value: String| {
            if value.is_empty() {
                "none".into()
            } else {
                value
            }
        };
        write!(
            f,
            "{key} was {} and is {} now ({origin})",
            word(was),
            word(is)
        )
    }
}

/// All settings, parsed and in range.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub network_home: String,
    pub bridge_subnet: ipnet::Ipv4Net,
    pub uplink: Option<String>,
    /// Where the daemon serves its pages and API.
    pub listen: Address,
    /// More names that they answer to.
    pub web_names: Vec<Site>,
    /// Their certificates, a PEM file. That one comes with a key is looked at by whoever uses them: they are set one
    /// after the other.
    pub tls_cert: Option<PathBuf>,
    /// The key to them, a PEM file.
    pub tls_key: Option<PathBuf>,
    pub accelerator: Choice,
    /// Whether hypervisors are contained.
    pub contain: contain::Choice,
    /// What machines run under that were not deployed for another.
    pub vmm: HypervisorChoice,
    /// The program, if not where setup puts it or in `PATH`.
    pub firecracker: Option<PathBuf>,
    /// Where setup fetches it from, if not from the project's own releases.
    pub firecracker_mirror: Option<String>,
    /// Of machines under Firecracker.
    pub huge_pages: HugePages,
    pub kernel: Option<PathBuf>,
    pub registry_url: Option<String>,
    pub registry_mirrors: Vec<String>,
    pub default_vcpus: u8,
    pub default_memory: ByteSize,
    pub default_storage: ByteSize,
    pub ssh_timeout: Duration,
    pub stop_timeout: Duration,
    pub reconcile_interval: Duration,
    pub max_vcpus: u8,
    pub max_memory: Option<ByteSize>,
    pub min_disk_free: ByteSize,
    /// At least [`LEAST_LOG`].
    pub console_log_max: ByteSize,
    /// 0 for no limit.
    pub bandwidth_mbps: u32,
    /// 0 for no limit.
    pub iops: u32,
    /// Of the console: `auto`, a theme's name, or two of them, `DARK/LIGHT`.
    pub theme: String,
    shown: Vec<Shown>,
}

impl Config {
    /// Gathers the settings. `flag` is the value of `--data-dir`; `environment` is asked for `SISTEMO_<KEY>`.
    pub fn load(
        flag: Option<PathBuf>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Error> {
        Config::load_with(Path::new(SYSTEM_FILE), flag, environment)
    }

    fn load_with(
        system: &Path,
        flag: Option<PathBuf>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Error> {
        let (data_dir, origin) = data_dir(system, flag, environment);
        let mut found = defaults();
        for path in [system.to_path_buf(), file_in(&data_dir)] {
            for file::Entry { key, value, line } in file::read(&path)? {
                let origin = Origin::File(path.clone(), line);
                if key == CONSOLE {
                    continue;
                }
                if key == DATA_DIR {
                    match path == system {
                        true => continue,
                        false => return Err(Error::Misplaced(origin)),
                    }
                }
                let Some(known) = known(&key) else {
                    return Err(Error::Unknown { key, origin });
                };
                let Some(value) = value else {
                    return Err(Error::NoValue {
                        key: known.name,
                        origin,
                    });
                };
                found.insert(known.name, (value, origin));
            }
        }
        for key in KEYS {
            let variable = format!("SISTEMO_{}", key.name.to_ascii_uppercase());
            if let Some(value) = filled(environment, &variable) {
                found.insert(key.name, (value, Origin::Environment(variable)));
            }
        }
        Values(found).parse(data_dir, origin)
    }

    /// Sets a key in the data directory's file, or without a value takes it out, once it is known to be right.
    pub fn set(&self, key: &str, value: Option<&str>) -> Result<(), Error> {
        let origin = Origin::Flag("the command line");
        if key == DATA_DIR {
            return Err(Error::Misplaced(origin));
        }
        let known = known(key).ok_or_else(|| Error::NoSuchKey(key.into()))?;
        if let Some(value) = value {
            let mut all = defaults();
            all.insert(known.name, (value.to_string(), origin));
            Values(all).parse(self.data_dir.clone(), Origin::Default)?;
        }
        file::write(&self.file(), known.name, value)
    }

    /// The data directory's file of settings, which may not be there yet.
    pub fn file(&self) -> PathBuf {
        file_in(&self.data_dir)
    }

    /// The files that settings come from, the later over the earlier; they may not be there.
    pub fn files(&self) -> [PathBuf; 2] {
        [SYSTEM_FILE.into(), self.file()]
    }

    /// The names of all settings that can be set.
    pub fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
        KEYS.iter().map(|key| (key.name, key.meaning))
    }

    /// Every setting with its value and origin, in a fixed order.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// What `newer` has otherwise.
    pub fn changes(&self, newer: &Config) -> Vec<Change> {
        let pairs = self.shown.iter().zip(&newer.shown);
        let changed = pairs.filter(|(was, is)| was.value != is.value);
        let change = |(was, is): (&Shown, &Shown)| Change {
            key: is.key,
            was: was.value.clone(),
            is: is.value.clone(),
            origin: is.origin.clone(),
        };
        changed.map(change).collect()
    }
}

/// The file of settings of the data directory that `flag` and the environment lead to, whatever is in it.
pub fn file_of(flag: Option<PathBuf>, environment: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    file_in(&data_dir(Path::new(SYSTEM_FILE), flag, environment).0)
}

/// The data directory that `flag`, the environment and the host's own file lead to, and which of them did.
fn data_dir(
    system: &Path,
    flag: Option<PathBuf>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (PathBuf, Origin) {
    let variable = "SISTEMO_DATA_DIR";
    let (data_dir, origin) = match (flag, filled(environment, variable)) {
        (Some(dir), _) => (dir, Origin::Flag("--data-dir")),
        (None, Some(dir)) => (dir.into(), Origin::Environment(variable.into())),
        (None, None) => {
            data_dir_in(system).unwrap_or_else(|| (default_data_dir(environment), Origin::Default))
        }
    };
    (std::path::absolute(&data_dir).unwrap_or(data_dir), origin)
}

/// The data directory that a file names. What else is wrong with the file is for who reads all of it to say.
fn data_dir_in(file: &Path) -> Option<(PathBuf, Origin)> {
    let entries = file::read(file).ok()?;
    let entry = entries.into_iter().find(|entry| entry.key == DATA_DIR)?;
    let dir = entry.value.filter(|dir| !dir.is_empty())?;
    Some((dir.into(), Origin::File(file.into(), entry.line)))
}

/// Every setting as it is when nothing says otherwise.
fn defaults() -> BTreeMap<&'static str, (String, Origin)> {
    let default = |key: &keys::Key| (key.name, (key.default.to_string(), Origin::Default));
    KEYS.iter().map(default).collect()
}

fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("config.toml")
}

fn known(key: &str) -> Option<&'static keys::Key> {
    KEYS.iter().find(|known| known.name == key)
}

/// The value of a variable. An empty one is as good as none.
fn filled(environment: &dyn Fn(&str) -> Option<String>, variable: &str) -> Option<String> {
    environment(variable).filter(|value| !value.is_empty())
}

fn default_data_dir(environment: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if nix::unistd::Uid::effective().is_root() {
        return "/var/lib/sistemo".into();
    }
    match (
        filled(environment, "XDG_DATA_HOME"),
        filled(environment, "HOME"),
    ) {
        (Some(dir), _) => Path::new(&dir).join("sistemo"),
        (_, Some(home)) => Path::new(&home).join(".local/share/sistemo"),
        _ => "/var/lib/sistemo".into(),
    }
}
