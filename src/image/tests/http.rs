//! A small HTTP server, or a way to another one, that breaks connections when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What is passed on before a connection is broken, in bytes.
const BREAK_AFTER: usize = 300_000;

/// Answers every request with one file of a map, honouring ranges; the first `breaks` large answers are cut short.
pub struct Server {
    pub port: u16,
    /// What was asked: the path, and where the range began.
    pub asked: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Server {
    pub fn start(files: Vec<(&str, Vec<u8>)>, breaks: usize) -> Server {
        let files: Vec<(String, Vec<u8>)> = files
            .into_iter()
            .map(|(path, data)| (path.to_string(), data))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, left) = (asked.clone(), Arc::new(AtomicUsize::new(breaks)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, log, left) = (files.clone(), log.clone(), left.clone());
                std::thread::spawn(move || answer(stream.unwrap(), &files, &log, &left));
            }
        });
        Server { port, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn answer(
    mut stream: TcpStream,
    files: &[(String, Vec<u8>)],
    log: &Mutex<Vec<(String, u64)>>,
    left: &AtomicUsize,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_string();
    let mut from = 0u64;
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    log.lock().unwrap().push((path.clone(), from));
    let Some((_, data)) = files.iter().find(|(name, _)| *name == path) else {
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    };
    let rest = &data[from as usize..];
    let status = if from > 0 {
        format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
            data.len() - 1,
            data.len()
        )
    } else {
        "200 OK".into()
    };
    let length = rest.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"v1\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes());
    let breaks = length > BREAK_AFTER
        && left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
            .is_ok();
    let _ = stream.write_all(if breaks { &rest[..BREAK_AFTER] } else { rest });
}

/// A way to another server on loopback. The first `breaks` connections that bring much are broken off.
pub struct Way {
    pub port: u16,
    /// Requests that began in the middle.
    pub resumed: Arc<AtomicUsize>,
    /// Requests of blobs.
    pub blobs: Arc<AtomicUsize>,
}

impl Way {
    pub fn to(port: u16, breaks: usize) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let way = Way {
            port: listener.local_addr().unwrap().port(),
            resumed: Arc::default(),
            blobs: Arc::default(),
        };
        let (resumed, blobs) = (way.resumed.clone(), way.blobs.clone());
        let left = Arc::new(AtomicUsize::new(breaks));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (
                    client.unwrap(),
                    TcpStream::connect(("127.0.0.1", port)).unwrap(),
                );
                let (resumed, blobs, left) = (resumed.clone(), blobs.clone(), left.clone());
                let (up_from, up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || up(up_from, up_to, &resumed, &blobs));
                std::thread::spawn(move || down(server, client, &left));
            }
        });
        way
    }
}

fn up(from: TcpStream, mut to: TcpStream, resumed: &AtomicUsize, blobs: &AtomicUsize) {
    let lines = BufReader::new(from).lines().map_while(Result::ok);
    for line in lines {
        let low = line.to_lowercase();
        if low.starts_with("range: bytes=") && !low.starts_with("range: bytes=0-") {
            resumed.fetch_add(1, Ordering::SeqCst);
        }
        if low.starts_with("get ") && low.contains("/blobs/") {
            blobs.fetch_add(1, Ordering::SeqCst);
        }
        if to.write_all(format!("{line}\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

fn down(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize) {
    let mut buffer = [0; 16 << 10];
    let mut passed = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed += count;
        let take = || {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok()
        };
        if (passed > BREAK_AFTER && take()) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
