//! What a container image says of the program it is for (OCI image-spec, config.md).

use serde::{Deserialize, Serialize};

/// How an application image is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    exposed_ports: Option<std::collections::BTreeMap<String, serde_json::Value>>,
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
            exposed_ports: section
                .exposed_ports
                .unwrap_or_default()
                .into_keys()
                .collect(),
        })
    }

    /// Whether it names nothing to run.
    pub fn is_empty(&self) -> bool {
        self.entrypoint.is_empty() && self.cmd.is_empty()
    }
}

/// `SIGTERM`, `TERM` or `15`.
fn signal(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = text.trim_start_matches("SIG");
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
            "ExposedPorts": {"80/tcp": {}}}}"#;
        let config = ImageConfig::parse(text).unwrap();
        assert_eq!(config.entrypoint, ["/app"]);
        assert!(config.cmd.is_empty() && config.workdir.is_none());
        assert_eq!(config.user.as_deref(), Some("1000:1000"));
        assert_eq!(config.stop_signal, Some(3));
        assert_eq!(config.exposed_ports, ["80/tcp"]);
        assert!(ImageConfig::parse(b"{}").unwrap().is_empty());
        assert!(ImageConfig::parse(b"[").is_err());
    }
}
