//! A machine-id(5) for each machine, though many are made of one image.
//!
//! An image that was a running system once brings its id along, and every machine made of it would have that same one:
//! one journal, one DHCP client, one host to whoever counts hosts. So a disk remembers the machine that it belongs to,
//! by that machine's public host key, and an id that came from elsewhere is replaced. One that the image left open is
//! init's to make, and one that a user chose later stays.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sistemo::guest::words::Config;

use crate::identity::{self, IdentityError};
use crate::text;

/// Where the disk remembers its machine.
const OWNER: &str = "var/lib/sistemo/machine";
/// The id, and the copy that D-Bus had before there was systemd.
const PLACES: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];

/// Sees to it that the system at `root` has an id of its own.
pub fn own(root: &Path, config: &Config) -> Result<(), IdentityError> {
    let key = russh::keys::PrivateKey::from_openssh(&config.host_key)
        .and_then(|key| key.public_key().to_openssh());
    // Without a key there is no server either, which says why.
    let Ok(owner) = key else { return Ok(()) };
    let owner = format!("{owner}\n");
    if text::read(&root.join(OWNER)).is_ok_and(|now| now == owner) {
        return Ok(());
    }
    let id = new_id().map_err(|source| IdentityError::Write {
        path: root.join(PLACES[0]),
        source,
    })?;
    for place in PLACES.map(|place| root.join(place)) {
        // The second is a link to the first where systemd is, and stays one.
        let is_file = place.symlink_metadata().is_ok_and(|meta| meta.is_file());
        if is_file && text::read(&place).is_ok_and(|now| is_id(now.trim())) {
            identity::put(&place, &id)?;
        }
    }
    identity::put(&root.join(OWNER), &owner)
}

/// Thirty-two hexadecimal digits; an empty file, or the word `uninitialized`, asks init for an id.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A random id in the form of a UUID of version 4, as systemd makes them.
fn new_id() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    // Not getrandom(2), which waits for the kernel to have gathered enough, and the machine's start with it.
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::config;

    fn machine(seed: u8) -> Config {
        let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
        let key = russh::keys::PrivateKey::from(pair);
        Config {
            host_key: key.to_openssh(Default::default()).unwrap().to_string(),
            ..config("web")
        }
    }

    #[test]
    fn machines_of_one_image_have_ids_of_their_own_and_keep_them() {
        const OF_IMAGE: &str = "0123456789abcdef0123456789abcdef\n";
        let ids = [1, 2].map(|seed| {
            let root = tempfile::tempdir().unwrap();
            let path = |name: &str| root.path().join(name);
            std::fs::create_dir_all(path("etc")).unwrap();
            std::fs::create_dir_all(path("var/lib/dbus")).unwrap();
            for place in PLACES {
                std::fs::write(path(place), OF_IMAGE).unwrap();
            }
            own(root.path(), &machine(seed)).unwrap();
            let id = std::fs::read_to_string(path(PLACES[0])).unwrap();
            assert!(is_id(id.trim()) && id != OF_IMAGE, "{id}");
            assert_eq!(std::fs::read_to_string(path(PLACES[1])).unwrap(), id);
            own(root.path(), &machine(seed)).unwrap();
            assert_eq!(std::fs::read_to_string(path(PLACES[0])).unwrap(), id);
            // Its disk under another machine.
            own(root.path(), &machine(seed + 10)).unwrap();
            assert_ne!(std::fs::read_to_string(path(PLACES[0])).unwrap(), id);
            id
        });
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn an_id_that_was_left_open_is_init_s_to_make() {
        for open in ["", "uninitialized\n"] {
            let root = tempfile::tempdir().unwrap();
            let place = root.path().join(PLACES[0]);
            std::fs::create_dir(root.path().join("etc")).unwrap();
            std::fs::write(&place, open).unwrap();
            own(root.path(), &machine(1)).unwrap();
            assert_eq!(std::fs::read_to_string(&place).unwrap(), open);
            // What init makes of it stays.
            std::fs::write(&place, new_id().unwrap()).unwrap();
            let made = std::fs::read_to_string(&place).unwrap();
            own(root.path(), &machine(1)).unwrap();
            assert_eq!(std::fs::read_to_string(&place).unwrap(), made);
        }
    }
}
