//! The SFTP client (version 3, draft-ietf-secsh-filexfer-02, with OpenSSH's extensions).
//!
//! Own code: the crates for SFTP take names as text, which not every name of a Linux system is, and have one request
//! under way at a time for a file. Here every method sends its request **when it is called** and gives a future of the
//! reply, so any number are under way at once, and the guest carries them out in the order of the calls.
//!
//! ```text
//!   read, write, open … ─► queue ─► sender ─► channel ─► guest
//!                futures ◄─ by number ◄─ receiver ◄───────┘
//! ```

mod error;
mod requests;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use error::Error;
pub use requests::{Entry, Handle, MOST_DATA, flags};
pub use session::Sftp;
pub use wire::Attributes;
