//! Who may come in.

/// Whoever has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody who has logged in, by the session's public name.
    Session(String),
    /// A program with the token.
    Token,
}

/// Token, tickets and sessions.
#[derive(Debug, Default)]
pub(crate) struct Access {}

/// What a style element of an answer's page must have as its `nonce`.
#[derive(Clone, Debug)]
pub(crate) struct Nonce(pub(crate) String);
