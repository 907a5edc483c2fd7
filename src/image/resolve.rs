//! Which image a reference means, and getting it.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::recipe::Recipe;
use super::{Error, Image, Images, work};
use crate::event::Progress;

/// What a reference is, told by its look alone.
#[derive(Debug, PartialEq, Eq)]
enum Form<'a> {
    Path(&'a Path),
    Url(&'a str),
    /// A name: in the cache, a recipe, or in a registry.
    Name(&'a str),
}

fn form(reference: &str) -> Form<'_> {
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return Form::Url(reference);
    }
    let path = Path::new(reference);
    let told = ["/", "./", "../", "~/"]
        .iter()
        .any(|start| reference.starts_with(start));
    let suffixes = [
        ".ext4", ".img", ".raw", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz",
    ];
    let looks = suffixes.iter().any(|suffix| reference.ends_with(suffix));
    if told || looks || path.join("oci-layout").is_file() {
        return Form::Path(path);
    }
    Form::Name(reference)
}

impl Images {
    /// The image that a reference means; fetched or made when it is not here.
    pub async fn resolve(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        if let Form::Name(name) = form(reference) {
            if let Some(image) = self.cached(name)? {
                return Ok(image);
            }
            let _lock = work::one_at_a_time(&self.dir, name).await?;
            // Whoever held the lock may have got it.
            if let Some(image) = self.cached(name)? {
                return Ok(image);
            }
            return self.fetch(reference, progress, cancel).await;
        }
        self.fetch(reference, progress, cancel).await
    }

    /// Fetches or makes an image anew; its name moves to what came.
    pub async fn pull(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let _lock = work::one_at_a_time(&self.dir, reference).await?;
        self.fetch(reference, progress, cancel).await
    }

    /// Makes a recipe's image anew.
    pub async fn build(
        &self,
        recipe: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let known = Recipe::named(recipe).ok_or_else(|| Error::NoRecipe(recipe.into()))?;
        let _lock = work::one_at_a_time(&self.dir, recipe).await?;
        self.make_recipe(known, recipe, progress, cancel).await
    }

    async fn fetch(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        match form(reference) {
            Form::Path(path) => self.import(path, None, progress, cancel).await,
            Form::Url(url) => self.download(url, progress, cancel).await,
            Form::Name(name) => match Recipe::named(name) {
                Some(recipe) => self.make_recipe(recipe, name, progress, cancel).await,
                None => self.pull_container(name, progress, cancel).await,
            },
        }
    }
}

/// Does blocking work beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(join) => std::panic::resume_unwind(join.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_shows_what_it_is() {
        for path in [
            "./disk",
            "/var/x",
            "../a.b",
            "disk.ext4",
            "root.tar.gz",
            "~/x.img",
        ] {
            assert!(matches!(form(path), Form::Path(_)), "{path}");
        }
        for name in [
            "debian",
            "nginx:1.27",
            "localhost:5000/a/b",
            "registry.example/x@sha256:00",
        ] {
            assert!(matches!(form(name), Form::Name(_)), "{name}");
        }
        assert!(matches!(
            form("https://example.org/root.tar.gz"),
            Form::Url(_)
        ));
    }
}
