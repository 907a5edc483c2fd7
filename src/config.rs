//! Settings: defaults, then `/etc/sistemo/config.toml`, then `config.toml` in the data directory, then the environment
//! (`SISTEMO_<KEY>`), then flags. Each value knows where it came from, so that a bad one can be traced.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

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

/// A key, its default as text, and what it means. An empty default stands for "none".
struct Key {
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
}

/// Every setting but `data_dir`, which says where the others are.
const KEYS: &[Key] = &[
    Key {
        name: "network_home",
        default: "host",
        meaning: "network namespace that holds bridges and machines: host, or a path such as /run/netns/lab",
    },
    Key {
        name: "bridge_subnet",
        default: "10.200.0.0/16",
        meaning: "addresses of the default network",
    },
    Key {
        name: "uplink",
        default: "",
        meaning: "interface to the outside; by default any",
    },
    Key {
        name: "accelerator",
        default: "auto",
        meaning: "auto (KVM where it really works), kvm or tcg (software emulation)",
    },
    Key {
        name: "kernel",
        default: "",
        meaning: "path of a guest kernel; by default the one setup fetched",
    },
    Key {
        name: "registry_url",
        default: "",
        meaning: "address of prebuilt images (index.json and disks); none by default",
    },
    Key {
        name: "registry_mirrors",
        default: "",
        meaning: "mirrors asked before the default container registry, comma-separated",
    },
    Key {
        name: "default_vcpus",
        default: "2",
        meaning: "virtual processors of a machine",
    },
    Key {
        name: "default_memory",
        default: "512M",
        meaning: "memory of a machine",
    },
    Key {
        name: "default_storage",
        default: "2G",
        meaning: "root disk of a machine",
    },
    Key {
        name: "ssh_timeout",
        default: "180",
        meaning: "seconds to wait for a guest to answer",
    },
    Key {
        name: "stop_timeout",
        default: "30",
        meaning: "seconds a guest may take to power off",
    },
    Key {
        name: "max_vcpus",
        default: "64",
        meaning: "most virtual processors of one machine",
    },
    Key {
        name: "max_memory",
        default: "",
        meaning: "most memory of one machine; by default what the host has",
    },
    Key {
        name: "min_disk_free",
        default: "1G",
        meaning: "disk space that deploys leave free",
    },
];

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

