//! Secrets: 256 bits from the operating system, as text; and what is remembered of one.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Error;

/// How many random bytes a secret has.
pub(super) const LENGTH: usize = 32;

/// A token, ticket, cookie or key: base64url without padding (RFC 4648, section 5), 43 letters.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A new one.
    pub(super) fn new() -> Result<Secret, Error> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
        Ok(Secret(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// One that was written down; none if it is not a secret of this kind.
    pub(super) fn parse(text: &str) -> Option<Secret> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == LENGTH).then(|| Secret(text.into()))
    }

    /// The text, for whoever is to have it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn print(&self) -> Print {
        Print::of(&self.0)
    }
}

/// It is not for logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What is remembered of a secret: its SHA-256, from which nobody gets back to it. How long a look-up by it takes says
/// nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Print([u8; 32]);

impl Print {
    pub(super) fn of(secret: &str) -> Print {
        Print(Sha256::digest(secret).into())
    }

    /// Whether it is of this secret, in the same time whatever is wrong with it.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        self.0.ct_eq(&Print::of(secret).0).into()
    }

    /// Its first 32 bits, by which people tell one from another.
    pub(super) fn name(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_different_and_not_shown() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 43);
        assert_eq!(format!("{one:?}"), "Secret");
        assert_eq!(Secret::parse(one.as_str()), Some(one.clone()));
        assert!(one.print().is_of(one.as_str()));
        assert!(!one.print().is_of(other.as_str()));
        for bad in ["", "short", &"A".repeat(44), &"=".repeat(43), "ä"] {
            assert_eq!(Secret::parse(bad), None, "{bad}");
        }
    }
}
