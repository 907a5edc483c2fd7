//! `/images`: fetching, making and removing images.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sistemo::error::Result;
use sistemo::image::{BuildArgument, Dockerfile, Image, Images, Prune};
use sistemo::value::without_secrets;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::blocking;
use super::extract::{Body, Key, MaybeBody, Params, Segment, Waiting};
use super::operations::{Job, Operation, Order, begin, value};
use super::problem::{Answer, Problem};
use super::words::plain;
use crate::cli::image::prune::Report;
use crate::web::Web;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(pull))
        .routes(routes!(build))
        .routes(routes!(import))
        .routes(routes!(prune))
}

/// List images
#[utoipa::path(get, path = "/images", operation_id = "listImages", tag = "images",
    responses((status = 200, description = "Images, the newest first", body = Vec<Image>)))]
async fn list(State(web): State<Web>) -> Answer<Json<Vec<Image>>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.images().list()?))).await
}

/// Show one image
///
/// By name, or by digest or its beginning. A name with strokes is written with `%2F`.
#[utoipa::path(get, path = "/images/{name}", operation_id = "showImage", tag = "images",
    responses((status = 200, description = "The image", body = Image)))]
async fn show(State(web): State<Web>, Segment(name): Segment) -> Answer<Json<Image>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.images().find(&name)?))).await
}

/// Delete an image
///
/// Takes the name away; with its last name, or when named by its digest, the image goes. Machines keep their disks.
#[utoipa::path(delete, path = "/images/{name}", operation_id = "deleteImage", tag = "images",
    responses((status = 204, description = "It is gone")))]
async fn delete(State(web): State<Web>, Segment(name): Segment) -> Answer<StatusCode> {
    let engine = web.engine();
    blocking(move || {
        engine.images().delete(&name)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// An image to fetch.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Pull {
    /// A container image, a recipe or a URL.
    #[schema(example = "nginx", min_length = 1)]
    reference: String,
}

/// Fetch an image
///
/// Also when it is here already. The operation's result is the image.
#[utoipa::path(post, path = "/images/pull", operation_id = "pullImage", tag = "images", request_body = Pull,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn pull(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Pull>,
) -> Answer<Response> {
    let target = without_secrets(&body.reference);
    let order = Order::new("image.pull", target, &body, key, waiting)?;
    if body.reference.is_empty() {
        return Err(Problem::usage("reference wants the name of an image"));
    }
    let images = web.engine().images().clone();
    begin(&web, order, async { Ok(()) }, |job| async move {
        let pulling = images.pull(&body.reference, &job.progress, &job.cancel);
        Ok(value(Box::pin(pulling).await?))
    })
    .await
}

/// An image to make: of `reference`, of `recipe` or of a Dockerfile, of which one is named; by default of `debian`.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"reference": "debian:trixie", "name": "mine"}))]
struct Build {
    /// A recipe, or a container image.
    #[schema(min_length = 1)]
    reference: Option<String>,
    /// A recipe: `debian`, `debian:bookworm` or `debian:trixie`.
    recipe: Option<String>,
    dockerfile: Option<BuildOf>,
    /// What the image is called; by default as what it is made of.
    name: Option<String>,
}

/// A Dockerfile of the daemon's computer, and what it is built with.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BuildOf {
    /// Absolute path of the folder that it copies from.
    #[schema(example = "/srv/app", pattern = "^/")]
    context: String,
    /// The Dockerfile, from there; by default `Containerfile` or `Dockerfile`.
    file: Option<String>,
    /// Values for its `ARG`s: `NAME=VALUE`.
    #[serde(default)]
    arguments: Vec<String>,
    /// The stage to end with.
    target: Option<String>,
    /// Do every step anew.
    #[serde(default)]
    no_cache: bool,
}

/// What an image is made of.
enum Source {
    Reference(String),
    Recipe(String),
    Dockerfile(Dockerfile),
}

