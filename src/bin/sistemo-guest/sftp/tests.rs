//! The server as a client speaks to it.

use super::*;

fn packet(kind: u8, id: u32, parts: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend(id.to_be_bytes());
    parts.iter().for_each(|part| body.extend(*part));
    let mut packet = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    packet.extend(body);
    packet
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut text = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    text.extend(bytes);
    text
}

fn talk(requests: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut input = packet(INIT, VERSION, &[]);
    requests.iter().for_each(|request| input.extend(request));
    let mut output = Vec::new();
    serve(BufReader::new(&input[..]), BufWriter::new(&mut output)).unwrap();
    let mut rest = &output[..];
    let mut replies = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        replies.push(rest[4..4 + length].to_vec());
        rest = &rest[4 + length..];
    }
    replies.remove(0);
    replies
}

fn status(reply: &[u8]) -> u32 {
    assert_eq!(reply[0], 101);
    u32::from_be_bytes(reply[5..9].try_into().unwrap())
}

#[test]
fn a_file_whose_name_is_no_text_is_written_beyond_four_gibibytes_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().as_os_str().as_encoded_bytes().to_vec();
    path.extend(b"/\xff\xfe name\n");
    let (write_create, far, none) = (0x2 | 0x8 | 0x1_u32, 5_u64 << 30, 0_u32.to_be_bytes());
    let handle = string(&0_u32.to_be_bytes());
    let replies = talk(&[
        packet(3, 1, &[&string(&path), &write_create.to_be_bytes(), &none]),
        packet(6, 2, &[&handle, &far.to_be_bytes(), &string(b"far out")]),
        packet(
            5,
            3,
            &[&handle, &(far + 4).to_be_bytes(), &100_u32.to_be_bytes()],
        ),
        packet(
            5,
            4,
            &[&handle, &(far + 7).to_be_bytes(), &100_u32.to_be_bytes()],
        ),
        packet(4, 5, &[&handle]),
        packet(7, 6, &[&string(&path)]),
    ]);
    assert_eq!(replies[0][0], 102);
    assert_eq!(status(&replies[1]), 0);
    assert_eq!(replies[2][9..], *b"out");
    assert_eq!(status(&replies[3]), 1);
    assert_eq!(status(&replies[4]), 0);
    assert_eq!(replies[5][9..17], (far + 7).to_be_bytes());
}

#[test]
fn what_is_not_there_and_what_is_nonsense_get_their_own_answers() {
    let replies = talk(&[
        packet(17, 1, &[&string(b"/nowhere/at/all")]),
        packet(17, 2, &[&[0, 0, 0, 9, b'x']]),
        packet(99, 3, &[]),
        packet(200, 4, &[&string(b"no-such@extension")]),
        packet(4, 5, &[&string(b"bogus")]),
    ]);
    let statuses: Vec<_> = replies.iter().map(|reply| status(reply)).collect();
    assert_eq!(statuses, [2, 5, 8, 8, 4]);
}

#[test]
fn an_oversized_packet_ends_the_session() {
    let mut input = packet(INIT, VERSION, &[]);
    input.extend(u32::MAX.to_be_bytes());
    let ended = serve(BufReader::new(&input[..]), BufWriter::new(Vec::new()));
    assert!(matches!(ended, Err(SftpError::Packet(u32::MAX))));
}

/// A folder of this many entries is listed whole.
const MANY: usize = 100_000;
/// While the server's memory grows by no more than this, in KiB; the listing itself has about twenty times as much.
const GROWTH: usize = 1024;
/// By this variable the test below knows that it is to be the server.
const AS_SERVER: &str = "SISTEMO_TEST_SFTP_SERVER";

/// The most memory that a process has had, in KiB.
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.unwrap().parse().unwrap()
}

#[test]
fn a_folder_of_a_hundred_thousand_entries_is_listed_whole_in_little_memory() {
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    if std::env::var_os(AS_SERVER).is_some() {
        let socket = || File::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
        serve(BufReader::new(socket()), BufWriter::new(socket())).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let name = |number: usize| format!("an entry with a name of some length, number {number:06}");
    for number in 0..MANY {
        std::os::unix::fs::symlink("nowhere", dir.path().join(name(number))).unwrap();
    }
    // The server is this same test in a process of its own, whose memory is nobody else's.
    let (mut client, theirs) = UnixStream::pair().unwrap();
    let this =
        "sftp::tests::a_folder_of_a_hundred_thousand_entries_is_listed_whole_in_little_memory";
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this])
        .env(AS_SERVER, "yes")
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut ask = |request: Vec<u8>| {
        client.write_all(&request).unwrap();
        let mut length = [0; 4];
        client.read_exact(&mut length).unwrap();
        let mut reply = vec![0; u32::from_be_bytes(length) as usize];
        client.read_exact(&mut reply).unwrap();
        reply
    };
    ask(packet(INIT, VERSION, &[]));
    let opened = ask(packet(
        11,
        1,
        &[&string(dir.path().as_os_str().as_encoded_bytes())],
    ));
    assert_eq!(opened[0], 102);
    let (mut count, mut bytes, mut before) = (0, 0, None);
    loop {
        let reply = ask(packet(12, 2, &[&opened[5..]]));
        if reply[0] != 104 {
            assert_eq!(status(&reply), 1);
            break;
        }
        count += u32::from_be_bytes(reply[5..9].try_into().unwrap()) as usize;
        bytes += reply.len();
        before.get_or_insert_with(|| peak(server.id()));
    }
    let growth = peak(server.id()) - before.unwrap();
    drop(client);
    assert!(server.wait().unwrap().success());
    assert_eq!(count, MANY);
    assert!(growth <= GROWTH, "{growth} KiB for {bytes} bytes");
}
