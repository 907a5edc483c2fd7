//! The server's half of SOCKS 5 (RFC 1928), as much of it as a tunnel needs: no authentication, `CONNECT` only.
//!
//! Own code, because the crates that speak it bring a server, a resolver and older versions of half a dozen crates
//! along, for two short messages.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
// Kinds of addresses (§5).
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;
// Replies (§6).
const SUCCEEDED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;
const COMMAND_NOT_SUPPORTED: u8 = 7;
const ADDRESS_TYPE_NOT_SUPPORTED: u8 = 8;

/// Greets a client and reads where it wants to go. Whoever asks for something else has been refused when this fails.
pub(super) async fn read_request(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<(String, u16)> {
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    if stream.read_u8().await? != VERSION {
        return refuse("not SOCKS 5");
    }
    let mut methods = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&NO_AUTHENTICATION) {
        stream.write_all(&[VERSION, NO_ACCEPTABLE_METHOD]).await?;
        return refuse("the client insists on authentication");
    }
    stream.write_all(&[VERSION, NO_AUTHENTICATION]).await?;

    let [version, command, _, kind] = stream.read_u32().await?.to_be_bytes();
    if version != VERSION {
        return refuse("not SOCKS 5");
    }
    let host = match kind {
        IPV4 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        IPV6 => Ipv6Addr::from(stream.read_u128().await?).to_string(),
        DOMAIN_NAME => {
            let mut name = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            match String::from_utf8(name) {
                Ok(name) => name,
                Err(_) => return refuse("a host name that is not text"),
            }
        }
        _ => {
            answer(stream, ADDRESS_TYPE_NOT_SUPPORTED).await?;
            return refuse("an unknown kind of address");
        }
    };
    let port = stream.read_u16().await?;
    if command != CONNECT {
        answer(stream, COMMAND_NOT_SUPPORTED).await?;
        return refuse("a command other than CONNECT");
    }
    Ok((host, port))
}

/// Tells the client whether it is connected.
pub(super) async fn reply(
    stream: &mut (impl AsyncWrite + Unpin),
    connected: bool,
) -> io::Result<()> {
    answer(
        stream,
        if connected {
            SUCCEEDED
        } else {
            HOST_UNREACHABLE
        },
    )
    .await
}

/// The address that the connection has at the other end is not known here; clients make no use of it.
async fn answer(stream: &mut (impl AsyncWrite + Unpin), code: u8) -> io::Result<()> {
    stream
        .write_all(&[VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0])
        .await
}
