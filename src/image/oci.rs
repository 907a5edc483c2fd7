//! Container registries (OCI distribution-spec), without Docker: layers are fetched side by side, each checked against
//! its digest, and unpacked one over another while the next ones are still on their way.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::mpsc;

use docker_credential::DockerCredential;
use futures_util::{StreamExt, stream};
use oci_client::client::{ClientConfig, ClientProtocol, linux_amd64_resolver};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio_util::sync::CancellationToken;

use super::download::{self, Blob};
use super::import::{decompressed, make_folder};
use super::work::Work;
use super::{Error, Image, ImageConfig, Images, disk, resolve, unpack};
use crate::event::Progress;

/// Layers fetched at once.
const AT_ONCE: usize = 4;
/// The registry of names that have none in front.
const DEFAULT: &str = "docker.io";

impl Images {
    /// Fetches a container image and makes a disk of it.
    pub(super) async fn pull_container(
        &self,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let reference: Reference = name.parse().map_err(|_| Error::BadReference(name.into()))?;
        progress.step(format!("asking {} for {name}", reference.registry()));
        let (source, manifest, digest, config) =
            self.find_container(&reference, name, cancel).await?;
        for layer in &manifest.layers {
            let known = ["tar", "tar+gzip", "tar.gzip", "tar+zstd"];
            if !known.iter().any(|kind| layer.media_type.ends_with(kind)) {
                let (reference, kind) = (name.into(), layer.media_type.clone());
                return Err(Error::LayerKind { reference, kind });
            }
        }
        progress.step(format!("fetching {name}"));
        let work = Work::new(&self.dir)?;
        let (root, made) = (work.join("root"), work.join("disk"));
        make_folder(&root)?;
        let (sender, received) = mpsc::channel();
        let unpacking = {
            let (root, layers) = (root.clone(), manifest.layers.clone());
            resolve::blocking(move || unpack_in_order(&root, &layers, received))
        };
        let fetching = self.fetch_layers(&source, &manifest.layers, sender, progress, cancel);
        let ((), unpacked) = tokio::join!(fetching, unpacking);
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        unpacked?;
        progress.step("writing the disk");
        let origin = format!(
            "{}/{}@{digest}",
            reference.registry(),
            reference.repository()
        );
        let (images, name) = (self.clone(), name.to_string());
        resolve::blocking(move || {
            disk::make(&root, &made)?;
            let image = images.keep(
                &made,
                &name,
                &origin,
                Some(config).filter(|c| !c.is_empty()),
            )?;
            for layer in &manifest.layers {
                // They have served; a later image that shares one fetches it again.
                let _ = std::fs::remove_file(download::path(&images.dir, &layer.digest));
            }
            drop(work);
            Ok(image)
        })
        .await
    }

