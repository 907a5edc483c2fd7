//! Settings from text to types, each in its range.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::keys::KEYS;
use super::{Config, Error, LEAST_LOG, MOST_BANDWIDTH, MOST_IOPS, Origin, Shown};

const WEB_NAMES: &str = "it wants names such as vm.lan or https://vm.example, with commas between";

/// The values as text, on their way to types.
pub(super) struct Values(pub(super) BTreeMap<&'static str, (String, Origin)>);

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

    /// The parts between commas.
    fn listed(&self, key: &'static str) -> impl Iterator<Item = &str> {
        let parts = self.text(key).split(',').map(str::trim);
        parts.filter(|part| !part.is_empty())
    }

    pub(super) fn parse(self, data_dir: PathBuf, origin: Origin) -> Result<Config, Error> {
        let day = 24 * 60 * 60;
        let vcpus = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
        let limit = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let max_memory = match self.optional("max_memory") {
            Some(_) => Some(self.get("max_memory", "8G")?),
            None => None,
        };
        let console_log_max = self.get("console_log_max", "16M")?;
        if console_log_max < LEAST_LOG {
            return Err(self.bad("console_log_max", format!("it wants {LEAST_LOG} or more")));
        }
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
            listen: self.get("listen", "localhost:7777")?,
            web_names: self
                .listed("web_names")
                .map(|name| {
                    name.parse()
                        .map_err(|_| self.bad("web_names", WEB_NAMES.into()))
                })
                .collect::<Result<_, _>>()?,
            tls_cert: self.optional("tls_cert").map(PathBuf::from),
            tls_key: self.optional("tls_key").map(PathBuf::from),
            accelerator: self.get("accelerator", "auto, kvm or tcg")?,
            contain: self.get("contain", "auto, always or never")?,
            vmm: self.get("vmm", "auto, qemu or firecracker")?,
            firecracker: self.optional("firecracker").map(PathBuf::from),
            firecracker_mirror: self.optional("firecracker_mirror"),
            huge_pages: self.get("huge_pages", "none, transparent or 2M")?,
            kernel: self.optional("kernel").map(PathBuf::from),
            registry_url: self.optional("registry_url"),
            registry_mirrors: self.listed("registry_mirrors").map(String::from).collect(),
            default_vcpus: vcpus(self.ranged("default_vcpus", 1..=64)?),
            default_memory: self.get("default_memory", "512M")?,
            default_storage: self.get("default_storage", "2G")?,
            ssh_timeout: Duration::from_secs(self.ranged("ssh_timeout", 1..=day)?),
            stop_timeout: Duration::from_secs(self.ranged("stop_timeout", 0..=day)?),
            reconcile_interval: Duration::from_secs(self.ranged("reconcile_interval", 1..=day)?),
            max_vcpus: vcpus(self.ranged("max_vcpus", 1..=64)?),
            max_memory,
            bandwidth_mbps: limit(self.ranged("bandwidth_mbps", 0..=MOST_BANDWIDTH)?),
            iops: limit(self.ranged("iops", 0..=MOST_IOPS)?),
            console_log_max,
            min_disk_free: self.get("min_disk_free", "1G")?,
            theme: self.optional("theme").unwrap_or_else(|| "auto".into()),
            shown,
        })
    }
}
