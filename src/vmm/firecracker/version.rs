//! Firecracker's version, and what each version can do.
//!
//! Facts are from Firecracker's CHANGELOG.md by release; where the pull request is known it is named. The API's
//! description (`src/firecracker/swagger/firecracker.yaml`) says nothing of versions.

use std::fmt;

/// A version as `firecracker --version` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

impl Version {
    /// The oldest release that the driver is written for.
    pub const OLDEST: Version = Version::new(1, 10, 0);
    /// The newest release whose API's description the driver has been held to. Newer ones are tried: within a major
    /// version the API only grows (docs/RELEASE_POLICY.md, "API support").
    pub const KNOWN: Version = Version::new(1, 17, 0);

    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Version {
            major,
            minor,
            patch,
        }
    }

    /// The version in what `firecracker --version` prints: its first line is `Firecracker v1.17.0`, or
    /// `Firecracker v1.17.0-dev…` for one that was built between releases.
    pub fn printed(text: &str) -> Option<Version> {
        let words = text
            .lines()
            .find_map(|line| line.strip_prefix("Firecracker v"))?;
        Version::numbered(words.split_whitespace().next()?)
    }

    /// The version in what the API calls `firecracker_version`, such as `1.17.0` or `1.17.0-dev`.
    pub fn numbered(text: &str) -> Option<Version> {
        let number = text.split(['-', '+']).next()?;
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let version = Version::new(
            parts.next()??,
            parts.next()??,
            parts.next().unwrap_or(Some(0))?,
        );
        Some(version)
    }

    /// What it can do.
    pub fn features(self) -> Features {
        let from = |minor| self >= Version::new(1, minor, 0);
        Features {
            // 1.14.0: "Added support for balloon free page reporting and hinting" (#5491).
            free_page_reporting: from(14),
            // 1.15.0: what an asynchronous drive still does is drained before processors and interrupts are saved (#5582);
            // before, its end could be missing in the state, and what went on from there waited for its disk (#5554).
            drained_io: from(15),
            // 1.16.0: `mtu` in a network interface's configuration (#5828).
            mtu: from(16),
            // 1.14.0 has `PUT /serial` (#5350); its `rate_limiter` is of 1.16.0.
            serial_rate_limit: from(16),
            // The description of 1.17 has both, those of earlier releases are not known to.
            transparent_huge_pages: from(17),
            other_huge_pages_on_load: from(17),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What not every supported version can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The balloon gives pages back to the host that the guest has freed.
    pub free_page_reporting: bool,
    /// A state that is saved while drives work asynchronously is whole.
    pub drained_io: bool,
    /// The guest is told how large packets may be.
    pub mtu: bool,
    /// What the guest writes to its serial port can be limited.
    pub serial_rate_limit: bool,
    /// Guest memory may ask for transparent huge pages.
    pub transparent_huge_pages: bool,
    /// Guest memory that is loaded may be of other pages than it was when it was saved.
    pub other_huge_pages_on_load: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_is_printed() {
        let printed = |text: &str| Version::printed(text);
        assert_eq!(
            printed(
                "Firecracker v1.10.1\n\n2026-01-01T00:00:00 [main] Firecracker exiting successfully."
            ),
            Some(Version::new(1, 10, 1))
        );
        assert_eq!(
            printed("Firecracker v1.17.0-dev-1a2b3c\n"),
            Some(Version::new(1, 17, 0))
        );
        assert_eq!(printed("Firecracker v2.0"), Some(Version::new(2, 0, 0)));
        for not in [
            "",
            "QEMU emulator version 7.2",
            "Firecracker vX",
            "Firecracker v1",
        ] {
            assert_eq!(printed(not), None, "{not}");
        }
        assert!(Version::new(1, 9, 9) < Version::OLDEST);
        assert_eq!(Version::new(1, 17, 3).to_string(), "1.17.3");
    }

    #[test]
    fn features_come_and_stay() {
        let features = |minor| Version::new(1, minor, 0).features();
        let of = |all: Features| {
            [
                all.free_page_reporting,
                all.drained_io,
                all.mtu,
                all.serial_rate_limit,
                all.transparent_huge_pages,
                all.other_huge_pages_on_load,
            ]
        };
        let first = |count| std::array::from_fn::<_, 6, _>(|index| index < count);
        assert_eq!(of(features(10)), first(0));
        assert_eq!(of(features(14)), first(1));
        assert_eq!(of(features(15)), first(2));
        assert_eq!(of(features(16)), first(4));
        assert_eq!(of(features(17)), first(6));
        assert_eq!(of(Version::new(2, 0, 0).features()), first(6));
    }
}
