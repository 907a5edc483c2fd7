//! A folder with all that is in it: many files under way at once.
//!
//! ```text
//!   stack of jobs ─► under way ─┬─ an entry: a file, a link; a folder is made, and then listed
//!        ▲                      ├─ the next entries of a folder
//!        └────── new jobs ──────┴─ a folder of which nothing is left to do gets its permissions and times
//! ```
//!
//! The last job that was found is the first that is done, so the stack stays short: depth first.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::error::Error;
use super::file::{self, Place};
use super::folder::Folder;
use super::listing::Listing;
use super::side::{Facts, FileKind, Side};
use super::tally::Tally;

/// Jobs under way at once: enough that a guest always has something to do.
const MOST: usize = 64;
/// Failures that are told in full.
const TOLD: usize = 20;

/// A folder that is copied into.
pub(super) struct Into {
    pub folder: Folder,
    /// What it gets in the end, if this copy made it; one that was there before stays as it is.
    settle: Option<Facts>,
    /// Large files that it got.
    large: Mutex<Vec<PathBuf>>,
    parent: Option<Arc<Into>>,
    /// Jobs for it that have not ended, and folders in it that have not been settled.
    open: AtomicUsize,
}

impl Into {
    /// A folder that was there before.
    pub fn existing(folder: Folder) -> Arc<Into> {
        Into::new(folder, None, None)
    }

    fn new(folder: Folder, settle: Option<Facts>, parent: Option<Arc<Into>>) -> Arc<Into> {
        Arc::new(Into {
            folder,
            settle,
            large: Mutex::default(),
            parent,
            open: AtomicUsize::new(0),
        })
    }

    /// Nothing is left to do in it.
    async fn end(&self) -> Result<(), Error> {
        let large = std::mem::take(&mut *self.large.lock().unwrap_or_else(PoisonError::into_inner));
        match &self.settle {
            Some(facts) => self.folder.settle(facts).await,
            None if large.is_empty() => Ok(()),
            None => {
                self.folder.sweep(&large).await;
                Ok(())
            }
        }
    }
}

/// Something to do.
pub(super) enum Job {
    /// Copy what is at `path` to `into`, as `name`.
    Entry {
        path: PathBuf,
        facts: Result<Facts, Error>,
        name: PathBuf,
        into: Arc<Into>,
    },
    /// Copy what the folder at `path` holds.
    Folder {
        path: PathBuf,
        into: Arc<Into>,
    },
    More {
        path: PathBuf,
        listing: Listing,
        into: Arc<Into>,
    },
    Settle(Arc<Into>),
}

/// A copy under way.
pub(super) struct Tree<'a> {
    pub side: &'a Side,
    pub follow: bool,
    pub tally: &'a Tally,
}

/// What failed.
#[derive(Default)]
pub(super) struct Failures {
    count: u64,
    lines: Vec<String>,
    only: Option<Error>,
}

impl Failures {
    pub fn add(&mut self, error: Error) {
        self.count += 1;
        if self.lines.len() < TOLD {
            self.lines.push(error.line());
        }
        self.only = (self.count == 1).then_some(error);
    }

    /// One error out of all; `all` is what was tried.
    pub fn outcome(self, all: u64) -> Result<(), Error> {
        match (self.only, self.count) {
            (_, 0) => Ok(()),
            (Some(error), _) if all <= 1 => Err(error),
            (_, failed) => Err(Error::Some {
                failed,
                all,
                lines: self.lines,
            }),
        }
    }
}

