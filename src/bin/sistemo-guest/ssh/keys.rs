//! Public keys that may log in: the host's, and a user's own `~/.ssh/authorized_keys`.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use russh::keys::PublicKey;

use crate::accounts::Account;

/// Largest file that is read, in bytes; a user's file must not cost the server its memory.
const LIMIT: u64 = 256 * 1024;

/// The keys among `lines`, each an OpenSSH `authorized_keys` line; comments, and keys of a kind that russh does not
/// know, are passed over.
///
/// A line with options (`command=`, `from=` …) restricts its key in ways that this server does not enforce, so it is
/// passed over too.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<PublicKey> {
    lines
        .into_iter()
        .filter_map(|line| PublicKey::from_openssh(line.trim()).ok())
        .collect()
}

/// The keys that the user trusts. As sshd's `StrictModes`: none if anyone else could have written them.
pub fn of_account(account: &Account) -> Vec<PublicKey> {
    let folder = account.home.join(".ssh");
    let file = folder.join("authorized_keys");
    if [&account.home, &folder]
        .iter()
        .any(|path| !is_private(path, account.uid))
    {
        return Vec::new();
    }
    let opened = std::fs::File::options()
        .read(true)
        // Neither a link to somebody else's file nor a FIFO that never answers.
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(&file);
    let Ok(opened) = opened else {
        return Vec::new();
    };
    let trusted = opened
        .metadata()
        .is_ok_and(|meta| meta.is_file() && meta.len() <= LIMIT && owned(&meta, account.uid));
    let mut text = Vec::new();
    if !trusted || opened.take(LIMIT).read_to_end(&mut text).is_err() {
        return Vec::new();
    }
    parse(String::from_utf8_lossy(&text).lines())
}

fn is_private(path: &Path, uid: u32) -> bool {
    path.metadata().is_ok_and(|meta| owned(&meta, uid))
}

fn owned(meta: &std::fs::Metadata, uid: u32) -> bool {
    (meta.uid() == uid || meta.uid() == 0) && meta.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ user@host";

    #[test]
    fn only_plain_keys_count() {
        let restricted = format!("command=\"/bin/true\" {KEY}");
        let keys = parse([
            "# comment",
            "",
            KEY,
            restricted.as_str(),
            "ssh-ed25519 nonsense",
        ]);
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn keys_that_others_could_have_written_do_not_count() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("authorized_keys");
        std::fs::write(&file, KEY).unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(home.path(), 0o755);
        mode(&folder, 0o700);
        mode(&file, 0o600);
        let account = Account {
            name: "me".into(),
            uid: nix::unistd::Uid::current().as_raw(),
            gid: 0,
            home: home.path().to_path_buf(),
            shell: "/bin/sh".into(),
        };
        assert_eq!(of_account(&account).len(), 1);
        mode(&file, 0o666);
        assert!(of_account(&account).is_empty());
        mode(&file, 0o600);
        mode(home.path(), 0o777);
        assert!(of_account(&account).is_empty());
    }
}
