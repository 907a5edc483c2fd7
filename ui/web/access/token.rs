//! The token: whoever can read its file may do everything, as whoever can read the rest of the data directory.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Error;
use super::secret::Secret;

/// Its name in the data directory.
const FILE: &str = "web-token";
/// Bits that let others than the owner read or change it.
const OTHERS: u32 = 0o077;

/// Where the token of a data directory is.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Reads the token, or makes it at the first start.
pub(super) fn open(data_dir: &Path) -> Result<Secret, Error> {
    let path = path(data_dir);
    if let Some(token) = read(data_dir)? {
        return Ok(token);
    }
    let fail = |source| Error::File {
        what: "write",
        path: path.clone(),
        source,
    };
    let token = Secret::new()?;
    // Whole or not at all, and never over another's: two daemons may begin at once. Such files are 0600.
    let mut file = tempfile::NamedTempFile::new_in(data_dir).map_err(fail)?;
    writeln!(file, "{}", token.as_str()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(token),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            read(data_dir)?.ok_or_else(|| fail(error.error))
        }
        Err(error) => Err(fail(error.error)),
    }
}

/// Reads the token; none if there is no file.
///
/// # Errors
///
/// [`Error::Exposed`] if others may read it, [`Error::NoToken`] if it is something else.
pub(crate) fn read(data_dir: &Path) -> Result<Option<Secret>, Error> {
    let path = path(data_dir);
    let fail = |source| Error::File {
        what: "read",
        path: path.clone(),
        source,
    };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mode = file.metadata().map_err(fail)?.mode();
    if mode & OTHERS != 0 {
        return Err(Error::Exposed(path));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(fail)?;
    match Secret::parse(text.trim_end()) {
        Some(token) => Ok(Some(token)),
        None => Err(Error::NoToken(path)),
    }
}

/// Makes a folder that only its owner sees, if it is not there.
pub(crate) fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_none());
        let token = open(dir.path()).unwrap();
        assert_eq!(open(dir.path()).unwrap(), token);
        let file = path(dir.path());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);

        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(open(dir.path()), Err(Error::Exposed(_))));
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "sesame\n").unwrap();
        assert!(matches!(open(dir.path()), Err(Error::NoToken(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