impl Tree<'_> {
    /// Does these jobs and all that follow from them. What fails does not keep the rest from being copied, unless it
    /// would keep that too; then what is under way comes to its end, so that nothing is left unfinished.
    pub async fn run(&self, jobs: Vec<Job>, failures: &mut Failures) -> Result<(), Error> {
        let mut stack = Vec::new();
        self.add(&mut stack, jobs);
        let mut under_way = FuturesUnordered::new();
        let mut end = None;
        loop {
            while under_way.len() < MOST
                && !self.tally.cancel.is_cancelled()
                && let Some(job) = stack.pop()
            {
                under_way.push(self.carry_out(job));
            }
            let Some((outcome, about)) = under_way.next().await else {
                return match end {
                    Some(error) => Err(error),
                    None if self.tally.cancel.is_cancelled() => Err(Error::Cancelled),
                    None => Ok(()),
                };
            };
            match outcome {
                Ok(jobs) => self.add(&mut stack, jobs),
                Err(error) if error.ends_all() => {
                    self.tally.give_up(&error);
                    end = end.or(Some(error));
                }
                Err(error) => failures.add(error),
            }
            if let Some(about) = about
                && about.open.fetch_sub(1, Ordering::Relaxed) == 1
            {
                stack.push(Job::Settle(about));
            }
        }
    }

    fn add(&self, stack: &mut Vec<Job>, jobs: Vec<Job>) {
        for job in jobs {
            self.tally.found(job.size());
            if let Some(about) = job.about() {
                about.open.fetch_add(1, Ordering::Relaxed);
            }
            stack.push(job);
        }
    }

    /// Does a job: what follows from it, and the folder in which one thing less is left to do.
    async fn carry_out(&self, job: Job) -> (Result<Vec<Job>, Error>, Option<Arc<Into>>) {
        let about = job.about().cloned();
        let done = match job {
            Job::Entry {
                path,
                facts,
                name,
                into,
            } => self.entry(path, facts, &name, &into).await,
            Job::Folder { path, into } => {
                let listing = self.side.list(&path).await;
                listing.map(|listing| {
                    vec![Job::More {
                        path,
                        listing,
                        into,
                    }]
                })
            }
            Job::More {
                path,
                listing,
                into,
            } => self.more(path, listing, &into).await,
            Job::Settle(into) => {
                let settled = into.end().await.map(|()| Vec::new());
                return (settled, into.parent.clone());
            }
        };
        (done, about)
    }

    async fn more(
        &self,
        path: PathBuf,
        listing: Listing,
        into: &Arc<Into>,
    ) -> Result<Vec<Job>, Error> {
        let (entries, more) = listing.next(self.side, &path).await?;
        let mut jobs = Vec::with_capacity(entries.len() + 1);
        if let Some(listing) = more {
            jobs.push(Job::More {
                path: path.clone(),
                listing,
                into: into.clone(),
            });
        }
        // Under the entries: they are done first.
        jobs.extend(entries.into_iter().map(|entry| Job::Entry {
            path: path.join(&entry.name),
            facts: entry.facts,
            name: entry.name,
            into: into.clone(),
        }));
        Ok(jobs)
    }

    async fn entry(
        &self,
        path: PathBuf,
        facts: Result<Facts, Error>,
        name: &Path,
        into: &Arc<Into>,
    ) -> Result<Vec<Job>, Error> {
        let mut facts = facts?;
        if self.follow && facts.kind == FileKind::Link {
            facts = self.side.facts(&path, true).await?;
            if facts.kind == FileKind::File {
                self.tally.found((0, facts.size));
            }
        }
        match facts.kind {
            FileKind::File => {
                let place = Place {
                    folder: &into.folder,
                    name,
                };
                file::copy(self.side, &path, &facts, &place, self.tally).await?;
                self.tally.files.fetch_add(1, Ordering::Relaxed);
                if facts.size > file::SMALL as u64 {
                    let mut large = into.large.lock().unwrap_or_else(PoisonError::into_inner);
                    large.push(name.to_path_buf());
                }
                Ok(Vec::new())
            }
            FileKind::Link => {
                let target = self.side.read_link(&path).await?;
                into.folder.link(name, &target, &facts).await?;
                self.tally.links.fetch_add(1, Ordering::Relaxed);
                Ok(Vec::new())
            }
            FileKind::Folder => {
                let (folder, made) = into.folder.sub(name).await?;
                self.tally.folders.fetch_add(1, Ordering::Relaxed);
                // The parent waits for this one's end, also when there is nothing to be settled here.
                into.open.fetch_add(1, Ordering::Relaxed);
                let settle = Some(facts).filter(|_| made);
                let sub = Into::new(folder, settle, Some(into.clone()));
                Ok(vec![Job::Folder { path, into: sub }])
            }
            FileKind::Other(what) => {
                self.tally.skipped.fetch_add(1, Ordering::Relaxed);
                let place = self.side.shown(&path);
                self.tally
                    .progress
                    .note(format!("left out {place}: a {what}"));
                Ok(Vec::new())
            }
        }
    }
}

impl Job {
    /// The folder in which it leaves one thing less to do.
    fn about(&self) -> Option<&Arc<Into>> {
        match self {
            Job::Entry { into, .. } | Job::Folder { into, .. } | Job::More { into, .. } => {
                Some(into)
            }
            Job::Settle(_) => None,
        }
    }

    /// What it adds to the work, in entries and bytes.
    fn size(&self) -> (u64, u64) {
        match self {
            Job::Entry {
                facts: Ok(facts), ..
            } if facts.kind == FileKind::File => (1, facts.size),
            Job::Entry { .. } => (1, 0),
            _ => (0, 0),
        }
    }
}
