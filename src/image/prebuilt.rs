//! Prebuilt images: disks that somebody made and serves, listed in an `index.json`.
//!
//! ```json
//! {"version": 1, "images": [{"name": "debian", "arch": "x86_64", "file": "debian.rootfs.ext4.gz"}]}
//! ```
//!
//! `file` is by default `NAME.rootfs.ext4.gz`; `arch` may be absent.

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::url::{client, failed};
use super::{Error, Image, Images};
use crate::event::Progress;

/// The largest list that is read.
const INDEX_MAX: usize = 8 << 20;

#[derive(Deserialize)]
struct Index {
    images: Vec<Listed>,
}

/// An image in the index.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Listed {
    name: String,
    #[serde(default)]
    arch: Option<String>,
    #[serde(default)]
    file: Option<String>,
}

impl Listed {
    /// Whether it is for computers like this one; architectures have two names each.
    fn fits(&self) -> bool {
        match self.arch.as_deref() {
            None | Some("") => true,
            Some("amd64" | "x86_64") => cfg!(target_arch = "x86_64"),
            Some("arm64" | "aarch64") => cfg!(target_arch = "aarch64"),
            Some(_) => false,
        }
    }

    fn file(&self) -> String {
        let usual = || format!("{}.rootfs.ext4.gz", self.name);
        self.file
            .clone()
            .filter(|file| !file.is_empty())
            .unwrap_or_else(usual)
    }
}

impl Images {
    /// The prebuilt image of that name, when there are prebuilt images and it is among them. A list that cannot be
    /// had is said and passed over, as the other ways may lead on.
    pub(super) async fn fetch_prebuilt(
        &self,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Option<Image>, Error> {
        let Some(base) = &self.options.registry_url else {
            return Ok(None);
        };
        let base = base.trim_end_matches('/');
        let asked = tokio::select! {
            asked = find(base, name) => asked,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };
        let listed = match asked {
            Ok(Some(listed)) => listed,
            Ok(None) => return Ok(None),
            Err(error) => {
                progress.note(format!("no prebuilt images: {error}"));
                return Ok(None);
            }
        };
        let url = format!("{base}/{}", listed.file());
        self.download(&url, vec![name.into()], progress, cancel)
            .await
            .map(Some)
    }
}

/// What the index has of that name for this kind of computer.
async fn find(base: &str, name: &str) -> Result<Option<Listed>, Error> {
    let url = format!("{base}/index.json");
    let fail = |error| failed(&url, error);
    let response = client()
        .map_err(fail)?
        .get(&url)
        .send()
        .await
        .map_err(fail)?;
    let mut response = response.error_for_status().map_err(fail)?;
    let mut text = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(fail)? {
        // A longer list is cut, and then it is not JSON.
        if text.len() > INDEX_MAX {
            break;
        }
        text.extend_from_slice(&piece);
    }
    let index: Index = serde_json::from_slice(&text).map_err(|source| Error::Index {
        url: url.clone(),
        source,
    })?;
    Ok(index
        .images
        .into_iter()
        .find(|listed| listed.name == name && listed.fits()))
}
