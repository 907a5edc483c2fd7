//! What can go wrong between the host and a guest's SSH server.

use std::io;
use std::time::Duration;

use crate::error::Advice;
use crate::guest::keys;

/// A failure of the connection, never of the command that runs over it: how that one ended is an
/// [`Exit`](super::Exit). On a command line it is status 255, as ssh(1) has it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the host's own keys.
    #[error(transparent)]
    Key(#[from] keys::Error),
    /// Whoever answered could not show the guest's host key.
    #[error("the guest shows another host key than the one it was given")]
    HostKey,
    /// The user or the key is not known there.
    #[error("the guest does not let {0} in")]
    Refused(String),
    /// It took the connection and then said nothing for that long.
    #[error("the guest's SSH server did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It is connected and refused something.
    #[error("the guest refused {0}")]
    Request(&'static str),
    /// The connection ended before the command did.
    #[error("the connection to the guest was lost{}", because(.0))]
    Lost(Option<String>),
    /// The command's channel was closed without word of how it ended.
    #[error("the guest closed the channel without saying how the command ended")]
    NoExit,
    /// The protocol failed while logging in.
    #[error("cannot log in to the guest")]
    Ssh(#[from] russh::Error),
    /// The command's output could not be passed on; the command was cut off.
    #[error("cannot write the command's output")]
    Output(#[source] io::Error),
    /// A port on the host's side could not be served.
    #[error("cannot accept connections for a forwarded port")]
    Listen(#[source] io::Error),
}

fn because(why: &Option<String>) -> String {
    why.as_ref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default()
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::HostKey => {
                Some("something else answers at its address; restart the machine".into())
            }
            Error::Refused(_) => Some("name a user that the machine has, with -l or -u".into()),
            Error::Silent(_) => Some("see what the machine says: sistemo machine logs NAME".into()),
            _ => None,
        }
    }
}
