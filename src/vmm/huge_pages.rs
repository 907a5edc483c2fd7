//! What a guest's memory is made of: the `huge_pages` setting.

use std::fmt;
use std::str::FromStr;

/// Pages of the host behind a guest's memory (Firecracker's docs/hugepages.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// Whatever the host's kernel does by itself.
    #[default]
    None,
    /// The kernel is asked for huge pages where it has some (madvise(2), `MADV_HUGEPAGE`).
    Transparent,
    /// Pages of 2 MiB that the administrator has set aside (hugetlbfs, `/proc/sys/vm/nr_hugepages`).
    TwoMebibytes,
}

impl HugePages {
    const ALL: [HugePages; 3] = [
        HugePages::None,
        HugePages::Transparent,
        HugePages::TwoMebibytes,
    ];

    /// The word for it in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            HugePages::None => "none",
            HugePages::Transparent => "transparent",
            HugePages::TwoMebibytes => "2M",
        }
    }
}

impl FromStr for HugePages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        (HugePages::ALL.into_iter())
            .find(|known| known.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not one of: none, transparent, 2M"))
    }
}

impl fmt::Display for HugePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
