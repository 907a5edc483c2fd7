//! Where a Dockerfile and its context lie, and what the image is called by default.

use std::path::{Path, PathBuf};

use super::super::Error;
use super::super::work::Work;

/// What a Dockerfile is called when nothing else is said, as buildah and podman have it.
const USUAL: [&str; 2] = ["Containerfile", "Dockerfile"];

/// What one that comes through a pipe is called.
const PIPED: &str = "Dockerfile";

/// The real path of the folder that is built.
pub(super) fn context(folder: &Path) -> Result<PathBuf, Error> {
    let real = folder.canonicalize().and_then(|path| {
        if path.is_dir() {
            Ok(path)
        } else {
            Err(std::io::ErrorKind::NotADirectory.into())
        }
    });
    real.map_err(|source| Error::Context {
        path: folder.into(),
        source,
    })
}

/// The Dockerfile: as the path leads from here, as docker has it, or from the context, as buildah and podman also do.
/// One that comes through a pipe is copied into the build's folder.
pub(super) fn file(asked: Option<&Path>, context: &Path, work: &Work) -> Result<PathBuf, Error> {
    let Some(asked) = asked else {
        let usual = USUAL.map(|name| context.join(name));
        let found = usual.into_iter().find(|path| path.is_file());
        return found.ok_or_else(|| Error::NoDockerfile(context.join(USUAL[1])));
    };
    let places = [asked.to_path_buf(), context.join(asked)];
    for place in places {
        if place.is_dir() || !place.exists() {
            continue;
        }
        let fail = |source| Error::File {
            what: "read",
            path: place.clone(),
            source,
        };
        let path = std::path::absolute(&place).map_err(fail)?;
        if path.is_file() {
            return Ok(path);
        }
        let copy = work.join(PIPED);
        let text = std::fs::read(&path).map_err(fail)?;
        std::fs::write(&copy, text).map_err(|source| Error::File {
            what: "write",
            path: copy.clone(),
            source,
        })?;
        return Ok(copy);
    }
    Err(Error::NoDockerfile(asked.into()))
}

/// Whether it came through a pipe, and has no name that says anything.
pub(super) fn was_piped(file: &Path, work: &Work) -> bool {
    file == work.join(PIPED)
}

/// The name of the context's folder, as far as it can be an image's.
pub(super) fn default_name(context: &Path) -> String {
    let name = context.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    // Repositories have no two dashes in a row but many may stand for one (OCI distribution-spec, "pull").
    let text: String = name.chars().map(plain).collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return "image".into();
    }
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_image_a_name() {
        for (folder, name) in [
            ("/srv/My App", "my-app"),
            ("/srv/web_2.0", "web-2-0"),
            ("/srv/--x--", "x"),
            ("/srv/ü", "image"),
            ("/", "image"),
        ] {
            assert_eq!(default_name(Path::new(folder)), name, "{folder}");
            assert!(super::super::resolve::own_name(name).is_ok());
        }
    }

    #[test]
    fn a_dockerfile_is_found_where_builders_look() {
        let dir = tempfile::tempdir().unwrap();
        let images = tempfile::tempdir().unwrap();
        let work = Work::new(images.path()).unwrap();
        let found = |asked: Option<&str>| file(asked.map(Path::new), dir.path(), &work);
        assert!(matches!(found(None), Err(Error::NoDockerfile(_))));
        std::fs::write(dir.path().join("Dockerfile"), "").unwrap();
        std::fs::write(dir.path().join("other"), "").unwrap();
        assert_eq!(found(None).unwrap(), dir.path().join("Dockerfile"));
        std::fs::write(dir.path().join("Containerfile"), "").unwrap();
        assert_eq!(found(None).unwrap(), dir.path().join("Containerfile"));
        assert_eq!(found(Some("other")).unwrap(), dir.path().join("other"));
        assert!(matches!(found(Some("none")), Err(Error::NoDockerfile(_))));
        assert!(matches!(found(Some("/")), Err(Error::NoDockerfile(_))));
        assert_eq!(found(Some("/dev/null")).unwrap(), work.join("Dockerfile"));
    }
}
