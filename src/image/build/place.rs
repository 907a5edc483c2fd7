//! The folder in which buildah and podman keep what they build.

use std::path::{Path, PathBuf};

use super::super::Error;

/// Makes the folder, with nothing mounted, as after a start of this computer: whoever mounted it in its own namespace
/// is gone.
pub(super) fn prepare(folder: &Path) -> Result<(), Error> {
    let run = folder.join("run");
    let fail = |source| Error::File {
        what: "make",
        path: folder.into(),
        source,
    };
    match std::fs::remove_dir_all(&run) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(fail(source)),
        _ => {}
    }
    std::fs::create_dir_all(&run).map_err(fail)?;
    let registries = folder.join("registries.conf");
    let written = match registries_text() {
        Some(text) => std::fs::write(&registries, text),
        None => match std::fs::remove_file(&registries) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    };
    written.map_err(|source| Error::File {
        what: "write",
        path: registries,
        source,
    })
}

/// Has `FROM nginx` mean docker.io's, as a Dockerfile's author expects, where nobody has said what it is to mean
/// (containers-registries.conf(5)); the rest is as this computer has it.
fn registries_text() -> Option<String> {
    const SYSTEM: &str = "/etc/containers/registries.conf";
    let mut places = vec![PathBuf::from(SYSTEM)];
    let dropped = std::fs::read_dir(format!("{SYSTEM}.d"))
        .into_iter()
        .flatten();
    places.extend(dropped.flatten().map(|entry| entry.path()));
    if let Some(home) = std::env::var_os("HOME") {
        places.push(Path::new(&home).join(".config/containers/registries.conf"));
    }
    let says = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines();
        lines.any(|line| {
            line.trim_start()
                .starts_with("unqualified-search-registries")
        })
    };
    if std::env::var_os("CONTAINERS_REGISTRIES_CONF").is_some() || places.iter().any(says) {
        return None;
    }
    let rest = std::fs::read_to_string(SYSTEM).unwrap_or_default();
    Some(format!(
        "unqualified-search-registries = [\"docker.io\"]\n{rest}"
    ))
}