/// The values as text, on their way to types.
struct Values(BTreeMap<&'static str, (String, Origin)>);

impl Values {
    fn text(&self, key: &'static str) -> &str {
        self.0.get(key).map_or("", |(value, _)| value.as_str())
    }

    fn optional(&self, key: &'static str) -> Option<String> {
        Some(self.text(key).to_string()).filter(|text| !text.is_empty())
    }

    fn bad(&self, key: &'static str, why: String) -> Error {
        let (value, origin) = self
            .0
            .get(key)
            .cloned()
            .unwrap_or_else(|| (String::new(), Origin::Default));
        Error::Value {
            key,
            value,
            origin,
            why,
        }
    }

    fn get<T: FromStr>(&self, key: &'static str, example: &str) -> Result<T, Error> {
        let parsed = self.text(key).parse();
        parsed.map_err(|_| self.bad(key, format!("it wants a value such as {example}")))
    }

    fn ranged(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, Error> {
        let why = || {
            format!(
                "it wants a whole number from {} to {}",
                range.start(),
                range.end()
            )
        };
        let value: u64 = self.text(key).parse().map_err(|_| self.bad(key, why()))?;
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(self.bad(key, why()))
        }
    }

    fn parse(self, data_dir: PathBuf, origin: Origin) -> Result<Config, Error> {
        let day = 24 * 60 * 60;
        let vcpus = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
        let max_memory = match self.optional("max_memory") {
            Some(_) => Some(self.get("max_memory", "8G")?),
            None => None,
        };
        let mut shown = vec![Shown {
            key: "data_dir",
            value: data_dir.display().to_string(),
            origin,
            meaning: "where everything is kept",
        }];
        shown.extend(KEYS.iter().filter_map(|key| {
            let (value, origin) = self.0.get(key.name)?.clone();
            Some(Shown {
                key: key.name,
                value,
                origin,
                meaning: key.meaning,
            })
        }));
        Ok(Config {
            data_dir,
            network_home: self.text("network_home").to_string(),
            bridge_subnet: self.get("bridge_subnet", "10.200.0.0/16")?,
            uplink: self.optional("uplink"),
            accelerator: self.get("accelerator", "auto, kvm or tcg")?,
            kernel: self.optional("kernel").map(PathBuf::from),
            registry_url: self.optional("registry_url"),
            registry_mirrors: self
                .text("registry_mirrors")
                .split(',')
                .map(|mirror| mirror.trim().to_string())
                .filter(|mirror| !mirror.is_empty())
                .collect(),
            default_vcpus: vcpus(self.ranged("default_vcpus", 1..=64)?),
            default_memory: self.get("default_memory", "512M")?,
            default_storage: self.get("default_storage", "2G")?,
            ssh_timeout: Duration::from_secs(self.ranged("ssh_timeout", 1..=day)?),
            stop_timeout: Duration::from_secs(self.ranged("stop_timeout", 0..=day)?),
            max_vcpus: vcpus(self.ranged("max_vcpus", 1..=64)?),
            max_memory,
            min_disk_free: self.get("min_disk_free", "1G")?,
            shown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(dir: &Path, environment: &[(&str, &str)]) -> Result<Config, Error> {
        let environment: BTreeMap<String, String> = environment
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        Config::load(Some(dir.into()), &|key| environment.get(key).cloned())
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, "default_memory = \"1G\"\ndefault_vcpus = 4\n").unwrap();
        let config = load(dir.path(), &[("SISTEMO_DEFAULT_VCPUS", "8")]).unwrap();
        assert_eq!(config.default_memory, ByteSize::gib(1));
        assert_eq!(config.default_vcpus, 8);
        assert_eq!(config.default_storage, ByteSize::gib(2));
        let origin = |key| {
            config
                .shown()
                .iter()
                .find(|s| s.key == key)
                .unwrap()
                .origin
                .clone()
        };
        assert_eq!(origin("default_memory"), Origin::File(file));
        assert_eq!(
            origin("default_vcpus"),
            Origin::Environment("SISTEMO_DEFAULT_VCPUS".into())
        );
        assert_eq!(origin("default_storage"), Origin::Default);
    }

    #[test]
    fn an_empty_variable_says_nothing() {
        let config = Config::load(None, &|_| Some(String::new()));
        // Whatever the host's own file says, the data directory is not the one that the program was started in.
        if let Ok(config) = config {
            assert_eq!(config.shown()[0].origin, Origin::Default);
            assert_ne!(config.data_dir, Path::new(""));
        }
    }

    #[test]
    fn nonsense_names_the_key_and_where_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        for (key, value) in [
            ("SISTEMO_DEFAULT_MEMORY", "lots"),
            ("SISTEMO_DEFAULT_VCPUS", "0"),
            ("SISTEMO_SSH_TIMEOUT", "-1"),
            ("SISTEMO_BRIDGE_SUBNET", "10.0.0.0"),
            ("SISTEMO_ACCELERATOR", "warp"),
        ] {
            let error = load(dir.path(), &[(key, value)]).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
            assert!(error.hint().is_some());
        }
        std::fs::write(dir.path().join("config.toml"), "colour = 1\n").unwrap();
        assert!(matches!(load(dir.path(), &[]), Err(Error::Unknown { .. })));
        std::fs::write(dir.path().join("config.toml"), "= =\n").unwrap();
        assert!(matches!(load(dir.path(), &[]), Err(Error::Toml { .. })));
    }
}
