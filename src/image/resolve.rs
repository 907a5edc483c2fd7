//! Which image a reference means, and getting it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use oci_client::Reference;
use tokio_util::sync::CancellationToken;

use super::import::expand;
use super::recipe::Recipe;
use super::registry::DEFAULT;
use super::{Error, Image, Images, url, work};
use crate::event::Progress;

/// What a reference is, told by its look alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    Path(PathBuf),
    Url(&'a str),
    /// A name: in the cache, prebuilt, a recipe, or in a registry.
    Name(&'a str),
}

pub(super) fn form(reference: &str) -> Form<'_> {
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return Form::Url(reference);
    }
    let told = ["/", "./", "../", "~/"]
        .iter()
        .any(|start| reference.starts_with(start));
    let suffixes = [
        ".ext4",
        ".ext4.gz",
        ".ext4.zst",
        ".img",
        ".raw",
        ".tar",
        ".tar.gz",
        ".tgz",
        ".tar.zst",
        ".tar.xz",
    ];
    let looks = suffixes.iter().any(|suffix| reference.ends_with(suffix));
    if told || looks || Path::new(reference).join("oci-layout").is_file() {
        return Form::Path(expand(reference));
    }
    Form::Name(reference)
}

/// The name that an image has in the cache however it was asked for: `nginx` is `docker.io/library/nginx:latest`, and
/// `debian:12` is `debian:bookworm`.
pub(super) fn short(name: &str) -> String {
    if let Some(recipe) = Recipe::named(name) {
        return recipe.full_name();
    }
    let Ok(reference) = name.parse::<Reference>() else {
        return name.into();
    };
    let mut short = match (
        reference.registry(),
        reference.repository().strip_prefix("library/"),
    ) {
        (DEFAULT, Some(official)) => official.to_string(),
        (DEFAULT, None) => reference.repository().to_string(),
        (registry, _) => format!("{registry}/{}", reference.repository()),
    };
    match (reference.tag(), reference.digest()) {
        (_, Some(digest)) => short = format!("{short}@{digest}"),
        (Some(tag), None) if tag != "latest" => short = format!("{short}:{tag}"),
        _ => {}
    }
    // What would then mean something else is said in full: the registry's image of a recipe's name, and repositories
    // that begin like another's name.
    let means = |reference: &Reference| {
        let tag = reference.tag().filter(|_| reference.digest().is_none());
        let parts = [reference.digest(), tag].map(|part| part.map(str::to_owned));
        (
            reference.resolve_registry().to_owned(),
            reference.repository().to_owned(),
            parts,
        )
    };
    let again = short.parse::<Reference>();
    match Recipe::named(&short) {
        None if again.is_ok_and(|again| means(&again) == means(&reference)) => short,
        _ => reference.whole(),
    }
}

impl Images {
    /// The image that a reference means; fetched or made when it is not here.
    pub async fn resolve(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        if let Some(image) = self.here(reference)? {
            return Ok(image);
        }
        let _lock = work::one_at_a_time(&self.dir, &short(reference), cancel).await?;
        // Whoever held the lock may have got it.
        match self.here(reference)? {
            Some(image) => Ok(image),
            None => self.fetch(reference, progress, cancel).await,
        }
    }

    /// Fetches or makes an image anew; its name moves to what came.
    pub async fn pull(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let begun = Instant::now();
        let _lock = work::one_at_a_time(&self.dir, &short(reference), cancel).await?;
        let outcome = self.fetch(reference, progress, cancel).await;
        self.note("pull", &url::shown(reference), begun, &outcome);
        outcome
    }

    /// Makes an image anew on this computer: a recipe's, or that of a container image; prebuilt ones do not serve. With
    /// `name` it gets that name too.
    pub async fn build(
        &self,
        reference: &str,
        name: Option<&str>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let name = name.map(own_name).transpose()?;
        let begun = Instant::now();
        let _lock = work::one_at_a_time(&self.dir, &short(reference), cancel).await?;
        let made = match (form(reference), Recipe::named(reference)) {
            (Form::Name(_), Some(recipe)) => self.make_recipe(recipe, progress, cancel).await,
            (Form::Name(container), None) => {
                let names = vec![short(container)];
                self.pull_container(container, names, progress, cancel)
                    .await
            }
            (Form::Url(_) | Form::Path(_), _) => self.fetch(reference, progress, cancel).await,
        };
        let outcome = made.and_then(|image| match &name {
            Some(name) => {
                self.store.add_image_name(name, &image.digest)?;
                self.find(name)
            }
            None => Ok(image),
        });
        let shown = url::shown(reference);
        self.note("build", name.as_ref().unwrap_or(&shown), begun, &outcome);
        outcome
    }

    /// The same of a recipe alone.
    pub async fn build_recipe(
        &self,
        recipe: &str,
        name: Option<&str>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        match Recipe::named(recipe) {
            Some(_) => self.build(recipe, name, progress, cancel).await,
            None => Err(Error::NoRecipe(recipe.into())),
        }
    }

