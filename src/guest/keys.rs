//! SSH keys: the pair that guests let in, and each guest's own host key. Both are Ed25519 (RFC 8709), in OpenSSH's
//! formats (PROTOCOL.key, sshd(8) "AUTHORIZED_KEYS FILE FORMAT").

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKey};

use crate::error::{self, Advice};

/// A failure around a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {what} the key {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not an SSH key", path.display())]
    Format {
        path: PathBuf,
        source: russh::keys::ssh_key::Error,
    },
    #[error("cannot make an SSH key")]
    Make(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the guest's host key is not an SSH key")]
    HostKey(#[source] russh::keys::ssh_key::Error),
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Format { path, .. } => Some(format!(
                "move {} away; a new pair is made, which running machines take at their next start",
                path.display()
            )),
            Error::File { source, .. } => error::way_out_of(source),
            _ => None,
        }
    }
}

/// The pair with which the host enters guests.
#[derive(Clone, Debug)]
pub struct Keys {
    pub private: Arc<PrivateKey>,
    /// As in `authorized_keys`.
    pub public_line: String,
    /// The private key's file, for other SSH clients.
    pub path: PathBuf,
}

/// Reads the pair in `folder`, or makes it. Two processes that make it at once end with the same one.
pub fn ensure_key_pair(folder: &Path) -> Result<Keys, Error> {
    let path = folder.join("id_ed25519");
    if !path.exists() {
        let key = generate("sistemo")?;
        let pem = key
            .to_openssh(LineEnding::LF)
            .map_err(|e| Error::Make(e.into()))?;
        let partial = folder.join(format!("id_ed25519.partial-{}", std::process::id()));
        write_private(&partial, pem.as_bytes())?;
        // A link fails when the name is taken, so the first writer wins.
        let linked = std::fs::hard_link(&partial, &path);
        let _ = std::fs::remove_file(&partial);
        match linked {
            Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::File {
                    what: "write",
                    path,
                    source,
                });
            }
            _ => {}
        }
    }
    let private = PrivateKey::read_openssh_file(&path).map_err(|source| Error::Format {
        path: path.clone(),
        source,
    })?;
    let public_line = private
        .public_key()
        .to_openssh()
        .map_err(|source| Error::Format {
            path: path.clone(),
            source,
        })?;
    let public = folder.join("id_ed25519.pub");
    if !public.exists() {
        std::fs::write(&public, format!("{public_line}\n")).map_err(|source| Error::File {
            what: "write",
            path: public,
            source,
        })?;
    }
    Ok(Keys {
        private: Arc::new(private),
        public_line,
        path,
    })
}

/// A host key for a guest: the private half as PEM, the public half as one line.
pub fn new_host_key() -> Result<(String, String), Error> {
    let key = generate("")?;
    let make = |error: russh::keys::ssh_key::Error| Error::Make(error.into());
    let private = key.to_openssh(LineEnding::LF).map_err(make)?;
    let public = key.public_key().to_openssh().map_err(make)?;
    Ok((private.to_string(), public))
}

/// Reads the public half that [`new_host_key`] gave.
pub fn parse_host_key(public: &str) -> Result<PublicKey, Error> {
    PublicKey::from_openssh(public).map_err(Error::HostKey)
}

fn generate(comment: &str) -> Result<PrivateKey, Error> {
    // An Ed25519 private key is 32 random bytes (RFC 8032 §5.1.5), which the kernel has.
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut seed))
        .map_err(|error| Error::Make(error.into()))?;
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    PrivateKey::new(pair, comment).map_err(|error| Error::Make(error.into()))
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    let open = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    open.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|source| Error::File {
            what: "write",
            path: path.into(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pair_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = ensure_key_pair(dir.path()).unwrap();
        let second = ensure_key_pair(dir.path()).unwrap();
        assert_eq!(first.public_line, second.public_line);
        assert!(
            first.public_line.starts_with("ssh-ed25519 ")
                && first.public_line.ends_with(" sistemo")
        );
        let mode = std::fs::metadata(&first.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn openssh_reads_our_keys() {
        let dir = tempfile::tempdir().unwrap();
        let keys = ensure_key_pair(dir.path()).unwrap();
        let output = std::process::Command::new("ssh-keygen")
            .arg("-y")
            .arg("-f")
            .arg(&keys.path)
            .output()
            .unwrap();
        assert!(output.status.success());
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().trim(),
            keys.public_line
        );
    }

    #[test]
    fn two_host_keys_differ() {
        let (a, b) = (new_host_key().unwrap(), new_host_key().unwrap());
        assert_ne!(a.1, b.1);
        assert!(parse_host_key(&a.1).is_ok());
        assert!(parse_host_key("nonsense").is_err());
    }
}
