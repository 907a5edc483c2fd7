//! `sistemo machine cp`.

use std::ffi::OsString;
use std::process::ExitCode;

use sistemo::machine::{CopyRequest, Place};
use sistemo::value::ByteSize;

use crate::cli::output::{self, Format};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::{Context, complete};

/// Copy files and folders into a machine, out of one, or from one to another
///
/// A place is a path on this computer, [USER@]MACHINE:PATH, or - for standard input or output. In a
/// machine, a path that does not begin with / begins in the user's home; the user is root unless
/// said. A name of this computer with a colon in it is written ./NAME.
///
/// If the destination is a folder, what is copied goes into it under its own name; if there is
/// nothing of that name, it becomes the copy. SOURCE/. stands for what is in a folder; a slash at the
/// end changes nothing. Several sources need a folder. Files that are there are replaced, folders are
/// merged.
///
/// Permissions and times are kept, owners and set-user-id bits are not. Links inside of folders stay
/// links; one that is named is followed. Pipes, sockets and devices are left out.
///
/// A file appears under its name when it is whole; until then it is .NAME.….sistemo-part beside it.
/// When a copy was interrupted, the same command goes on with the large file where it stopped,
/// unless the file has changed since.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine cp notes.txt web:\n  \
    sistemo machine cp ./site web:/srv/site\n  \
    sistemo machine cp web:/var/log/nginx ./logs\n  \
    sistemo machine cp www@web:app.db db:/srv/\n  \
    pg_dump shop | sistemo machine cp - db:/root/shop.sql")]
pub(crate) struct Cp {
    /// What is copied, and last where to
    #[arg(
        required = true,
        num_args = 2..,
        value_names = ["SOURCE", "DESTINATION"],
        add = complete::places()
    )]
    places: Vec<OsString>,

    /// Copy what links lead to instead of links
    #[arg(short = 'L', long)]
    follow: bool,

    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,

    /// Folders are copied with all that is in them anyway; for those used to scp
    #[arg(short = 'r', short_alias = 'R', long, hide_short_help = true)]
    recursive: bool,

    /// Permissions and times are kept anyway; for those used to scp
    #[arg(short = 'p', long, short_alias = 'a', hide_short_help = true)]
    preserve: bool,
}

pub(crate) async fn run(context: &Context, args: &Cp) -> Result<ExitCode, Failure> {
    let mut places: Vec<Place> = args.places.iter().map(|text| Place::parse(text)).collect();
    // There are two at least.
    let target = places.pop().unwrap_or(Place::Stream);
    let shown = args
        .places
        .last()
        .map(|text| text.to_string_lossy().into_owned());
    let quiet = args.quiet || target == Place::Stream;
    let request = CopyRequest {
        sources: places,
        target,
        follow: args.follow,
        input: Box::pin(tokio::io::stdin()),
        output: Box::pin(tokio::io::stdout()),
    };
    let engine = context.engine().await?;
    let display = match args.quiet {
        true => Display::silent(),
        false => Display::new(context.format),
    };
    let copied = engine
        .machines()
        .copy(request, &display.progress(), &context.cancel)
        .await;
    display.finish();
    let copied = copied?;
    match context.format {
        Format::Json if !quiet => output::json(&copied),
        Format::Table if !quiet => {
            let mut parts = Vec::new();
            for (count, one, many) in [
                (copied.files, "file", "files"),
                (copied.folders, "folder", "folders"),
                (copied.links, "link", "links"),
            ] {
                if count > 0 {
                    parts.push(format!("{count} {}", if count == 1 { one } else { many }));
                }
            }
            let what = match parts.is_empty() {
                true => "nothing".into(),
                false => parts.join(", "),
            };
            let size = ByteSize::bytes(copied.bytes);
            let resumed = match copied.resumed_bytes {
                0 => String::new(),
                bytes => format!(", of which {} was there already", ByteSize::bytes(bytes)),
            };
            let target = shown.unwrap_or_default();
            output::say(&format!("copied {what} ({size}{resumed}) to {target}\n"));
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}