impl Build {
    fn source(self) -> Answer<Source> {
        Ok(match (self.reference, self.recipe, self.dockerfile) {
            (None, None, None) => Source::Reference("debian".into()),
            (Some(reference), None, None) if !reference.is_empty() => Source::Reference(reference),
            (None, Some(recipe), None) => Source::Recipe(recipe),
            (None, None, Some(of)) => {
                let context = absolute("context", &of.context)?;
                let arguments = of.arguments.iter().map(|text| plain("arguments", text));
                let arguments: Vec<BuildArgument> = arguments.collect::<Answer<_>>()?;
                Source::Dockerfile(Dockerfile {
                    file: of.file.map(|file| context.join(file)),
                    context,
                    name: self.name,
                    arguments,
                    target: of.target,
                    no_cache: of.no_cache,
                })
            }
            _ => {
                return Err(Problem::usage(
                    "an image is made of one thing: reference, recipe or dockerfile",
                ));
            }
        })
    }
}

/// A path of the daemon's computer; where the daemon was started is nobody's business.
fn absolute(field: &str, path: &str) -> Answer<PathBuf> {
    match path.starts_with('/') && !path.contains('\0') {
        true => Ok(path.into()),
        false => Err(Problem::usage(format!("{field} wants an absolute path"))),
    }
}

async fn make(images: &Images, source: &Source, name: Option<&str>, job: &Job) -> Result<Image> {
    let (progress, cancel) = (&job.progress, &job.cancel);
    Ok(match source {
        Source::Reference(reference) => images.build(reference, name, progress, cancel).await?,
        Source::Recipe(recipe) => images.build_recipe(recipe, name, progress, cancel).await?,
        Source::Dockerfile(what) => images.build_dockerfile(what, progress, cancel).await?,
    })
}

/// Make an image
///
/// On the daemon's computer: of a recipe, a container image or a Dockerfile. The operation's result is the image.
#[utoipa::path(post, path = "/images/build", operation_id = "buildImage", tag = "images", request_body = Build,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn build(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Build>,
) -> Answer<Response> {
    let context = body.dockerfile.as_ref().map(|of| &of.context);
    let of = [
        body.name.as_ref(),
        body.reference.as_ref(),
        body.recipe.as_ref(),
        context,
    ];
    let target = of
        .into_iter()
        .flatten()
        .next()
        .map_or("debian", String::as_str);
    let order = Order::new("image.build", without_secrets(target), &body, key, waiting)?;
    let name = body.name.clone();
    let source = body.source()?;
    let images = web.engine().images().clone();
    begin(&web, order, async { Ok(()) }, |job| async move {
        let making = make(&images, &source, name.as_deref(), &job);
        Ok(value(Box::pin(making).await?))
    })
    .await
}

/// A file that becomes an image.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Import {
    /// Absolute path on the daemon's computer: an ext4 disk, an archive or an OCI layout.
    #[schema(example = "/srv/rootfs.tar.zst", pattern = "^/")]
    path: String,
    /// By default the file's name.
    name: Option<String>,
}

/// Take an image from a file
///
/// Of the daemon's computer. The operation's result is the image.
#[utoipa::path(post, path = "/images/import", operation_id = "importImage", tag = "images", request_body = Import,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn import(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Import>,
) -> Answer<Response> {
    let order = Order::new("image.import", &body.path, &body, key, waiting)?;
    let path = absolute("path", &body.path)?;
    let images = web.engine().images().clone();
    begin(&web, order, async { Ok(()) }, |job| async move {
        let name = body.name.as_deref();
        let importing = images.import(&path, name, &job.progress, &job.cancel);
        Ok(value(Box::pin(importing).await?))
    })
    .await
}

/// What is to go.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Pruning {
    /// Also images with a name that no machine and no volume was made of.
    all: bool,
    /// Only say what would go.
    dry_run: bool,
}

/// Remove what nothing needs
///
/// Images without a name, broken downloads and the build cache. The operation's result is
/// `{"removed": [{"kind", "name", "digest", "bytes"}], "freed_bytes", "dry_run"}`.
#[utoipa::path(post, path = "/images/prune", operation_id = "pruneImages", tag = "images",
    request_body = Option<Pruning>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn prune(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Pruning>,
) -> Answer<Response> {
    let order = Order::new("image.prune", "", &body, key, waiting)?;
    let images = web.engine().images().clone();
    begin(&web, order, async { Ok(()) }, |_| async move {
        let what = Prune { all: body.all };
        let removed = match body.dry_run {
            true => images.prunable(what)?,
            false => images.prune(what).await?,
        };
        Ok(value(Report::new(&removed, body.dry_run)))
    })
    .await
}