    /// The image, when it is in the cache. One made of a file counts only while the file is what it was.
    fn here(&self, reference: &str) -> Result<Option<Image>, Error> {
        match form(reference) {
            Form::Url(url) => self.cached(&url::shown(url)),
            Form::Name(name) => match self.cached(name)? {
                Some(image) => Ok(Some(image)),
                None => self.cached(&short(name)),
            },
            Form::Path(path) => {
                let (path, source) = stamp(&path)?;
                let image = self.cached(&path.display().to_string())?;
                Ok(image.filter(|image| Some(&image.source) == source.as_ref()))
            }
        }
    }

    async fn fetch(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let name = match form(reference) {
            Form::Url(url) => {
                return self
                    .download(url, vec![url::shown(url)], progress, cancel)
                    .await;
            }
            Form::Path(path) => {
                let (path, source) = stamp(&path)?;
                let name = path.display().to_string();
                progress.step(format!("importing {name}"));
                let source = source.unwrap_or_else(|| format!("file {name}"));
                return self.take_in(&path, vec![name], source, cancel).await;
            }
            Form::Name(name) => name,
        };
        if let Some(image) = self.fetch_prebuilt(name, progress, cancel).await? {
            return Ok(image);
        }
        match Recipe::named(name) {
            Some(recipe) => self.make_recipe(recipe, progress, cancel).await,
            None => {
                self.pull_container(name, vec![short(name)], progress, cancel)
                    .await
            }
        }
    }
}

/// The name that a user gives an image, as it is kept: one that is not taken for a path or a URL when it is asked for.
pub(super) fn own_name(name: &str) -> Result<String, Error> {
    let bad = || Error::BadReference(name.into());
    let reference: Reference = name.parse().map_err(|_| bad())?;
    if reference.digest().is_some() || !matches!(form(name), Form::Name(_)) {
        return Err(bad());
    }
    // What a recipe is called means this image from now on.
    match Recipe::named(name) {
        Some(_) => Ok(name.into()),
        None => Ok(short(name)),
    }
}

/// The real path of a file, and a text that changes with the file (not for a folder, whose own time says little).
fn stamp(path: &Path) -> Result<(PathBuf, Option<String>), Error> {
    let stat = || {
        let path = path.canonicalize()?;
        let meta = path.metadata()?;
        let modified = meta.modified()?;
        let time = jiff::Timestamp::try_from(modified).map_err(std::io::Error::other)?;
        let source = format!("file {} ({} bytes of {time})", path.display(), meta.len());
        Ok((path, Some(source).filter(|_| meta.is_file())))
    };
    stat().map_err(|source| Error::File {
        what: "open",
        path: path.into(),
        source,
    })
}

/// Does blocking work beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(join) => match join.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The program ends.
            Err(_) => Err(Error::Cancelled),
        },
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

    #[test]
    fn an_image_has_one_name_however_it_is_asked_for() {
        for (asked, name) in [
            ("nginx", "nginx"),
            ("nginx:latest", "nginx"),
            ("docker.io/library/nginx", "nginx"),
            ("nginx:1.27", "nginx:1.27"),
            ("team/app", "team/app"),
            ("localhost:5000/app:latest", "localhost:5000/app"),
            ("debian:12", "debian:bookworm"),
            ("docker.io/library/debian:12", "docker.io/library/debian:12"),
            (
                "docker.io/library/debian",
                "docker.io/library/debian:latest",
            ),
            (
                "docker.io/team.example/app",
                "docker.io/team.example/app:latest",
            ),
            (
                "library/library/nginx",
                "docker.io/library/library/nginx:latest",
            ),
            (
                "docker.io/docker.io/library/nginx",
                "docker.io/docker.io/library/nginx:latest",
            ),
            (
                "nginx:1.27@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ),
            ("Not A Name", "Not A Name"),
        ] {
            assert_eq!(short(asked), name, "{asked}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_name_in_the_cache_means_the_image_that_was_asked_for(
            host in "((localhost|[a-z]{1,6}[.]example|127[.]0[.]0[.]1)(:[0-9]{2,5})?/|docker[.]io/)?",
            repository in "(library/|docker[.]io/)?[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}",
            tag in "(:[a-zA-Z0-9._]{1,8})?",
        ) {
            let asked = format!("{host}{repository}{tag}");
            let name = short(&asked);
            proptest::prop_assert_eq!(short(&name), name.clone(), "{}", asked);
            let parse = |text: &str| text.parse::<Reference>().ok().map(|r| r.whole());
            if Recipe::named(&asked).is_none() && Recipe::named(&name).is_none() {
                proptest::prop_assert_eq!(parse(&name), parse(&asked), "{}", asked);
            }
        }
    }
}
