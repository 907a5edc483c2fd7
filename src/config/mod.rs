//! Settings: defaults, then `/etc/sistemo/config.toml`, then `config.toml` in the data directory, then the environment
//! (`SISTEMO_<KEY>`), then flags. Each value knows where it came from, so that a bad one can be traced.

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
use crate::error::{Advice, Kind};
use crate::value::ByteSize;
use crate::vmm::Choice;

/// Where settings for the whole host lie.
pub const SYSTEM_FILE: &str = "/etc/sistemo/config.toml";

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    /// The environment variable of that name.
    Environment(String),
    /// The command line's flag of that name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
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
        source: Box<toml::de::Error>,
    },
    #[error("{origin} has a setting {key:?}, which does not exist")]
    Unknown { key: String, origin: Origin },
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
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Read { path, .. } => {
                Some(format!("make {} readable or remove it", path.display()))
            }
            Error::Toml { .. } => Some("a line reads: default_memory = \"1G\"".into()),
            Error::Unknown { .. } => {
                let keys: Vec<_> = KEYS.iter().map(|key| key.name).collect();
                Some(format!("the settings are {}", keys.join(", ")))
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

/// All settings, parsed and in range.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub network_home: String,
    pub bridge_subnet: ipnet::Ipv4Net,
    pub uplink: Option<String>,
    pub accelerator: Choice,
    pub kernel: Option<PathBuf>,
    pub registry_url: Option<String>,
    pub registry_mirrors: Vec<String>,
    pub default_vcpus: u8,
    pub default_memory: ByteSize,
    pub default_storage: ByteSize,
    pub ssh_timeout: Duration,
    pub stop_timeout: Duration,
    pub max_vcpus: u8,
    pub max_memory: Option<ByteSize>,
    pub min_disk_free: ByteSize,
    shown: Vec<Shown>,
}

impl Config {
    /// Gathers the settings. `flag` is the value of `--data-dir`; `environment` is asked for `SISTEMO_<KEY>`.
    pub fn load(
        flag: Option<PathBuf>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Error> {
        let variable = "SISTEMO_DATA_DIR";
        let (data_dir, origin) = match (flag, filled(environment, variable)) {
            (Some(dir), _) => (dir, Origin::Flag("--data-dir")),
            (None, Some(dir)) => (dir.into(), Origin::Environment(variable.into())),
            (None, None) => (default_data_dir(environment), Origin::Default),
        };
        let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
        let mut found: BTreeMap<&'static str, (String, Origin)> = KEYS
            .iter()
            .map(|key| (key.name, (key.default.to_string(), Origin::Default)))
            .collect();
        for path in [PathBuf::from(SYSTEM_FILE), data_dir.join("config.toml")] {
            for (key, value) in read_file(&path)? {
                let origin = Origin::File(path.clone());
                match KEYS.iter().find(|known| known.name == key) {
                    Some(known) => found.insert(known.name, (value, origin)),
                    None => return Err(Error::Unknown { key, origin }),
                };
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

    /// Every setting with its value and origin, in a fixed order.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }
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

fn read_file(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        // A data directory that is a file is for whoever makes it to say.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => {
            return Err(Error::Read {
                path: path.into(),
                source,
            });
        }
    };
    let table: toml::Table = toml::from_str(&text).map_err(|source| Error::Toml {
        path: path.into(),
        source: Box::new(source),
    })?;
    let as_text = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        toml::Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_string))
                .collect();
            items.join(",")
        }
        other => other.to_string(),
    };
    Ok(table
        .into_iter()
        .map(|(key, value)| (key, as_text(value)))
        .collect())
}
