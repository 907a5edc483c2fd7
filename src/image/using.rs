//! Images that machines are being made of: a lock on the disk keeps those from going meanwhile.

use std::fs::File;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use tokio_util::sync::CancellationToken;

use super::{Error, Image, Images, work};
use crate::event::Progress;

/// The right to count on an image's disk. While anybody has it, the image is neither deleted nor pruned.
#[derive(Debug)]
pub struct Using(#[expect(dead_code, reason = "it is held, not used")] Flock<File>);

impl Images {
    /// The image that a reference means, as [`Images::resolve`] has it, and the right to count on it.
    pub async fn resolve_to_use(
        &self,
        reference: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(Image, Using), Error> {
        loop {
            let image = self.resolve(reference, progress, cancel).await?;
            // Gone since: it is fetched anew.
            if let Some(using) = self.using(&image.path)? {
                return Ok((image, using));
            }
        }
    }

    fn using(&self, disk: &Path) -> Result<Option<Using>, Error> {
        let fail = |source| Error::File {
            what: "open",
            path: disk.into(),
            source,
        };
        let file = match File::open(disk) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        // Who removes an image holds the lock for moments.
        let lock = Flock::lock(file, FlockArg::LockShared).map_err(|(_, e)| fail(e.into()))?;
        Ok(work::lies_at(&lock, disk).then_some(Using(lock)))
    }
}

/// Takes the lock under which an image's disk goes, unless somebody counts on it. One without a disk needs none.
pub(super) fn to_remove(disk: &Path) -> Result<Option<Removing>, Error> {
    match File::open(disk) {
        Ok(file) => match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Removing(Some(lock)))),
            Err(_) => Ok(None),
        },
        Err(_) => Ok(Some(Removing(None))),
    }
}

/// Nobody begins to count on the disk while this is held.
pub(super) struct Removing(
    #[expect(dead_code, reason = "it is held, not used")] Option<Flock<File>>,
);
