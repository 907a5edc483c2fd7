//! `sistemo image build`.

use std::path::{Path, PathBuf};

use sistemo::error::Result;
use sistemo::event::Progress;
use sistemo::image::{BuildArgument, Dockerfile, Error, Image, Images};
use tokio_util::sync::CancellationToken;

use crate::cli::complete;

/// Make an image on this computer: of a recipe, a container image or a Dockerfile
///
/// A Dockerfile is built by buildah, podman or docker, the first that is there and works. What its RUN instructions do,
/// they do as this user and with this computer's network.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sistemo image build debian:trixie\n  sistemo image build node:20 -t node\n  \
    sistemo image build -t web .\n  sistemo image build -f docker/Dockerfile --build-arg VERSION=2 ."
)]
pub(crate) struct Build {
    /// A recipe, a container image, or the folder that a Dockerfile copies from [default: debian, or . with -f]
    #[arg(value_name = "REF|DIR", add = complete::images())]
    pub(crate) what: Option<String>,

    /// A recipe: debian, debian:bookworm or debian:trixie
    #[arg(long, value_name = "NAME", conflicts_with_all = ["what", "file"])]
    pub(crate) recipe: Option<String>,

    /// A Dockerfile, from here or from DIR; - for standard input [default: DIR/Containerfile or DIR/Dockerfile]
    #[arg(short, long, value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,

    /// What the image is called [default: as what it is made of, or as DIR]
    #[arg(short = 't', long, visible_alias = "tag", value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// A value for an ARG of the Dockerfile; NAME alone takes it from the environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) build_arg: Vec<BuildArgument>,

    /// The stage of the Dockerfile to end with
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,

    /// Do every step of the Dockerfile anew
    #[arg(long)]
    pub(crate) no_cache: bool,
}

pub(super) async fn run(
    images: &Images,
    args: Build,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Image> {
    let name = args.name.as_deref();
    let what = args.what.as_deref();
    let folder = match what {
        _ if args.file.is_some() => Some(what.unwrap_or(".")),
        Some(what) if is_folder(what) => Some(what),
        _ => None,
    };
    let given = [
        ("--build-arg", !args.build_arg.is_empty()),
        ("--target", args.target.is_some()),
        ("--no-cache", args.no_cache),
    ];
    if let (None, Some((option, _))) = (folder, given.into_iter().find(|(_, given)| *given)) {
        return Err(Error::OnlyDockerfile(option).into());
    }
    if let Some(recipe) = &args.recipe {
        return Ok(images.build_recipe(recipe, name, progress, cancel).await?);
    }
    let Some(folder) = folder else {
        let reference = what.unwrap_or("debian");
        return Ok(images.build(reference, name, progress, cancel).await?);
    };
    let file = args.file.map(|file| match file.as_os_str() == "-" {
        true => "/dev/stdin".into(),
        false => file,
    });
    let what = Dockerfile {
        file,
        context: folder.into(),
        name: args.name,
        arguments: args.build_arg,
        target: args.target,
        no_cache: args.no_cache,
    };
    Ok(images.build_dockerfile(&what, progress, cancel).await?)
}

/// Whether this is a folder to build, as docker has it, and not an image's name: it is written as a path. A folder with
/// an OCI layout is an image.
pub(crate) fn is_folder(what: &str) -> bool {
    let written = matches!(what, "." | "..")
        || ["./", "../", "/", "~/"]
            .iter()
            .any(|begin| what.starts_with(begin))
        || what.ends_with('/');
    written && Path::new(what).is_dir() && !Path::new(what).join("oci-layout").is_file()
}
