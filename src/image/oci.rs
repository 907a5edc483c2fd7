//! Container registries (OCI distribution-spec), without Docker: layers are fetched side by side, each checked against
//! its digest, and laid over one another while the next ones are still on their way.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::mpsc;

use futures_util::{StreamExt, stream};
use oci_client::Reference;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use tokio_util::sync::CancellationToken;

use super::config::Layering;
use super::download::{self, Blob};
use super::layer::Whiteouts;
use super::make::Making;
use super::registry::{Found, Registry};
use super::work::Work;
use super::{Error, Image, ImageConfig, Images, layout, resolve};
use crate::event::Progress;

/// Layers fetched at once.
const AT_ONCE: usize = 4;

type Arrived = Result<(String, File), Error>;

impl Images {
    /// Fetches a container image and makes a disk of it, with these names.
    pub(super) async fn pull_container(
        &self,
        name: &str,
        names: Vec<String>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let reference: Reference = name.parse().map_err(|_| Error::BadReference(name.into()))?;
        progress.step(format!("asking {} for {name}", reference.registry()));
        let (registry, found) = self.find_container(&reference, name, cancel).await?;
        let Found {
            manifest,
            digest,
            config,
        } = found;
        check_kinds(name, &manifest)?;
        let layering = Layering::parse(config.as_bytes()).map_err(Error::Config)?;
        layout::check_count(&layering, manifest.layers.len())?;
        let config = ImageConfig::parse(config.as_bytes()).map_err(Error::Config)?;
        let sizes = manifest.layers.iter().map(|layer| layer.size);
        self.check_space(sizes.map(|size| u64::try_from(size).unwrap_or(0)).sum())?;
        progress.step(format!("fetching {name}"));
        let work = Work::new(&self.dir)?;
        let made = work.join("disk");
        let (sender, arriving) = mpsc::channel();
        let origin = format!(
            "{}/{}@{digest}",
            reference.registry(),
            reference.repository()
        );
        let making = {
            let (images, made, cancel) = (self.clone(), made.clone(), cancel.clone());
            let layers = manifest.layers.clone();
            resolve::blocking(move || {
                let making = Making::begin(
                    &made,
                    layering.created,
                    Whiteouts::Honoured,
                    images.options.keep_free,
                    &cancel,
                )?;
                make(making, &layers, &layering, &digest, arriving)?;
                images.keep(
                    &made,
                    &names,
                    &origin,
                    Some(config).filter(|c| !c.is_empty()),
                )
            })
        };
        let image = {
            let fetching = self.fetch_layers(&registry, &manifest.layers, sender, progress, cancel);
            let (mut fetching, mut making) = (std::pin::pin!(fetching), std::pin::pin!(making));
            tokio::select! {
                // It has failed, or everything had come. What is still being fetched is given up.
                image = &mut making => image,
                () = &mut fetching => making.await,
            }
        };
        if matches!(
            image,
            Err(Error::Cancelled | Error::Download { .. } | Error::Unreachable { .. })
        ) {
            // Asked for again, it goes on with what has come.
            return image;
        }
        for layer in &manifest.layers {
            // They have served, or are of no use; a later image that shares one fetches it again.
            let _ = std::fs::remove_file(download::path(&self.dir, &layer.digest));
        }
        image
    }

    /// Asks the mirrors, then the registry itself, for an image's manifest and configuration.
    async fn find_container(
        &self,
        reference: &Reference,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(Registry, Found), Error> {
        let mut registries = Registry::mirrors(reference, &self.options);
        registries.push(Registry::new(reference.clone(), &self.options));
        let mut failure = Error::BadReference(name.into());
        for registry in registries {
            let mut pauses = download::Pauses::new();
            loop {
                let answer = tokio::select! {
                    answer = registry.find(name) => answer,
                    () = cancel.cancelled() => return Err(Error::Cancelled),
                };
                failure = match answer {
                    Ok(found) => return Ok((registry, found)),
                    // Only what may be over in a moment is asked again.
                    Err(error) if registry.is_busy(&error) => {
                        match pauses.wait(error, cancel).await {
                            Ok(()) => continue,
                            Err(error) => error,
                        }
                    }
                    Err(error) => error,
                };
                break;
            }
        }
        Err(failure)
    }

    /// Fetches every layer once and sends its file on, in the order of the layers; the first failure ends it.
    async fn fetch_layers(
        &self,
        registry: &Registry,
        layers: &[OciDescriptor],
        sender: mpsc::Sender<Arrived>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) {
        let mut seen = HashSet::new();
        let unique: Vec<_> = layers
            .iter()
            .filter(|layer| seen.insert(&layer.digest))
            .collect();
        let count = unique.len();
        // In a list: a future that held the closure could not be sent to another thread.
        let fetches: Vec<_> = unique
            .into_iter()
            .enumerate()
            .map(|(number, layer)| async move {
                let blob = Blob {
                    dir: &self.dir,
                    digest: &layer.digest,
                    size: u64::try_from(layer.size).unwrap_or(0),
                    label: format!("layer {} of {count}", number + 1),
                    progress,
                    cancel,
                };
                let file = blob.fetch(|offset| registry.blob(layer, offset)).await?;
                Ok((layer.digest.clone(), file))
            })
            .collect();
        let mut arriving = std::pin::pin!(stream::iter(fetches).buffered(AT_ONCE));
        while let Some(layer) = arriving.next().await {
            let failed = layer.is_err();
            // The other end is gone only when making has failed, which says why.
            if sender.send(layer).is_err() || failed {
                return;
            }
        }
    }
}

/// Refuses layers that are not tar archives (artifacts, for instance).
fn check_kinds(name: &str, manifest: &OciImageManifest) -> Result<(), Error> {
    let known = [".tar", ".tar+gzip", ".tar.gzip", ".tar+zstd", ".tar.zstd"];
    for layer in &manifest.layers {
        if !known.iter().any(|kind| layer.media_type.ends_with(kind)) {
            return Err(Error::LayerKind {
                reference: name.into(),
                kind: layer.media_type.clone(),
            });
        }
    }
    Ok(())
}

/// Lays the layers over one another in their order, each as soon as its file has come.
fn make(
    mut making: Making,
    layers: &[OciDescriptor],
    layering: &Layering,
    digest: &str,
    arriving: mpsc::Receiver<Arrived>,
) -> Result<(), Error> {
    let mut here: HashMap<String, File> = HashMap::new();
    for (number, layer) in layers.iter().enumerate() {
        let file = loop {
            // A layer may be there twice; each time is read from its beginning.
            if let Some(file) = here.get(&layer.digest) {
                break file.try_clone().map_err(Error::Damaged)?;
            }
            match arriving.recv() {
                Ok(arrived) => {
                    let (digest, file) = arrived?;
                    here.insert(digest, file);
                }
                // The fetching side is gone: whoever asked went away.
                Err(_) => return Err(Error::Cancelled),
            }
        };
        let found = making.add_file(file)?;
        layout::check_layer(layering, number, &found)?;
    }
    making.finish(digest)
}
