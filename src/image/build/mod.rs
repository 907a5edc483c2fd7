//! Images out of Dockerfiles, by whichever builder this computer has: [`builder`] says which, [`run`] runs it.
//!
//! A builder writes an OCI layout into a build's folder, which is then taken in like any other. Its base images and
//! layers lie in `images/builder`, not among those of its other users: there they can be told, counted and pruned, and
//! what a killed one leaves is in nobody's way. One builds at a time, because a builder that sees another's mounts in
//! its books, and not in its namespace, goes wrong.
//!
//! ```text
//! images/builder/root         base images and layers
//! images/builder/run          what is mounted; emptied before each build
//! images/builder/unfinished   who builds; when nobody does, whose leavings are to be removed
//! ```

mod argument;
mod builder;
mod dockerfile;
mod place;
mod run;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::Flock;
use tokio_util::sync::CancellationToken;

pub use argument::BuildArgument;

use super::work::{self, Work};
use super::{Error, Image, Images, resolve};
use crate::event::Progress;
use builder::{Chosen, Job, Unfinished};

/// The builder's folder, in that of the images; also the name of the lock under which one builds.
const FOLDER: &str = "builder";
/// The file that says who builds.
const UNFINISHED: &str = "unfinished";
/// How long to wait for another build before saying so.
const PATIENCE: Duration = Duration::from_secs(2);

/// A Dockerfile, and what it is built with.
#[derive(Clone, Debug, Default)]
pub struct Dockerfile {
    /// By default `Containerfile` or `Dockerfile` in `context`. A path is looked for from here, then from there.
    pub file: Option<PathBuf>,
    /// The folder that its instructions copy from.
    pub context: PathBuf,
    /// What the image is called; by default as the folder.
    pub name: Option<String>,
    pub arguments: Vec<BuildArgument>,
    /// The stage to end with; by default the last.
    pub target: Option<String>,
    /// Whether to do every step anew.
    pub no_cache: bool,
}

impl Images {
    /// Builds an image of a Dockerfile.
    pub async fn build_dockerfile(
        &self,
        what: &Dockerfile,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let context = dockerfile::context(&what.context)?;
        let name = match &what.name {
            Some(name) => resolve::own_name(name)?,
            None => resolve::own_name(&dockerfile::default_name(&context))?,
        };
        let begun = Instant::now();
        let outcome = self.build_in(&context, what, &name, progress, cancel).await;
        self.note("build", &name, begun, &outcome);
        outcome
    }

    async fn build_in(
        &self,
        context: &Path,
        what: &Dockerfile,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        self.check_space(0)?;
        let lock = self.wait_to_build(progress, cancel).await?;
        self.tidy_alone(progress).await?;
        let work = Work::new(&self.dir)?;
        let file = dockerfile::file(what.file.as_deref(), context, &work)?;
        let folder = self.dir.join(FOLDER);
        let chosen = builder::choose(&folder, &work, progress, cancel).await?;
        progress.step(format!("building {name} with {}", chosen.name()));
        let job = Job {
            file: &file,
            context,
            arguments: &what.arguments,
            target: what.target.as_deref(),
            no_cache: what.no_cache,
            // The folder's name is nobody else's.
            tag: format!("sistemo-build:{}", work.name()),
            out: work.join("built"),
        };
        let built = self.run_builder(&chosen, &job, progress, cancel).await;
        if built.is_err() || chosen.keeps_images() {
            let tidied = self.tidy_alone(progress).await;
            built.and(tidied)?;
        } else {
            built?;
            self.finished()?;
        }
        drop(lock);
        progress.step("making the disk");
        let from = match dockerfile::was_piped(&file, &work) {
            true => "standard input".into(),
            false => file.display().to_string(),
        };
        let source = format!("built from {from}");
        self.take_in(&job.out, vec![name.into()], source, cancel)
            .await
    }

    async fn run_builder(
        &self,
        chosen: &Chosen,
        job: &Job<'_>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let unfinished = self.dir.join(FOLDER).join(UNFINISHED);
        let note = serde_json::json!(chosen.unfinished(job)).to_string();
        std::fs::write(&unfinished, note).map_err(|source| Error::File {
            what: "write",
            path: unfinished,
            source,
        })?;
        for line in chosen.build(job) {
            run::run(line, &self.dir, self.options.keep_free, progress, cancel).await?;
        }
        Ok(())
    }

    /// Removes what a killed build has left with its builder, when nobody builds.
    pub async fn tidy_build(&self, progress: &Progress) -> Result<(), Error> {
        if !self.dir.join(FOLDER).join(UNFINISHED).exists() {
            return Ok(());
        }
        match work::try_alone(&self.dir, FOLDER)? {
            Some(_alone) => self.tidy_alone(progress).await,
            None => Ok(()),
        }
    }

    /// The same for who holds the lock.
    async fn tidy_alone(&self, progress: &Progress) -> Result<(), Error> {
        let folder = self.dir.join(FOLDER);
        let Ok(note) = std::fs::read(folder.join(UNFINISHED)) else {
            return Ok(());
        };
        // A note that was cut short was written before anything was done.
        if let Ok(unfinished) = serde_json::from_slice::<Unfinished>(&note) {
            // What cannot be removed now, because docker does not run for instance, is not in the way of what comes.
            if let Err(error) = builder::tidy(&unfinished, &folder).await {
                progress.note(format!("could not be tidied up: {error}"));
            }
        }
        self.finished()
    }

    fn finished(&self) -> Result<(), Error> {
        let path = self.dir.join(FOLDER).join(UNFINISHED);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
                what: "remove",
                path,
                source,
            }),
            _ => Ok(()),
        }
    }

    async fn wait_to_build(
        &self,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Flock<std::fs::File>, Error> {
        let mut waiting = std::pin::pin!(work::one_at_a_time(&self.dir, FOLDER, cancel));
        tokio::select! {
            lock = &mut waiting => lock,
            () = tokio::time::sleep(PATIENCE) => {
                progress.note("waiting for another build to end");
                waiting.await
            }
        }
    }

    /// The folder of what the builder keeps to be quicker the next time, locked; none while one builds.
    pub(super) fn build_cache(&self) -> Result<Option<(PathBuf, Flock<std::fs::File>)>, Error> {
        let folder = self.dir.join(FOLDER);
        if !folder.exists() {
            return Ok(None);
        }
        Ok(work::try_alone(&self.dir, FOLDER)?.map(|alone| (folder, alone)))
    }
}

/// Removes the builder's folder; its lock is held.
pub(super) async fn remove_cache(folder: &Path) -> Result<(), Error> {
    builder::remove(folder).await
}
