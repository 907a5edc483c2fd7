//! What every failure can say of itself, and the one error type that front ends see.
//!
//! Each module has an error enum of its own, which names the act that failed and holds the facts; [`Advice`] adds the
//! kind (an exit status for scripts) and the way out (the `hint:` line). [`Error`] gathers them without rewording.

use std::error::Error as StdError;

use nix::errno::Errno;

/// How a failure is to be taken by whoever asked. Front ends turn it into an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and failed (exit status 1).
    Failed,
    /// It was asked wrongly (exit status 2).
    Usage,
    /// What was named does not exist (exit status 3).
    NotFound,
    /// Refused because of the state that things are in: running, attached, in use, taken (exit status 4).
    Refused,
    /// Whoever asked took it back (exit status 130).
    Cancelled,
}

impl Kind {
    /// The word for this kind in JSON (`error.code`).
    pub fn code(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Usage => "usage",
            Kind::NotFound => "not_found",
            Kind::Refused => "refused",
            Kind::Cancelled => "cancelled",
        }
    }
}

/// What a module's error knows beyond its text.
pub trait Advice: StdError {
    /// How the failure is to be taken.
    fn kind(&self) -> Kind {
        Kind::Failed
    }

    /// The way out, in one sentence or as a command to type, when there is one.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Lines that help to see why, such as the end of a log.
    fn detail(&self) -> Option<String> {
        None
    }
}

/// The way out of what the kernel says about a disk, when it is the disk that is at fault.
pub fn way_out_of(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind as Io;
    const FREE: &str = "free some space there: sistemo image prune, sistemo volume list";
    Some(match error.kind() {
        Io::StorageFull => FREE.into(),
        Io::QuotaExceeded => format!("the quota of this user is used up; raise it, or {FREE}"),
        Io::FileTooLarge => {
            "files may not become that large here: raise the limit (ulimit -f), or use a file system that holds larger files"
                .into()
        }
        Io::ReadOnlyFilesystem => "mount the file system for writing, or name another with --data-dir".into(),
        Io::PermissionDenied => "run it as root (sudo), or name another data directory with --data-dir".into(),
        _ if error.raw_os_error() == Some(nix::libc::EIO) => {
            "the disk may be failing; see what the kernel says: dmesg".into()
        }
        _ => return None,
    })
}

/// The same of a program's words, in which it passes on what the kernel said.
pub fn way_out_of_words(words: &str) -> Option<String> {
    // As strerror(3) has them in the C locale, and as Go has the first.
    let known = [
        ("No space left on device", Errno::ENOSPC),
        ("no space left on device", Errno::ENOSPC),
        ("Disk quota exceeded", Errno::EDQUOT),
        ("File too large", Errno::EFBIG),
        ("Input/output error", Errno::EIO),
    ];
    let (_, errno) = known.into_iter().find(|(said, _)| words.contains(said))?;
    way_out_of(&errno.into())
}

/// Any failure of the engine.
#[derive(Debug)]
pub struct Error(Box<dyn Failure>);

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

trait Failure: Advice + Send + Sync + 'static {}
impl<T: Advice + Send + Sync + 'static> Failure for T {}

impl<T: Advice + Send + Sync + 'static> From<T> for Error {
    fn from(error: T) -> Self {
        Error(Box::new(error))
    }
}

impl Error {
    /// How the failure is to be taken.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The way out, when there is one.
    pub fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    /// Lines that help to see why, when there are any.
    pub fn detail(&self) -> Option<String> {
        self.0.detail()
    }

    /// The error and its causes, outermost first, joined by `: `; a cause whose text the one above already ends with
    /// is left out.
    pub fn report(&self) -> String {
        Error::report_of(&*self.0)
    }

    /// The same of an error that is a module's own yet.
    pub(crate) fn report_of(error: &dyn StdError) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.ends_with(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        text
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the disk")]
    struct Outer(#[source] std::io::Error);
    impl Advice for Outer {
        fn kind(&self) -> Kind {
            Kind::Refused
        }
        fn hint(&self) -> Option<String> {
            Some("plug it in".into())
        }
    }

    #[test]
    fn what_is_wrong_with_a_disk_has_a_way_out_however_it_is_said() {
        for (errno, words, way_out) in [
            (
                Errno::ENOSPC,
                "mkfs.ext4: No space left on device",
                "free some space",
            ),
            (Errno::EDQUOT, "write: Disk quota exceeded", "quota"),
            (Errno::EFBIG, "File too large while writing", "ulimit -f"),
            (Errno::EIO, "read: Input/output error", "dmesg"),
        ] {
            let told = way_out_of(&errno.into()).unwrap();
            assert!(told.contains(way_out), "{told}");
            assert_eq!(way_out_of_words(words), Some(told));
        }
        assert_eq!(way_out_of(&Errno::EPIPE.into()), None);
        assert_eq!(way_out_of_words("all is well"), None);
    }

    #[test]
    fn a_report_names_the_cause_once() {
        let error = Error::from(Outer(std::io::Error::other("no such device")));
        assert_eq!(error.report(), "cannot read the disk: no such device");
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(error.hint().as_deref(), Some("plug it in"));
    }
}
