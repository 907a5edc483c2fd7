//! Copying files and folders between the host and guests, over SFTP.
//!
//! Permissions (without set-user-id and set-group-id) and times are kept, owners are not; links stay links; holes stay
//! holes. A file is written under a name of its own beside its place ([`part`]) and renamed when it is whole, so a copy
//! that is cut off leaves no half a file, and one that is run again goes on with the large file where it stopped: with
//! what there is of the same source, if that ends as the source does there.
//!
//! Knows nothing of machines: it is given sessions with guests, and what to call them.

mod error;
mod file;
mod folder;
mod large;
mod listing;
mod part;
mod reader;
mod side;
mod stream;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use side::{Guest, Side};
pub use tally::Copied;

use crate::event::Progress;
use tally::Tally;
use target::Target;
use tree::{Failures, Tree};

/// Standard input, or what stands for it.
pub type Input = Pin<Box<dyn AsyncRead + Send>>;
/// Standard output, or what stands for it.
pub type Output = Pin<Box<dyn AsyncWrite + Send>>;

/// What is copied.
pub enum From {
    Paths { side: Side, paths: Vec<PathBuf> },
    Stream(Input),
}

/// Where something is copied to.
pub enum To {
    Path { side: Side, path: PathBuf },
    Stream(Output),
}

/// Copies. Several sources go into a folder; one goes into a folder that is there, and else becomes what is named.
/// With `follow`, links are copied as what they lead to; a link that is named as a source always is.
///
/// # Errors
///
/// When something could not be copied. The rest has been, unless the connection, the disk or the user's patience ended.
pub async fn copy(
    from: Vec<From>,
    to: To,
    follow: bool,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Copied, Error> {
    let label = label(&from);
    let tally = Tally::new(label, progress.clone(), cancel);
    let several = from
        .iter()
        .map(|from| match from {
            From::Paths { paths, .. } => paths.len(),
            From::Stream(_) => 1,
        })
        .sum::<usize>()
        > 1;
    match to {
        To::Stream(output) => stream::to_stream(from, output, &tally).await?,
        To::Path { side, path } => {
            let target = Target::find(side, path, several).await?;
            let mut failures = Failures::default();
            for from in from {
                match from {
                    From::Stream(input) => stream::from_stream(input, &target, &tally).await?,
                    From::Paths { side, paths } => {
                        let tree = Tree {
                            side: &side,
                            follow,
                            tally: &tally,
                        };
                        let mut jobs = Vec::new();
                        for path in paths {
                            match target.job(&side, path).await {
                                Ok(job) => jobs.push(job),
                                Err(error) if several && !error.ends_all() => {
                                    tally.found((1, 0));
                                    failures.add(error);
                                }
                                Err(error) => return Err(error),
                            }
                        }
                        tree.run(jobs, &mut failures).await?;
                    }
                }
            }
            failures.outcome(tally.entries.load(Ordering::Relaxed))?;
        }
    }
    Ok(tally.end())
}

/// What a bar says that is copied.
fn label(from: &[From]) -> String {
    match from {
        [From::Paths { paths, .. }] if paths.len() == 1 => {
            let name = paths[0].file_name().unwrap_or(paths[0].as_os_str());
            Side::Host.shown(Path::new(name))
        }
        [From::Stream(_)] => "standard input".into(),
        _ => "files".into(),
    }
}
