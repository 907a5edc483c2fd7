//! What goes wrong on the way to a kernel, and the way out.

use std::io;
use std::path::PathBuf;

use crate::error::Advice;

/// A failure to get a kernel ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A package could not be unpacked.
    #[error("cannot unpack {}", package.display())]
    Unpack {
        package: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is no Linux kernel for x86-64.
    #[error("not a Linux kernel image")]
    NotAKernel,
    /// The kernel is compressed in a way that is not known.
    #[error("the kernel is compressed in an unknown way (it begins with {magic:02x?})")]
    UnknownCompression { magic: [u8; 6] },
    /// The kernel is compressed with LZO, which this program does not undo.
    #[error("the kernel is compressed with LZO, which cannot be undone here")]
    Lzo,
    /// Kernel or module could not be decompressed.
    #[error("cannot decompress the kernel or a module of it")]
    Decompress(#[source] io::Error),
    /// A tree holds no kernel.
    #[error("there is no kernel in {}", path.display())]
    NoKernel { path: PathBuf },
    /// The kernel cannot run a machine.
    #[error("the kernel has no {name}, built in or as a module")]
    ModuleMissing { name: &'static str },
    /// The kernel was built without something that every machine needs.
    #[error("the kernel was built without {option}, which {what}")]
    OptionMissing {
        /// As in the kernel's configuration.
        option: &'static str,
        /// What it is for.
        what: &'static str,
    },
    /// A program failed.
    #[error("{tool} failed: {text}")]
    Tool { tool: &'static str, text: String },
    /// A program of the package manager failed.
    #[error("cannot fetch a kernel package")]
    Fetch(#[source] crate::host::command::Error),
    /// The package manager gave no package.
    #[error("the package manager knows no kernel package {meta}")]
    NoPackage { meta: String },
    /// This host has no kernel of its own that could be used.
    #[error("this host's own kernel {release} cannot be used: {} cannot be read", missing.display())]
    HostKernel { release: String, missing: PathBuf },
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Fetch(error) => error.hint(),
            Error::Tool { tool, .. } => {
                Some(format!("check that {tool} is installed: sistemo doctor"))
            }
            Error::NoPackage { .. } | Error::HostKernel { .. } | Error::NoKernel { .. } => Some(
                "name a kernel file, package or unpacked tree: sistemo config set kernel PATH"
                    .into(),
            ),
            Error::NotAKernel
            | Error::UnknownCompression { .. }
            | Error::Lzo
            | Error::ModuleMissing { .. }
            | Error::OptionMissing { .. } => Some(
                "use another kernel: sistemo config set kernel PATH, then: sistemo setup".into(),
            ),
            _ => None,
        }
    }
}
