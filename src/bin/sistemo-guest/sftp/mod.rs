//! The SFTP server: a process of its own for each session, with the user's rights and no more.
//!
//! Version 3 of the protocol (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions (OpenSSH PROTOCOL §4). Written
//! here because names are bytes: the crates for SFTP hold them as text and so cannot reach every file of a Linux
//! system. It speaks on its standard streams, one request after the other, and knows nothing of SSH.

mod attributes;
mod extensions;
mod files;
mod handles;
mod listing;
mod wire;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd;

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use self::files::Files;
use self::wire::{MAXIMUM_PACKET, Reader, Reply, Status};

/// Why the server ends before its client does.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    #[error("usage: sistemo-guest sftp UID GID GROUP,GROUP…")]
    Usage,
    #[error("cannot become the user")]
    User(#[source] nix::Error),
    #[error("cannot speak with the client")]
    Stream(#[source] io::Error),
    #[error("the client sent a packet of {0} bytes")]
    Packet(u32),
    #[error("the client did not begin with its version")]
    NoVersion,
}

/// The version that is spoken.
const VERSION: u32 = 3;
/// Packet types of the version exchange.
const INIT: u8 = 1;
const VERSION_REPLY: u8 = 2;

/// Serves the standard streams as the user with these numbers.
pub fn run(uid: &str, gid: &str, groups: &str) -> Result<(), SftpError> {
    become_user(uid, gid, groups)?;
    let stream = |result: io::Result<std::os::fd::OwnedFd>| {
        result.map(File::from).map_err(SftpError::Stream)
    };
    let input = stream(io::stdin().as_fd().try_clone_to_owned())?;
    let output = stream(io::stdout().as_fd().try_clone_to_owned())?;
    serve(
        BufReader::with_capacity(MAXIMUM_PACKET as usize, input),
        BufWriter::with_capacity(MAXIMUM_PACKET as usize, output),
    )
}

fn become_user(uid: &str, gid: &str, groups: &str) -> Result<(), SftpError> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| SftpError::Usage);
    let (uid, gid) = (Uid::from_raw(number(uid)?), Gid::from_raw(number(gid)?));
    let groups = groups.split(',').filter(|text| !text.is_empty());
    let groups = groups
        .map(|text| number(text).map(Gid::from_raw))
        .collect::<Result<Vec<_>, _>>()?;
    if Uid::effective().is_root() {
        setgroups(&groups)
            .and_then(|()| setgid(gid))
            .and_then(|()| setuid(uid))
            .map_err(SftpError::User)?;
    }
    Ok(())
}

fn serve(
    mut input: BufReader<impl Read>,
    mut output: BufWriter<impl Write>,
) -> Result<(), SftpError> {
    let mut packet = Vec::new();
    if !receive(&mut input, &mut packet)? || packet.first() != Some(&INIT) {
        return Err(SftpError::NoVersion);
    }
    let mut hello = Reply::new(VERSION_REPLY);
    hello.number(VERSION);
    for (name, version) in extensions::EXTENSIONS {
        hello.string(name.as_bytes());
        hello.string(version.as_bytes());
    }
    output
        .write_all(&hello.finish())
        .map_err(SftpError::Stream)?;
    let mut files = Files::default();
    loop {
        // Answers go out together while there are requests to answer, and at once when there are none.
        if input.buffer().is_empty() {
            output.flush().map_err(SftpError::Stream)?;
        }
        if !receive(&mut input, &mut packet)? {
            return Ok(());
        }
        let reply = answer(&mut files, &packet);
        output
            .write_all(&reply.finish())
            .map_err(SftpError::Stream)?;
    }
}

/// The next packet without its length; `false` at the end of the stream.
fn receive(input: &mut impl BufRead, packet: &mut Vec<u8>) -> Result<bool, SftpError> {
    if input.fill_buf().map_err(SftpError::Stream)?.is_empty() {
        return Ok(false);
    }
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(SftpError::Stream)?;
    let length = u32::from_be_bytes(length);
    if length > MAXIMUM_PACKET {
        return Err(SftpError::Packet(length));
    }
    packet.resize(length as usize, 0);
    input.read_exact(packet).map_err(SftpError::Stream)?;
    Ok(true)
}

fn answer(files: &mut Files, packet: &[u8]) -> Reply {
    let mut reader = Reader::new(packet);
    let (Ok(kind), Ok(id)) = (reader.byte(), reader.number()) else {
        return Reply::status(0, &Status::BAD_MESSAGE);
    };
    match files.handle(kind, id, &mut reader) {
        Ok(reply) => reply,
        Err(status) => Reply::status(id, &status),
    }
}

#[cfg(test)]
mod tests;
