//! `sistemo image`: fetch, build and remove images.

pub(crate) mod build;
pub(crate) mod prune;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use sistemo::image::Image as Record;

use crate::cli::Context;
use crate::cli::complete;
use crate::cli::each::each;
use crate::cli::output::{self, Format, age, details};
use crate::cli::progress::Display;
use crate::cli::report::Failure;
use crate::cli::terminal;

#[derive(Subcommand)]
pub(crate) enum Image {
    /// List images
    #[command(visible_alias = "ls")]
    List,
    /// Fetch an image, also when it is here already
    Pull {
        /// A container image, a recipe or a URL
        #[arg(add = complete::images())]
        reference: String,
    },
    Build(build::Build),
    /// Take an image from a file: .ext4, .tar, .tar.gz, .tar.zst or an OCI layout
    #[command(
        after_help = "Examples:\n  sistemo image import rootfs.tar.zst --name mine\n  docker save app | zstd > app.tar.zst && sistemo image import app.tar.zst\n  sistemo machine deploy mine"
    )]
    Import {
        file: PathBuf,
        /// Name of the image [default: the file's name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Show one image
    #[command(visible_alias = "info")]
    Show {
        /// Name or digest
        #[arg(add = complete::images())]
        name: String,
    },
    /// Delete images; machines keep their disks
    #[command(visible_alias = "rm")]
    Delete {
        /// Names or digests
        #[arg(required = true, value_name = "NAME", add = complete::images())]
        names: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    Prune(prune::Prune),
}

pub(crate) async fn run(context: &Context, command: Image) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let images = engine.images();
    let display = Display::new(context.format);
    let (progress, cancel) = (display.progress(), &context.cancel);
    let made = match command {
        Image::List => {
            list(context, &images.list()?);
            return Ok(ExitCode::SUCCESS);
        }
        Image::Show { name } => {
            show(context, &images.find(&name)?);
            return Ok(ExitCode::SUCCESS);
        }
        Image::Delete { names, yes } => return delete(context, &engine, &names, yes).await,
        Image::Prune(args) => return prune::run(context, images, &args).await,
        Image::Pull { reference } => Ok(images.pull(&reference, &progress, cancel).await?),
        Image::Build(args) => build::run(images, args, &progress, cancel).await,
        Image::Import { file, name } => {
            let name = name.as_deref();
            Ok(images.import(&file, name, &progress, cancel).await?)
        }
    };
    display.finish();
    let image = made?;
    match context.format {
        Format::Json => output::json(&image),
        Format::Table => output::say(&format!("{} {}\n", image.name, image.digest)),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context, images: &[Record]) {
    if context.format == Format::Json {
        return output::json(&images);
    }
    if images.is_empty() {
        return output::say("no images; fetch one: sistemo image pull debian\n");
    }
    let rows = images.iter().map(|image| {
        vec![
            image.name.clone(),
            short(&image.digest),
            image.used.to_string(),
            image.source.clone(),
            age(&image.created_at),
        ]
    });
    output::say(&output::table(
        &["NAME", "DIGEST", "SIZE", "SOURCE", "AGE"],
        rows.collect(),
    ));
}

/// The first twelve hexadecimal digits of a digest.
fn short(digest: &str) -> String {
    digest
        .trim_start_matches("sha256:")
        .chars()
        .take(12)
        .collect()
}

fn show(context: &Context, image: &Record) {
    if context.format == Format::Json {
        return output::json(image);
    }
    let config = image.config.clone().unwrap_or_default();
    // Their values may be long, and are in the JSON.
    let variables = config
        .env
        .iter()
        .filter_map(|pair| Some(pair.split_once('=')?.0));
    output::say(&details(&[
        ("Names", image.names.join("\n")),
        ("Digest", image.digest.clone()),
        ("Disk", image.size.to_string()),
        ("Used", image.used.to_string()),
        ("Source", image.source.clone()),
        ("Entry point", output::words(config.entrypoint.iter())),
        ("Command", output::words(config.cmd.iter())),
        ("Variables", variables.collect::<Vec<_>>().join(" ")),
        ("User", config.user.unwrap_or_default()),
        ("Directory", config.workdir.unwrap_or_default()),
        (
            "Stop signal",
            config.stop_signal.map(signal).unwrap_or_default(),
        ),
        ("Ports", config.exposed_ports.join(" ")),
        ("Volumes", config.volumes.join("\n")),
        ("File", image.path.display().to_string()),
        ("Created", image.created_at.clone()),
    ]));
}

/// The name of a signal, or the number of one that has none.
fn signal(number: i32) -> String {
    let named = nix::sys::signal::Signal::try_from(number);
    named.map_or_else(|_| number.to_string(), |signal| signal.as_str().into())
}

async fn delete(
    context: &Context,
    engine: &sistemo::engine::Engine,
    names: &[String],
    yes: bool,
) -> Result<ExitCode, Failure> {
    let (gone, status) = each(context, names, async |name| {
        let image = engine.images().find(name)?;
        if !yes {
            let question = format!("Delete image {}?", image.name);
            let what = format!("image {}", image.name);
            terminal::agree(&question, &what, &context.cancel).await?;
        }
        engine.images().delete(name)?;
        if context.format == Format::Table {
            output::say(&format!("{name} deleted\n"));
        }
        Ok(json!({"name": name, "digest": image.digest}))
    })
    .await;
    output::things(context.format, names.len(), &gone);
    status
}
