//! `sistemo image prune`.

use std::process::ExitCode;

use serde::Serialize;
use sistemo::image::{Images, Prune as What, Pruned, Removal};
use sistemo::value::ByteSize;

use crate::cli::Context;
use crate::cli::output::{self, Format};
use crate::cli::report::Failure;
use crate::cli::terminal;

/// Remove what nothing needs: images without a name, broken downloads, the build cache
///
/// An image that a machine or a kept root volume was made of stays. What is being pulled, built or deployed is not
/// touched.
#[derive(clap::Args)]
pub(crate) struct Prune {
    /// Also images with a name that no machine was made of
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What a program is told.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    removed: &'a [Removal],
    freed_bytes: ByteSize,
    dry_run: bool,
}

impl Report<'_> {
    pub(crate) fn new(removed: &[Removal], dry_run: bool) -> Report<'_> {
        Report {
            removed,
            freed_bytes: total(removed),
            dry_run,
        }
    }
}

pub(super) async fn run(
    context: &Context,
    images: &Images,
    args: &Prune,
) -> Result<ExitCode, Failure> {
    let what = What { all: args.all };
    let found = images.prunable(what)?;
    if args.dry_run || found.is_empty() {
        say(context, &found, args.dry_run);
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes {
        let question = format!(
            "Remove {}, {}?",
            counted(found.iter().map(|removal| removal.kind)),
            total(&found)
        );
        terminal::agree(&question, "what nothing needs", &context.cancel).await?;
    }
    say(context, &images.prune(what).await?, false);
    Ok(ExitCode::SUCCESS)
}

fn total(removals: &[Removal]) -> ByteSize {
    ByteSize::bytes(removals.iter().map(|removal| removal.bytes.as_u64()).sum())
}

/// `2 images, 1 download and the build cache`.
fn counted(kinds: impl Iterator<Item = Pruned>) -> String {
    let kinds: Vec<Pruned> = kinds.collect();
    let count = |wanted| kinds.iter().filter(|kind| **kind == wanted).count();
    let several = |count, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let parts: Vec<String> = [
        several(count(Pruned::Image), "image"),
        several(count(Pruned::Download), "download"),
        (count(Pruned::BuildCache) > 0).then(|| "the build cache".into()),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".into(),
    }
}

fn say(context: &Context, removals: &[Removal], dry_run: bool) {
    let freed = total(removals);
    if context.format == Format::Json {
        return output::json(&Report::new(removals, dry_run));
    }
    if removals.is_empty() {
        return output::say("nothing to remove\n");
    }
    for removal in removals {
        let kind = match removal.kind {
            Pruned::Image => "image ",
            Pruned::Download => "download ",
            Pruned::BuildCache => "",
        };
        let end = if dry_run {
            "would be removed"
        } else {
            "removed"
        };
        let (name, bytes) = (&removal.name, removal.bytes);
        output::say(&format!("{kind}{name} {end}, {bytes}\n"));
    }
    let free = if dry_run { "would be free" } else { "free" };
    output::say(&format!("{freed} more {free}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_counted() {
        let of = |kinds: &[Pruned]| counted(kinds.iter().copied());
        use Pruned::{BuildCache, Download, Image};
        assert_eq!(of(&[Image]), "1 image");
        assert_eq!(
            of(&[Image, Image, BuildCache]),
            "2 images and the build cache"
        );
        assert_eq!(
            of(&[Image, Download, BuildCache]),
            "1 image, 1 download and the build cache"
        );
    }
}
