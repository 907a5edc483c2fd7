//! Orders to a guest: what SSH would take too long for, under a signature of the key that the guest lets in
//! ([`words::ORDERS_PORT`]).

use std::io;
use std::net::Ipv4Addr;

use russh::keys::HashAlg;
use russh::keys::ssh_key::LineEnding;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::keys::{self, Keys};
use super::words::{self, Answer, Order, SignedOrder};

/// Why an order was not obeyed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the connection to the guest broke")]
    Lost(#[from] io::Error),
    #[error("what answers is no guest of Sistemo's, or one of another version")]
    Strange,
    #[error("cannot word the order")]
    Word(#[from] serde_json::Error),
    #[error("the order has {0} bytes, and at most {most} are read", most = words::LONGEST_ORDER)]
    Long(usize),
    #[error(transparent)]
    Key(#[from] keys::Error),
    #[error("cannot sign the order")]
    Sign(#[source] russh::keys::ssh_key::Error),
    #[error("the guest refused: {0}")]
    Refused(String),
}

/// Gives the guest at that address an order over a connection to its [`words::ORDERS_PORT`], made when it is ready to hear
/// it; what the guest has to note. The connection is closed when this comes back.
///
/// # Errors
///
/// When the connection breaks, what answers is no guest, the key cannot sign, the order is too long, or the guest refuses.
pub async fn give<S>(
    stream: S,
    guest: Ipv4Addr,
    keys: &Keys,
    order: impl FnOnce() -> Order,
) -> Result<Vec<String>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let challenge = challenge(&mut stream).await?;
    let order = serde_json::to_string(&order())?;
    let signed = keys.private.sign(
        words::ORDERS_NAMESPACE,
        HashAlg::Sha512,
        &words::under_signature(guest, challenge.trim_end(), &order),
    );
    let signature = signed
        .and_then(|signed| signed.to_pem(LineEnding::LF))
        .map_err(Error::Sign)?;
    let mut signed = serde_json::to_vec(&SignedOrder { order, signature })?;
    signed.push(b'\n');
    if signed.len() > words::LONGEST_ORDER {
        return Err(Error::Long(signed.len()));
    }
    stream.write_all(&signed).await?;
    stream.flush().await?;
    let answer = line(&mut stream).await?;
    match serde_json::from_str(&answer).map_err(|_| Error::Strange)? {
        Answer::Done { notes } => Ok(notes),
        Answer::Refused { why } => Err(Error::Refused(why)),
    }
}

/// Whether a guest that takes orders is at the other end, by what it says first.
///
/// # Errors
///
/// When the connection breaks, or it is none.
pub async fn listens<S: AsyncRead + Unpin>(stream: S) -> Result<(), Error> {
    challenge(&mut BufReader::new(stream)).await.map(drop)
}

async fn challenge<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<String, Error> {
    let challenge = line(stream).await?;
    match words::is_challenge(&challenge) {
        true => Ok(challenge),
        false => Err(Error::Strange),
    }
}

/// The next line; one that is too long, or ends without an end of line, is none.
async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut text = String::new();
    let most = words::LONGEST_ORDER as u64;
    stream.take(most).read_line(&mut text).await?;
    match text.ends_with('\n') {
        true => Ok(text),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::DuplexStream;

    fn keys() -> Keys {
        let folder = tempfile::tempdir().unwrap();
        keys::ensure_key_pair(folder.path()).unwrap()
    }

    /// What comes of an order to a guest that says these things: first of all, and to the order.
    async fn given(first: &str, then: &str) -> (Result<Vec<String>, Error>, String) {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let guest = async {
            let mut theirs: BufReader<DuplexStream> = BufReader::new(theirs);
            theirs.write_all(first.as_bytes()).await.unwrap();
            let mut said = String::new();
            if first.ends_with('\n') {
                let _ = theirs.read_line(&mut said).await;
            }
            let _ = theirs.write_all(then.as_bytes()).await;
            said
        };
        let order = || Order::SetClock { time_ns: 7 };
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let keys = keys();
        tokio::join!(give(ours, address, &keys, order), guest)
    }

    #[tokio::test]
    async fn what_a_guest_says_is_heard() {
        let (done, said) = given("sistemo-orders-1 x\n", "{\"done\":{\"notes\":[\"a\"]}}\n").await;
        assert_eq!(done.unwrap(), ["a"]);
        let signed: SignedOrder = serde_json::from_str(&said).unwrap();
        let order: Order = serde_json::from_str(&signed.order).unwrap();
        assert_eq!(order, Order::SetClock { time_ns: 7 });
        let (refused, _) = given("sistemo-orders-1 x\n", "{\"refused\":{\"why\":\"no\"}}\n").await;
        assert!(matches!(refused, Err(Error::Refused(why)) if why == "no"));
    }

    #[tokio::test]
    async fn what_no_guest_would_say_is_no_answer() {
        for first in [
            "SSH-2.0-OpenSSH\n",
            "sistemo-orders-2 x\n",
            "sistemo-orders-1\n",
            "\n",
        ] {
            let (strange, said) = given(first, "").await;
            assert!(matches!(strange, Err(Error::Strange)), "{first}");
            assert_eq!(said, "", "nothing is told to a stranger");
        }
        for first in ["", "sistemo-orders-1 x"] {
            let (lost, _) = given(first, "").await;
            assert!(
                matches!(lost, Err(Error::Lost(_) | Error::Strange)),
                "{lost:?}"
            );
        }
        let (strange, _) = given("sistemo-orders-1 x\n", "{}\n").await;
        assert!(matches!(strange, Err(Error::Strange)));
        let (lost, _) = given("sistemo-orders-1 x\n", "").await;
        assert!(matches!(lost, Err(Error::Lost(_))));
    }
}