    /// Asks the mirrors, then the registry itself, for an image's manifest and configuration.
    async fn find_container(
        &self,
        reference: &Reference,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(Registry, OciImageManifest, String, ImageConfig), Error> {
        let mirrors = self
            .options
            .registry_mirrors
            .iter()
            .filter(|_| reference.registry() == DEFAULT);
        let mirrors = mirrors.map(|mirror| {
            let mut mirrored = reference.clone();
            mirrored.set_mirror_registry(mirror.clone());
            mirrored
        });
        let mut failure = None;
        for reference in mirrors.chain([reference.clone()]) {
            let registry = Registry::new(reference);
            let asked = registry
                .client
                .pull_manifest_and_config(&registry.reference, &registry.auth);
            let answer = tokio::select! {
                answer = asked => answer,
                () = cancel.cancelled() => return Err(Error::Cancelled),
            };
            match answer {
                Ok((manifest, digest, config)) => {
                    let config = ImageConfig::parse(config.as_bytes()).map_err(Error::Config)?;
                    return Ok((registry, manifest, digest, config));
                }
                Err(error) => failure = Some(refusal(name, error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::BadReference(name.into())))
    }

    /// Fetches every layer once and sends its file on, in the order of the layers; the first failure ends it.
    async fn fetch_layers(
        &self,
        registry: &Registry,
        layers: &[OciDescriptor],
        sender: mpsc::Sender<Result<(String, File), Error>>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) {
        let mut seen = HashSet::new();
        let unique: Vec<_> = layers
            .iter()
            .filter(|layer| seen.insert(layer.digest.clone()))
            .cloned()
            .collect();
        let fetches = unique.into_iter().map(|layer| async move {
            let size = u64::try_from(layer.size).ok();
            let blob = Blob {
                dir: &self.dir,
                digest: &layer.digest,
                size,
                progress,
                cancel,
            };
            let fetched = blob
                .fetch(async |offset| {
                    registry
                        .client
                        .pull_blob_stream_partial(&registry.reference, &layer, offset, None)
                        .await
                        .map(download::Answer::from)
                        .map_err(|error| refusal(&registry.reference.to_string(), error))
                })
                .await?;
            let file = File::open(&fetched).map_err(|source| Error::File {
                what: "open",
                path: fetched,
                source,
            })?;
            Ok((layer.digest, file))
        });
        let mut arriving = std::pin::pin!(stream::iter(fetches).buffered(AT_ONCE));
        while let Some(layer) = arriving.next().await {
            let failed = layer.is_err();
            // The other end is gone only when unpacking has failed, which says why.
            if sender.send(layer).is_err() || failed {
                return;
            }
        }
    }
}

/// A registry, and the image in it.
struct Registry {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
}

impl Registry {
    fn new(reference: Reference) -> Registry {
        download::install_tls();
        let host = reference.resolve_registry().to_string();
        let protocol = match is_local(&host) {
            true => ClientProtocol::HttpsExcept(vec![host.clone()]),
            false => ClientProtocol::Https,
        };
        let config = ClientConfig {
            protocol,
            platform_resolver: Some(Box::new(linux_amd64_resolver)),
            connect_timeout: Some(std::time::Duration::from_secs(15)),
            read_timeout: Some(std::time::Duration::from_secs(60)),
            ..ClientConfig::default()
        };
        Registry {
            client: Client::new(config),
            auth: credentials(&host),
            reference,
        }
    }
}

/// Whether a registry is on this computer, where TLS is not expected.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// What `docker login` left for a registry, helpers included; nobody in particular otherwise.
fn credentials(host: &str) -> RegistryAuth {
    let host = if host == "index.docker.io" {
        "https://index.docker.io/v1/"
    } else {
        host
    };
    match docker_credential::get_credential(host) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            RegistryAuth::Basic(user, password)
        }
        Ok(DockerCredential::IdentityToken(token)) => RegistryAuth::Bearer(token),
        Err(error) => {
            tracing::debug!(%error, host, "no credentials");
            RegistryAuth::Anonymous
        }
    }
}

/// Puts a registry's refusal into words.
fn refusal(reference: &str, error: OciDistributionError) -> Error {
    let reference = reference.to_string();
    match error {
        OciDistributionError::RequestError(error) => Error::Unreachable {
            reference,
            source: error.into(),
        },
        OciDistributionError::DigestError(error) => Error::Digest {
            digest: error.to_string(),
        },
        OciDistributionError::ImageManifestNotFoundError(_) => Error::Registry {
            reference,
            said: "there is no such image".into(),
        },
        OciDistributionError::RegistryError { envelope, .. } => {
            let said = envelope
                .errors
                .iter()
                .map(|error| error.to_string())
                .collect::<Vec<_>>();
            Error::Registry {
                reference,
                said: said.join("; "),
            }
        }
        other => Error::Registry {
            reference,
            said: other.to_string(),
        },
    }
}

/// Unpacks layers in their order, each as soon as its file has come.
fn unpack_in_order(
    root: &Path,
    layers: &[OciDescriptor],
    received: mpsc::Receiver<Result<(String, File), Error>>,
) -> Result<(), Error> {
    let mut here: HashMap<String, File> = HashMap::new();
    let mut layers = layers.iter();
    let next = move || {
        let layer = layers.next()?;
        loop {
            // A layer may be there twice; each time is read from its beginning.
            if let Some(file) = here.get(&layer.digest) {
                let again = file.try_clone().and_then(decompressed);
                return Some(again.map_err(Error::Damaged));
            }
            match received.recv() {
                Ok(Ok((digest, file))) => here.insert(digest, file),
                Ok(Err(error)) => return Some(Err(error)),
                // The fetching side gave up: it was cancelled.
                Err(_) => return Some(Err(Error::Cancelled)),
            };
        }
    };
    unpack::into_folder(root, next).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computers_registries_go_without_tls() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in ["registry.example", "10.0.0.1:5000", "localhost.example"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
