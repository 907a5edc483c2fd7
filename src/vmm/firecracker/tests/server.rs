//! The other side of Firecracker's API, for tests and for measuring the driver: it takes calls on a Unix socket, looks at
//! each by a check that it is given, and answers as the API's description says. There is no guest behind it; what one
//! would print is printed. It knows nothing of the driver.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::table::When;

/// Says what is wrong with a call: its method, its path and its body, before the start or after.
pub(crate) type Check = fn(&str, &str, &Value, When) -> Result<(), String>;

/// How it behaves: a file `behaviour` in its directory, a word and what belongs to it in each line.
pub(crate) struct Behaviour(String);

impl Behaviour {
    fn of(dir: &Path) -> Behaviour {
        Behaviour(fs::read_to_string(dir.join("behaviour")).unwrap_or_default())
    }

    fn get(&self, word: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| Some(line.strip_prefix(word)?.trim()))
    }
}

struct Server {
    dir: PathBuf,
    behaviour: Behaviour,
    check: Check,
    started: Mutex<bool>,
    paused: AtomicBool,
    /// What was asked for of processors and memory.
    machine: Mutex<Value>,
    /// Whether something but its log and its metrics has been configured.
    configured: AtomicBool,
    /// Whether the guest has ended, and so does Firecracker once it has answered.
    ended: AtomicBool,
}

/// Runs with the arguments that Firecracker would get, until it is ended. Its directory has the behaviour, and gets a
/// line for each call in `calls`.
pub(crate) fn run(arguments: &[String], dir: &Path, check: Check) -> ! {
    let value = |name: &str| {
        let at = arguments.iter().position(|word| word == name);
        at.and_then(|at| arguments.get(at + 1))
    };
    let behaviour = Behaviour::of(dir);
    // Firecracker opens its log and does not make it (docs/logger.md).
    let mut log = value("--log-path").map(|path| {
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.unwrap_or_else(|error| end(&format!("cannot open {path}: {error}"), 1))
    });
    let mut say = |line: &str| {
        if let Some(log) = &mut log {
            let _ = writeln!(log, "2026-01-01T00:00:00 [stand-in:main] {line}");
        }
    };
    say("Running Firecracker");
    if let Some(words) = behaviour.get("fails") {
        end(words, 1);
    }
    let path = value("--api-sock").unwrap_or_else(|| end("no --api-sock", 2));
    let listener = UnixListener::bind(path)
        .unwrap_or_else(|error| end(&format!("cannot bind {path}: {error}"), 1));
    say(&format!("Listening on API socket ({path:?})."));
    let server = Server {
        dir: dir.into(),
        behaviour,
        check,
        started: Mutex::new(false),
        paused: AtomicBool::new(false),
        machine: Mutex::new(Value::Null),
        configured: AtomicBool::new(false),
        ended: AtomicBool::new(false),
    };
    let server = &server;
    std::thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            scope.spawn(move || server.serve(&stream));
        }
    });
    end("the socket is gone", 1)
}

fn end(words: &str, code: i32) -> ! {
    eprintln!("{words}");
    std::process::exit(code)
}

impl Server {
    fn serve(&self, stream: &UnixStream) {
        let mut reader = BufReader::new(stream);
        while let Some((method, path, body)) = request(&mut reader) {
            let (status, text) = match self.answer(&method, &path, &body) {
                Ok(Value::Null) => ("204 No Content", String::new()),
                Ok(value) => ("200 OK", value.to_string()),
                Err(fault) => {
                    let body = json!({ "fault_message": fault });
                    ("400 Bad Request", body.to_string())
                }
            };
            let mut answer = format!("HTTP/1.1 {status}\r\nServer: Firecracker API\r\n");
            answer.push_str("Connection: keep-alive\r\n");
            if !text.is_empty() {
                let length = text.len();
                answer.push_str("Content-Type: application/json\r\n");
                answer.push_str(&format!("Content-Length: {length}\r\n"));
            }
            answer.push_str("\r\n");
            answer.push_str(&text);
            let mut writer = stream;
            let written = writer.write_all(answer.as_bytes());
            if self.ended.load(Ordering::SeqCst) {
                std::process::exit(0);
            }
            if written.is_err() {
                return;
            }
        }
    }

