//! What the fuzz targets reach of this room. Only `cargo fuzz` builds it.

use std::fs::File;

use tokio_util::sync::CancellationToken;

use super::ext4::{Builder, Options};
use super::layer::{Layers, Whiteouts};
use super::{Error, resolve, url};

/// Lays archives over each other, as layers with whiteouts or as they are, into an empty file. The file system's size
/// in bytes.
pub fn lay(archives: &[&[u8]], layers: bool, file: File) -> Result<u64, Error> {
    let options = Options {
        label: "fuzz".into(),
        made_at: 0,
        keep_free: 0,
    };
    let whiteouts = match layers {
        true => Whiteouts::Honoured,
        false => Whiteouts::Ordinary,
    };
    let builder = Builder::new(file, options);
    let mut laid = Layers::new(builder, 0, whiteouts, CancellationToken::new());
    for archive in archives {
        laid.add(*archive)?;
    }
    Ok(laid.finish([1; 16])?.size)
}

/// The name that what a reference means has in the cache; `None` for a path.
pub fn name_in_cache(reference: &str) -> Option<String> {
    match resolve::form(reference) {
        resolve::Form::Path(_) => None,
        resolve::Form::Url(url) => Some(url::shown(url)),
        resolve::Form::Name(name) => Some(resolve::short(name)),
    }
}
