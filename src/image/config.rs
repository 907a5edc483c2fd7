//! What a container image says of the program it is for (OCI image-spec, config.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;

/// How an application image is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ImageConfig {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `KEY=VALUE` pairs.
    pub env: Vec<String>,
    pub workdir: Option<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    pub user: Option<String>,
    /// A signal's number.
    pub stop_signal: Option<i32>,
    /// `80/tcp` and the like.
    pub exposed_ports: Vec<String>,
    /// Folders whose content is data rather than program, absolute paths.
    pub volumes: Vec<String>,
}

/// The part of the image configuration that is of use, as registries hold it.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    config: Option<Section>,
    #[serde(default)]
    rootfs: RootFs,
    #[serde(default)]
    created: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RootFs {
    diff_ids: Vec<String>,
}

/// What the configuration says of how the image is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layering {
    /// Digests of the layers, uncompressed.
    pub(super) diff_ids: Vec<String>,
    /// When the image was made, seconds since 1970; 0 when it does not say.
    pub(super) created: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Section {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    stop_signal: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
}

impl Layering {
    /// Reads the configuration blob of a container image.
    pub(super) fn parse(text: &[u8]) -> Result<Layering, serde_json::Error> {
        let document: Document = serde_json::from_slice(text)?;
        let created = document
            .created
            .and_then(|text| text.parse::<jiff::Timestamp>().ok());
        Ok(Layering {
            diff_ids: document.rootfs.diff_ids,
            created: created.map_or(0, jiff::Timestamp::as_second),
        })
    }
}

impl ImageConfig {
    /// Reads the configuration blob of a container image.
    pub(super) fn parse(text: &[u8]) -> Result<ImageConfig, serde_json::Error> {
        let section = serde_json::from_slice::<Document>(text)?
            .config
            .unwrap_or_default();
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(ImageConfig {
            entrypoint: section.entrypoint.unwrap_or_default(),
            cmd: section.cmd.unwrap_or_default(),
            env: section.env.unwrap_or_default(),
            workdir: some(section.working_dir),
            user: some(section.user),
            stop_signal: some(section.stop_signal).as_deref().and_then(signal),
            exposed_ports: names(section.exposed_ports),
            volumes: names(section.volumes),
        })
    }

    /// Reads what [`ImageConfig::to_json`] wrote.
    pub(crate) fn from_json(text: &str) -> Result<ImageConfig, Error> {
        serde_json::from_str(text).map_err(Error::Config)
    }

    /// The whole of it, for the store.
    pub(crate) fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(Error::Config)
    }

    /// Whether it says nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        *self == ImageConfig::default()
    }
}

/// A set as configurations write it: an object whose values say nothing.
fn names(set: Option<BTreeMap<String, serde_json::Value>>) -> Vec<String> {
    set.unwrap_or_default().into_keys().collect()
}

/// `SIGTERM`, `TERM`, `15`, or a real-time signal: `SIGRTMIN+3`, `RTMAX-1`.
fn signal(text: &str) -> Option<i32> {
    let known = |number: i32| {
        (1..=nix::libc::SIGRTMAX())
            .contains(&number)
            .then_some(number)
    };
    if let Ok(number) = text.parse() {
        return known(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let real_time = [
        ("RTMIN", nix::libc::SIGRTMIN()),
        ("RTMAX", nix::libc::SIGRTMAX()),
    ];
    for (end, number) in real_time {
        match name.strip_prefix(end) {
            Some("") => return Some(number),
            Some(offset) => return known(number.checked_add(offset.parse().ok()?)?),
            None => {}
        }
    }
    let signal: nix::sys::signal::Signal = format!("SIG{name}").parse().ok()?;
    Some(signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_use_is_read_and_null_is_nothing() {
        let text = br#"{"architecture": "amd64", "config": {"Entrypoint": ["/app"], "Cmd": null,
            "Env": ["A=1"], "WorkingDir": "", "User": "1000:1000", "StopSignal": "SIGQUIT",
            "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}, "/a": null}}}"#;
        let config = ImageConfig::parse(text).unwrap();
        assert_eq!(config.entrypoint, ["/app"]);
        assert!(config.cmd.is_empty() && config.workdir.is_none());
        assert_eq!(config.user.as_deref(), Some("1000:1000"));
        assert_eq!(config.stop_signal, Some(3));
        assert_eq!(config.exposed_ports, ["80/tcp"]);
        assert_eq!(config.volumes, ["/a", "/data"]);
        assert!(ImageConfig::parse(b"{}").unwrap().is_empty());
        assert!(ImageConfig::parse(b"[").is_err());
    }
    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("TERM", 15),
            ("28", 28),
            ("SIGWINCH", 28),
            ("SIGRTMIN+3", 37),
            ("RTMIN", 34),
            ("SIGRTMAX-1", 63),
        ] {
            assert_eq!(signal(text), Some(number), "{text}");
        }
        for text in [
            "",
            "0",
            "65",
            "SIGNONE",
            "SIGRTMIN+31",
            "SIGRTMIN-x",
            "SIGRTMAX+1",
            "SIGRTMAX+2147483647",
        ] {
            assert_eq!(signal(text), None, "{text}");
        }
    }
}
