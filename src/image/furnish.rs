//! What is put right in a fresh Debian before it is a machine's disk, as a last layer over mmdebstrap's archive.

use tar::{Builder, EntryType, Header};

use super::Error;

/// Made anew by every machine (see [`HOST_KEYS`]).
const SSH_KEYS: [&str; 3] = ["rsa", "ecdsa", "ed25519"];

/// Every machine makes SSH host keys of its own, before sshd looks for them. None for RSA, which would take an emulated
/// processor half a minute of the first boot: sshd does without, and so does every client since OpenSSH 5.7. A key that
/// is there is whole: it gets its name last. Whether those that there are will do is sshd's to say.
const HOST_KEYS: &str = r#"[Service]
ExecStartPre=
ExecStartPre=-/bin/sh -ec 'cd /etc/ssh; for kind in ed25519 ecdsa; do key=ssh_host_$${kind}_key; test -s $key || { rm -f new new.pub; ssh-keygen -q -N "" -t $kind -f new; mv new.pub $key.pub; mv new $key; }; done'
ExecStartPre=/usr/sbin/sshd -t
"#;

/// There is neither a screen to log in on nor a disk with snapshots to look after.
const MASKED: [&str; 3] = [
    "getty@tty1.service",
    "e2scrub_reap.service",
    "e2scrub_all.timer",
];

/// Timers that would make up for missed runs at the first boot, when the machine is to be there quickly. They still
/// run at their hours.
const NOT_AT_BOOT: [&str; 4] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "fstrim.timer",
];
const NO_MAKING_UP: &str = "[Timer]\nPersistent=false\n";

const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n";

/// The layer. `sources` are the lines that mmdebstrap was given.
pub(super) fn archive(sources: &[String]) -> Result<Vec<u8>, Error> {
    let mut layer = Layer(Builder::new(Vec::new()));
    let units = "etc/systemd/system";
    for kind in SSH_KEYS {
        layer.remove(&format!("etc/ssh/ssh_host_{kind}_key"))?;
        layer.remove(&format!("etc/ssh/ssh_host_{kind}_key.pub"))?;
    }
    layer.file(&format!("{units}/ssh.service.d/host-keys.conf"), HOST_KEYS)?;
    for unit in MASKED {
        layer.link(&format!("{units}/{unit}"), "/dev/null")?;
    }
    for timer in NOT_AT_BOOT {
        layer.file(&format!("{units}/{timer}.d/not-at-boot.conf"), NO_MAKING_UP)?;
    }
    layer.link(
        &format!("{units}/default.target"),
        "/lib/systemd/system/multi-user.target",
    )?;
    // Empty: systemd makes one at the first boot, and does not ask the console for settings (machine-id(5)).
    layer.file("etc/machine-id", "")?;
    layer.link("var/lib/dbus/machine-id", "/etc/machine-id")?;
    // Written by the guest program; here they hold nothing of the host's.
    layer.file("etc/hostname", "debian\n")?;
    layer.file("etc/hosts", HOSTS)?;
    layer.file("etc/resolv.conf", "")?;
    layer.file("etc/fstab", "")?;
    if sources
        .iter()
        .any(|line| line.contains("//localhost") || line.contains("//127."))
    {
        // A mirror on the host itself is nowhere for the guest.
        layer.file("etc/apt/sources.list", &public(sources))?;
    }
    layer.0.into_inner().map_err(Error::Damaged)
}

/// The same lines with Debian's own mirror.
fn public(sources: &[String]) -> String {
    let line = |line: &String| {
        let mut words: Vec<&str> = line.split(' ').collect();
        let security = words
            .get(2)
            .is_some_and(|suite| suite.ends_with("-security"));
        if let Some(site) = words.get_mut(1) {
            *site = if security {
                "http://security.debian.org/debian-security"
            } else {
                "http://deb.debian.org/debian"
            };
        }
        words.join(" ") + "\n"
    };
    sources.iter().map(line).collect()
}

/// A layer in the making; everything in it is root's.
struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn file(&mut self, path: &str, text: &str) -> Result<(), Error> {
        let mut header = header(EntryType::Regular, 0o644);
        header.set_size(text.len() as u64);
        self.0
            .append_data(&mut header, path, text.as_bytes())
            .map_err(Error::Damaged)
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), Error> {
        let mut header = header(EntryType::Symlink, 0o777);
        self.0
            .append_link(&mut header, path, target)
            .map_err(Error::Damaged)
    }

    /// Takes a file of the layer below away.
    fn remove(&mut self, path: &str) -> Result<(), Error> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.file(&format!("{folder}/.wh.{name}"), "")
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(super::recipe::now().unsigned_abs());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_mirror_is_replaced_in_the_image() {
        let sources = [
            "deb http://localhost:3142/debian trixie main".to_string(),
            "deb http://localhost:3142/debian-security trixie-security main".into(),
        ];
        assert_eq!(
            public(&sources),
            "deb http://deb.debian.org/debian trixie main\n\
             deb http://security.debian.org/debian-security trixie-security main\n"
        );
    }
}