    /// The body of the answer, Null for one without; or why the call is refused.
    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Result<Value, String> {
        let Ok(mut started) = self.started.lock() else {
            return Err("broken".into());
        };
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        self.write_down(method, path, &body);
        let now = if *started { When::After } else { When::Before };
        if let Err(wrong) = (self.check)(method, path, &body, now) {
            return Err(format!("contract: {wrong}"));
        }
        if self.behaviour.get("dies-at") == Some(path) {
            end("thread 'main' panicked at the stand-in", 148);
        }
        let refused = self.behaviour.get("refuses");
        if let Some((at, words)) = refused.and_then(|line| line.split_once(' '))
            && at == path
        {
            return Err(words.into());
        }
        if path == "/version" {
            let version = self.behaviour.get("version").unwrap_or("1.17.0");
            return Ok(json!({ "firecracker_version": version }));
        }
        if path == "/metrics" {
            let file = body["metrics_path"].as_str().unwrap_or_default();
            // As Firecracker opens it: a pipe that nobody reads does not hold it up.
            let opened = (OpenOptions::new().read(true).write(true))
                .custom_flags(0o4000)
                .open(file);
            if let Err(error) = opened {
                return Err(format!("cannot open {file}: {error}"));
            }
        }
        if path == "/machine-config" {
            let mut machine = self.machine.lock().map_err(|_| "broken")?;
            if method == "GET" {
                return Ok(machine.clone());
            }
            // docs/hugepages.md
            let large = ["2M", "Transparent"]
                .iter()
                .any(|word| body["huge_pages"] == *word);
            if large && body["mem_size_mib"].as_u64().is_none_or(|mib| mib % 2 != 0) {
                return Err("The memory size (MiB) is invalid.".into());
            }
            *machine = body.clone();
        }
        self.of_state(path, &body, &mut started)?;
        match body["action_type"].as_str() {
            Some("InstanceStart") => {
                *started = true;
                let ends = self.behaviour.get("guest");
                print("[    0.000000] Linux version 6.1");
                match ends {
                    Some("panics") => {
                        print("[    0.100000] Kernel panic - not syncing: No working init found.");
                        print("[    0.100001] Rebooting in 1 seconds..");
                        self.ended.store(true, Ordering::SeqCst);
                    }
                    Some("halts") => print("[    1.000000] reboot: System halted"),
                    _ => {}
                }
            }
            Some("SendCtrlAltDel") => {
                print("[    9.000000] reboot: Restarting system");
                self.ended.store(true, Ordering::SeqCst);
            }
            _ => {}
        }
        Ok(Value::Null)
    }

    /// Pausing, saving and loading.
    fn of_state(&self, path: &str, body: &Value, started: &mut bool) -> Result<(), String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        match path {
            "/vm" => (self.paused).store(body["state"] == "Paused", Ordering::SeqCst),
            "/snapshot/create" if !self.paused.load(Ordering::SeqCst) => {
                return Err("the microVM is not paused".into());
            }
            "/snapshot/create" => {
                let machine = self.machine.lock().map_err(|_| "broken")?.to_string();
                for (field, held) in [
                    ("snapshot_path", machine.as_str()),
                    ("mem_file_path", "memory"),
                ] {
                    fs::write(text(&body[field]), held).map_err(|error| error.to_string())?;
                }
            }
            "/snapshot/load" if self.configured.load(Ordering::SeqCst) => {
                return Err("something is configured already".into());
            }
            "/snapshot/load" => {
                let read = |file: &Value| {
                    let file = text(file);
                    fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))
                };
                let state = read(&body["snapshot_path"])?;
                let mut machine: Value =
                    serde_json::from_str(&state).map_err(|error| format!("{state}: {error}"))?;
                let memory = read(&body["mem_backend"]["backend_path"])?;
                if memory != "memory" {
                    return Err(format!("not a memory: {memory}"));
                }
                // `resolve` of src/vmm/src/vmm_config/snapshot.rs: what is not said is as it was.
                match &body["huge_pages"] {
                    Value::Null => {}
                    word if *word == "Snapshot" => {}
                    word => machine["huge_pages"] = word.clone(),
                }
                if machine["huge_pages"] == "2M" && body["mem_backend"]["backend_type"] == "File" {
                    return Err("Cannot restore hugetlbfs backed snapshot by mapping the memory file. Please use uffd.".into());
                }
                *self.machine.lock().map_err(|_| "broken")? = machine;
                *started = true;
            }
            "/logger" | "/metrics" => {}
            _ => self.configured.store(true, Ordering::SeqCst),
        }
        Ok(())
    }

    fn write_down(&self, method: &str, path: &str, body: &Value) {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("calls"));
        if let Ok(mut file) = file {
            let _ = writeln!(file, "{method} {path} {body}");
        }
    }
}

/// What a guest would print on its serial port, which is standard output.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// The next request of a connection: method, path and body.
fn request(reader: &mut BufReader<&UnixStream>) -> Option<(String, String, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, body))
}
