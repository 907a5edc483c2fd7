//! From a name to a bootable disk.

use crate::error::{Advice, Kind};
use crate::event::Progress;
use crate::store::Store;
use crate::value::ByteSize;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio_util::sync::CancellationToken;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no image {0:?}")]
    Unknown(String),
    #[error("mmdebstrap failed: {0}")]
    Tool(String),
    #[error("cannot write the image")]
    Io(#[from] std::io::Error),
    #[error("cancelled")]
    Cancelled,
}
impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unknown(_) => Kind::NotFound,
            Error::Cancelled => Kind::Cancelled,
            _ => Kind::Failed,
        }
    }
    fn hint(&self) -> Option<String> {
        Some("see what there is: sistemo image list".into())
    }
}
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub registry_url: Option<String>,
    pub registry_mirrors: Vec<String>,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ImageConfig {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub env: Vec<String>,
    pub workdir: Option<String>,
    pub user: Option<String>,
    pub stop_signal: Option<i32>,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    pub names: Vec<String>,
    pub digest: String,
    pub size: ByteSize,
    pub used: ByteSize,
    pub source: String,
    pub path: PathBuf,
    pub config: Option<ImageConfig>,
    pub created_at: String,
    pub default_name: String,
}
impl Image {
    pub fn label(&self) -> String {
        self.names
            .first()
            .cloned()
            .unwrap_or_else(|| self.digest.clone())
    }
}
#[derive(Clone, Debug)]
pub struct Images {
    dir: PathBuf,
}
impl Images {
    pub fn open(dir: &Path, _store: Store, _options: Options) -> Result<Images, Error> {
        Ok(Images { dir: dir.into() })
    }
    fn image(&self) -> Image {
        let path = self.dir.join("debian.ext4");
        let len = std::fs::metadata(&path).map(|m| m.len()).unwrap_or(0);
        Image {
            names: vec!["debian".into()],
            digest: "sha256:0".into(),
            size: ByteSize::bytes(len),
            used: ByteSize::bytes(len),
            source: "recipe".into(),
            path,
            config: None,
            created_at: crate::store::now(),
            default_name: "debian".into(),
        }
    }
    pub async fn resolve(
        &self,
        reference: &str,
        _p: &Progress,
        _c: &CancellationToken,
    ) -> Result<Image, Error> {
        if reference != "debian" {
            return Err(Error::Unknown(reference.into()));
        }
        let path = self.dir.join("debian.ext4");
        if !path.exists() {
            let root = self.dir.join("debian.root");
            let _ = std::fs::remove_dir_all(&root);
            let out = tokio::process::Command::new("mmdebstrap").args(["--variant=minbase", "--include=systemd,systemd-sysv,dbus,udev,openssh-server,iproute2,ca-certificates,curl,less,vim-tiny,apt", "bookworm"]).arg(&root).stdin(Stdio::null()).output().await?;
            if !out.status.success() {
                return Err(Error::Tool(
                    String::from_utf8_lossy(&out.stderr).into_owned(),
                ));
            }
            let tmp = self.dir.join("debian.tmp");
            let out = tokio::process::Command::new("mkfs.ext4")
                .args(["-q", "-F", "-d"])
                .arg(&root)
                .arg(&tmp)
                .arg("800M")
                .output()
                .await?;
            if !out.status.success() {
                return Err(Error::Tool(
                    String::from_utf8_lossy(&out.stderr).into_owned(),
                ));
            }
            std::fs::remove_dir_all(&root)?;
            std::fs::rename(&tmp, &path)?;
        }
        Ok(self.image())
    }
    pub async fn pull(&self, r: &str, p: &Progress, c: &CancellationToken) -> Result<Image, Error> {
        self.resolve(r, p, c).await
    }
    pub async fn build(
        &self,
        r: &str,
        p: &Progress,
        c: &CancellationToken,
    ) -> Result<Image, Error> {
        self.resolve(r, p, c).await
    }
    pub async fn import(
        &self,
        f: &Path,
        _n: Option<&str>,
        _p: &Progress,
        _c: &CancellationToken,
    ) -> Result<Image, Error> {
        Err(Error::Unknown(f.display().to_string()))
    }
    pub fn list(&self) -> Result<Vec<Image>, Error> {
        Ok(vec![])
    }
    pub fn find(&self, n: &str) -> Result<Image, Error> {
        Err(Error::Unknown(n.into()))
    }
    pub fn delete(&self, n: &str) -> Result<(), Error> {
        Err(Error::Unknown(n.into()))
    }
}
