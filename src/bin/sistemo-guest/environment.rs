//! The environment of an application, and that of a session: what login(1) and sshd(8) would set, the image's own wishes,
//! the client's requests.
//!
//! Later layers win: defaults, `/etc/environment`, the image's configuration (an application image's `ENV`, which its
//! application has without that file), what the client asked for, and last what the server alone knows (the connection,
//! the terminal).

use std::collections::BTreeMap;
use std::path::Path;

use crate::accounts::Account;

/// Variables by name.
pub type Environment = BTreeMap<String, String>;

/// Where programs lie for root, and for anyone else (Debian's login.defs). Container runtimes give an application root's.
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USER_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";

/// How much a client may ask for, names and values together, in bytes.
pub const REQUEST_LIMIT: usize = 128 * 1024;

/// The image's variables, `KEY=VALUE` pairs, and those that a program may expect of any system.
pub fn of_application(image: &[String], home: &Path) -> Environment {
    let mut environment = Environment::from([
        ("PATH".to_owned(), ROOT_PATH.to_owned()),
        ("HOME".to_owned(), home.to_string_lossy().into_owned()),
    ]);
    environment.extend(image.iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        // Anything that exec can carry: an image's names need not please a shell.
        (!name.is_empty() && !pair.contains('\0')).then(|| (name.to_owned(), value.to_owned()))
    }));
    environment
}

/// The environment that `account` starts with, before what the client asks for. `file` is the text of the image's own
/// for everyone (pam_env(8)), `image` are `KEY=VALUE` pairs.
pub fn of_account(account: &Account, shell: &Path, file: &str, image: &[String]) -> Environment {
    let mut environment = Environment::new();
    let path = if account.uid == 0 {
        ROOT_PATH
    } else {
        USER_PATH
    };
    environment.insert("PATH".into(), path.into());
    environment.insert("LANG".into(), "C.UTF-8".into());
    environment.extend(parse(file));
    for pair in image {
        if let Some((name, value)) = pair.split_once('=')
            && is_name(name)
        {
            environment.insert(name.into(), value.into());
        }
    }
    environment.insert("HOME".into(), account.home.to_string_lossy().into_owned());
    environment.insert("USER".into(), account.name.clone());
    environment.insert("LOGNAME".into(), account.name.clone());
    environment.insert("SHELL".into(), shell.to_string_lossy().into_owned());
    environment
}

/// Whether a client may set a variable of this name: what a shell could name, so nothing that confuses one.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `KEY=VALUE` lines, `export` before them or not, quotes around the value or not; `#` begins a comment line.
fn parse(text: &str) -> impl Iterator<Item = (String, String)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if !is_name(name) || value.contains('\0') {
            return None;
        }
        let bare = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(value);
        Some((name.to_owned(), bare.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn account(uid: u32) -> Account {
        Account {
            name: "ann".into(),
            uid,
            gid: 5,
            home: PathBuf::from("/home/ann"),
            shell: PathBuf::from("/bin/sh"),
        }
    }

    #[test]
    fn the_image_s_variables_win() {
        let image = [
            "PATH=/app".to_owned(),
            "dotted.name=a=b".to_owned(),
            "broken".to_owned(),
            "=x".to_owned(),
        ];
        let environment = of_application(&image, Path::new("/srv"));
        assert_eq!(environment["PATH"], "/app");
        assert_eq!(environment["dotted.name"], "a=b");
        assert_eq!(environment["HOME"], "/srv");
        assert_eq!(environment.len(), 3);
    }

    #[test]
    fn the_image_may_change_the_path_but_not_who_one_is() {
        let image = [
            "PATH=/app/bin".to_owned(),
            "HOME=/x".to_owned(),
            "=bad".to_owned(),
        ];
        let file = "PATH=/usr/bin\nEDITOR=vi\n";
        let environment = of_account(&account(0), Path::new("/bin/sh"), file, &image);
        assert_eq!(environment["PATH"], "/app/bin");
        assert_eq!(environment["EDITOR"], "vi");
        assert_eq!(environment["HOME"], "/home/ann");
        assert_eq!(environment["SHELL"], "/bin/sh");
        assert!(!environment.contains_key(""));
    }

    #[test]
    fn only_root_has_sbin() {
        let path_of = |uid| of_account(&account(uid), Path::new(""), "", &[])["PATH"].clone();
        assert!(path_of(0).contains("/sbin"));
        assert!(!path_of(7).contains("sbin"));
    }

    #[test]
    fn the_file_is_read_with_quotes_exports_and_comments() {
        let text =
            "# LANG=x\nLANG=\"de_DE.UTF-8\"\nexport EDITOR='vi'\n1BAD=2\nPLAIN = a b \nnothing\n";
        let read: Vec<_> = parse(text).collect();
        let expected = [("LANG", "de_DE.UTF-8"), ("EDITOR", "vi"), ("PLAIN", "a b")];
        assert_eq!(
            read,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn names_are_what_a_shell_could_name() {
        assert!(is_name("LC_ALL") && is_name("_x9"));
        assert!(
            !is_name("") && !is_name("9x") && !is_name("a-b") && !is_name("a=b") && !is_name("é")
        );
    }
}
