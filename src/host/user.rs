//! Who uses this computer right now.

use std::path::Path;

/// The user who runs this program; behind sudo(8), who asked it to. A user without a name is a number.
pub fn name() -> String {
    let sudo = std::env::var("SUDO_USER").ok();
    let sudo = sudo.filter(|name| !name.is_empty() && nix::unistd::Uid::effective().is_root());
    sudo.unwrap_or_else(|| {
        let uid = nix::unistd::Uid::current().as_raw();
        named(uid, Path::new("/etc/passwd")).unwrap_or_else(|| uid.to_string())
    })
}

/// The name of a user in passwd(5). A static program cannot ask the C library, which would load modules.
fn named(uid: u32, passwd: &Path) -> Option<String> {
    let text = std::fs::read_to_string(passwd).ok()?;
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_string())
    };
    text.lines().find_map(of_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_name_or_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "root:x:0:0::/root:/bin/sh\nbroken\nme:x:1000:1000:::\n",
        )
        .unwrap();
        assert_eq!(named(0, file.path()).as_deref(), Some("root"));
        assert_eq!(named(1000, file.path()).as_deref(), Some("me"));
        assert_eq!(named(1, file.path()), None);
        assert_eq!(named(0, Path::new("/nonexistent")), None);
    }
}
