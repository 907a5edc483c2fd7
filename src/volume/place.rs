//! Where a guest mounts a volume, and how a user says so: `VOLUME` or `VOLUME:/path`.

use std::fmt;
use std::str::FromStr;

use crate::value::Name;

/// Folders of the guest that its kernel fills.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];
/// The longest path (limits.h, `PATH_MAX`, with its final zero).
const LONGEST: usize = 4095;

/// An absolute path in a guest at which a volume can be mounted: without `.` and `..`, not the root itself, nothing
/// that the kernel fills.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountPath(String);

/// A path at which no volume can be mounted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a volume cannot be mounted at {path:?}: {why}; for example /srv/data")]
pub struct BadPath {
    path: String,
    why: &'static str,
}

impl MountPath {
    /// Where a volume is mounted when nothing else is said: `/mnt/NAME`.
    pub fn usual(volume: &Name) -> MountPath {
        MountPath(format!("/mnt/{volume}"))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MountPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = |why| BadPath {
            path: text.into(),
            why,
        };
        if !text.starts_with('/') {
            return Err(bad("it does not begin with /"));
        }
        if text.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        if text.chars().any(char::is_control) {
            return Err(bad("it holds control characters"));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(bad("it holds . or .."));
        }
        if parts.is_empty() {
            return Err(bad("the root disk is there"));
        }
        let path = format!("/{}", parts.join("/"));
        let within = |folder: &&str| path == **folder || path.starts_with(&format!("{folder}/"));
        if KERNELS.iter().any(within) {
            return Err(bad("the guest's kernel fills that"));
        }
        Ok(MountPath(path))
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A volume to attach: its name or identifier, and where it is to be mounted (by default `/mnt/NAME`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub volume: String,
    pub path: Option<MountPath>,
}

impl FromStr for Attachment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (volume, path) = match text.split_once(':') {
            Some((volume, path)) => (volume, Some(path)),
            None => (text, None),
        };
        if volume.is_empty() {
            return Err("it wants VOLUME or VOLUME:/path".into());
        }
        let path = path.map(str::parse).transpose();
        Ok(Attachment {
            volume: volume.into(),
            path: path.map_err(|error: BadPath| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_and_leads_somewhere() {
        let path = |text: &str| text.parse::<MountPath>().map(|path| path.0);
        assert_eq!(path("/srv/data").unwrap(), "/srv/data");
        assert_eq!(path("//srv///data/").unwrap(), "/srv/data");
        assert_eq!(path("/development").unwrap(), "/development");
        for text in [
            "",
            "srv",
            "/",
            "//",
            "/srv/../etc",
            "/srv/.",
            "/proc",
            "/dev/shm",
            "/a\nb",
        ] {
            let error = path(text).unwrap_err().to_string();
            assert!(error.contains("for example"), "{error}");
        }
        assert!(path(&format!("/{}", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn an_attachment_is_a_volume_and_perhaps_a_path() {
        let attachment = |text: &str| text.parse::<Attachment>();
        assert_eq!(attachment("data").unwrap().path, None);
        let placed = attachment("data:/srv").unwrap();
        assert_eq!(
            (placed.volume.as_str(), placed.path.unwrap().as_str()),
            ("data", "/srv")
        );
        assert!(attachment(":/srv").is_err());
        assert!(attachment("data:srv").is_err());
        assert!(attachment("data:").is_err());
    }
}
