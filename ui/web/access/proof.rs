//! The proof that a server is the one of a data directory. Whoever wants to send the token asks for it first, since
//! anybody may listen on a port while no daemon is up.
//!
//! ```text
//!   program ── a challenge, 256 random bits ──▶ server
//!   program ◀── HMAC-SHA-256(token, challenge, address that the program connected to) ── server
//! ```
//!
//! The address keeps a stranger at one port from passing the challenge on to the true server at another.

use std::net::SocketAddr;

use ring::hmac;

use super::secret::Secret;

/// Keeps this use of the token apart from any other.
const CONTEXT: &[u8] = b"sistemo proof of the server, 1\0";

/// The proof of the server at `at`, for whoever asked with `challenge`.
pub(super) fn prove(token: &Secret, challenge: &[u8; 32], at: SocketAddr) -> Vec<u8> {
    hmac::sign(&key(token), &message(challenge, at))
        .as_ref()
        .to_vec()
}

/// Whether it is the proof of the server at `at` and for this challenge.
pub(crate) fn holds(token: &Secret, challenge: &[u8; 32], at: SocketAddr, proof: &[u8]) -> bool {
    hmac::verify(&key(token), &message(challenge, at), proof).is_ok()
}

fn key(token: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token.as_str().as_bytes())
}

fn message(challenge: &[u8; 32], at: SocketAddr) -> Vec<u8> {
    // As the other end sees it, whatever family the socket has.
    let at = SocketAddr::new(at.ip().to_canonical(), at.port()).to_string();
    [CONTEXT, challenge, at.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_one_token_challenge_and_address() {
        let (token, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let at: SocketAddr = "127.0.0.1:7777".parse().unwrap();
        let proof = prove(&token, &[7; 32], at);
        assert!(holds(&token, &[7; 32], at, &proof));
        let mapped = "[::ffff:127.0.0.1]:7777".parse().unwrap();
        assert!(holds(&token, &[7; 32], mapped, &proof));
        assert!(!holds(&other, &[7; 32], at, &proof));
        assert!(!holds(&token, &[8; 32], at, &proof));
        for elsewhere in ["127.0.0.1:7778", "[::1]:7777"] {
            assert!(!holds(&token, &[7; 32], elsewhere.parse().unwrap(), &proof));
        }
        assert!(!holds(&token, &[7; 32], at, &proof[..31]));
        assert!(!holds(&token, &[7; 32], at, b""));
    }
}
