//! Users and groups of the image, read from its `/etc/passwd` and `/etc/group`.
//!
//! The program is static glibc, so `getpwnam` and its NSS modules are out of reach; the files are parsed here
//! (passwd(5), group(5)). An image without `/etc/passwd` has one user all the same: root.

use std::io;
use std::path::{Path, PathBuf};

use crate::text;

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
    /// Login shell as written there; empty when none is.
    pub shell: PathBuf,
}

/// Who an application runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub home: PathBuf,
    pub name: String,
}

/// Why a user cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("cannot read {path}")]
    Read {
        path: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the image has no user {0:?}; name one of its /etc/passwd, or a number")]
    NoUser(String),
    #[error("the image has no group {0:?}; name one of its /etc/group, or a number")]
    NoGroup(String),
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The account called `name`, if the image knows it.
pub fn find(name: &str) -> Result<Option<Account>, AccountError> {
    Ok(find_in(&read(PASSWD)?, name))
}

/// The supplementary groups of `account`, its own group included.
pub fn groups_of(account: &Account) -> Result<Vec<u32>, AccountError> {
    Ok(groups_in(&read(GROUP)?, &account.name, account.gid))
}

/// Resolves `user`, `uid`, `user:group` or `uid:gid` (OCI image-spec, config `User`); empty means root.
pub fn resolve(spec: &str) -> Result<Identity, AccountError> {
    resolve_in(spec, &read(PASSWD)?, &read(GROUP)?)
}

/// A file that is not there reads as empty: an image need not have one.
fn read(path: &'static str) -> Result<String, AccountError> {
    text::read(Path::new(path)).map_err(|source| AccountError::Read { path, source })
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.splitn(7, ':');
        let (name, _, uid, gid) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        // As the C library: a line may end early, and a shell may be missing.
        let _gecos = fields.next();
        let home = fields.next().unwrap_or_default();
        let shell = fields.next().unwrap_or_default();
        Some(Account {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: PathBuf::from(if home.is_empty() { "/" } else { home }),
            shell: PathBuf::from(shell),
        })
    })
}

fn find_in(passwd: &str, name: &str) -> Option<Account> {
    accounts(passwd)
        .find(|account| account.name == name)
        .or_else(|| (name == "root").then(root))
}

/// Root in an image that does not list it.
fn root() -> Account {
    Account {
        name: "root".into(),
        uid: 0,
        gid: 0,
        home: PathBuf::from("/root"),
        shell: PathBuf::new(),
    }
}

/// Lines of `/etc/group`: name, number, members.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn groups_in(group: &str, user: &str, own: u32) -> Vec<u32> {
    let mut list = vec![own];
    for (_, gid, members) in groups(group) {
        if members.split(',').any(|member| member.trim() == user) && !list.contains(&gid) {
            list.push(gid);
        }
    }
    list
}

pub fn resolve_in(spec: &str, passwd: &str, group: &str) -> Result<Identity, AccountError> {
    let (user, group_spec) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    let user = if user.is_empty() { "root" } else { user };
    // A number that names no account is allowed: uid alone, group 0, as container runtimes do.
    let account = match (find_in(passwd, user), user.parse::<u32>()) {
        (Some(account), _) => account,
        (None, Ok(uid)) => accounts(passwd).find(|a| a.uid == uid).unwrap_or(Account {
            name: user.to_owned(),
            uid,
            gid: 0,
            home: PathBuf::from("/"),
            shell: PathBuf::new(),
        }),
        (None, Err(_)) => return Err(AccountError::NoUser(user.to_owned())),
    };
    let (gid, supplementary) = match group_spec {
        None | Some("") => (account.gid, groups_in(group, &account.name, account.gid)),
        Some(name) => {
            let gid = groups(group)
                .find(|(other, ..)| *other == name)
                .map(|(_, gid, _)| gid)
                .or_else(|| name.parse().ok())
                .ok_or_else(|| AccountError::NoGroup(name.to_owned()))?;
            // Naming a group turns the supplementary ones off, as in runc.
            (gid, vec![gid])
        }
    };
    Ok(Identity {
        uid: account.uid,
        gid,
        groups: supplementary,
        home: account.home,
        name: account.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          # a comment\n\
                          broken:x:zero:0::/:\n\
                          app:x:1000:1000::/srv/app:\n\
                          nohome:x:1001:7:,,,::/bin/sh\n";
    const GROUP: &str =
        "root:x:0:\nwheel:x:10:app,other\nvideo:x:44:app\napp:x:1000:app\nshort:x\n";

    #[test]
    fn an_account_is_read_from_its_line() {
        let app = find_in(PASSWD, "app").unwrap();
        assert_eq!((app.uid, app.gid), (1000, 1000));
        assert_eq!(app.home, Path::new("/srv/app"));
        assert_eq!(app.shell, Path::new(""));
        assert_eq!(find_in(PASSWD, "nohome").unwrap().home, Path::new("/"));
    }

    #[test]
    fn broken_lines_and_unknown_names_are_no_accounts() {
        assert_eq!(find_in(PASSWD, "broken"), None);
        assert_eq!(find_in(PASSWD, "nobody-here"), None);
    }

    #[test]
    fn a_line_may_end_early() {
        let short = find_in("old:x:12:13\n", "old").unwrap();
        assert_eq!((short.uid, short.gid), (12, 13));
        assert_eq!((short.home, short.shell), ("/".into(), "".into()));
        assert_eq!(find_in("old:x:12\n", "old"), None);
    }

    #[test]
    fn root_exists_in_an_image_without_a_passwd_file() {
        assert_eq!(find_in("", "root").unwrap().uid, 0);
        assert_eq!(resolve_in("", "", "").unwrap().uid, 0);
    }

    #[test]
    fn supplementary_groups_come_once_each() {
        assert_eq!(groups_in(GROUP, "app", 1000), [1000, 10, 44]);
    }

    #[test]
    fn a_specification_is_user_or_number_with_or_without_group() {
        let by_name = resolve_in("app", PASSWD, GROUP).unwrap();
        assert_eq!((by_name.uid, by_name.gid), (1000, 1000));
        assert_eq!(by_name.groups, [1000, 10, 44]);
        let by_number = resolve_in("1000", PASSWD, GROUP).unwrap();
        assert_eq!(by_number, by_name);
        let stranger = resolve_in("4242:wheel", PASSWD, GROUP).unwrap();
        assert_eq!((stranger.uid, stranger.gid), (4242, 10));
        assert_eq!(stranger.groups, [10]);
        assert_eq!(resolve_in("5:6", "", "").unwrap().gid, 6);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_says_so() {
        let user = resolve_in("ghost", PASSWD, GROUP).unwrap_err();
        assert!(user.to_string().contains("no user \"ghost\""));
        let group = resolve_in("app:ghosts", PASSWD, GROUP).unwrap_err();
        assert!(group.to_string().contains("no group \"ghosts\""));
    }
}
