//! Orders to a guest: what SSH would take too long for, under a signature of the key that the guest lets in
//! ([`words::ORDERS_PORT`]).

use std::io;

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
    #[error("what answers is no guest of Sistemo's")]
    Strange(#[source] serde_json::Error),
    #[error(transparent)]
    Key(#[from] keys::Error),
    #[error("cannot sign the order")]
    Sign(#[source] russh::keys::ssh_key::Error),
    #[error("the guest refused: {0}")]
    Refused(String),
}

/// Gives an order over a connection to [`words::ORDERS_PORT`], made when the guest is ready to hear it; what the guest has
/// to note. The connection is closed when this comes back.
///
/// # Errors
///
/// When the connection breaks, what answers is no guest, the key cannot sign, or the guest refuses.
pub async fn give<S>(
    stream: S,
    keys: &Keys,
    order: impl FnOnce() -> Order,
) -> Result<Vec<String>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let challenge = line(&mut stream).await?;
    let order = serde_json::to_string(&order()).map_err(Error::Strange)?;
    let signed = keys.private.sign(
        words::ORDERS_NAMESPACE,
        HashAlg::Sha512,
        &words::under_signature(challenge.trim_end(), &order),
    );
    let signature = signed
        .and_then(|signed| signed.to_pem(LineEnding::LF))
        .map_err(Error::Sign)?;
    let mut signed =
        serde_json::to_vec(&SignedOrder { order, signature }).map_err(Error::Strange)?;
    signed.push(b'\n');
    stream.write_all(&signed).await?;
    stream.flush().await?;
    let answer = line(&mut stream).await?;
    match serde_json::from_str(&answer).map_err(Error::Strange)? {
        Answer::Done { notes } => Ok(notes),
        Answer::Refused { why } => Err(Error::Refused(why)),
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
