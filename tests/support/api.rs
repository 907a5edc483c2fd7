//! The daemon's API as a program on the same computer meets it: over HTTP, by curl(1).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::Lab;

/// A client of a lab's daemon, which is up as long as this is there.
pub struct Api<'a> {
    lab: &'a Lab,
    /// A file with the header that lets one in: what is on a command line can be seen by everybody.
    header: PathBuf,
}

impl Api<'_> {
    /// Starts the daemon in the lab's namespace, whose loopback nobody else has.
    #[track_caller]
    pub fn of(lab: &Lab) -> Api<'_> {
        Api::with_path(lab, None)
    }

    /// The same with programs of these folders alone.
    #[track_caller]
    pub fn with_path<'a>(lab: &'a Lab, path: Option<&str>) -> Api<'a> {
        let variables: Vec<_> = path.iter().map(|path| ("PATH", *path)).collect();
        let mut command = lab.command("up --detach", &variables);
        let done = lab.within(move || command.output().unwrap());
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        let token = std::fs::read_to_string(lab.data_dir().join("web-token")).unwrap();
        let header = lab.folder().join("header");
        std::fs::write(&header, format!("Authorization: Bearer {}\n", token.trim())).unwrap();
        Api { lab, header }
    }

    /// The token's file's header, as text.
    pub fn header(&self) -> String {
        std::fs::read_to_string(&self.header).unwrap().trim().into()
    }

    /// curl on a path of the API.
    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("ip");
        curl.args(["netns", "exec", &self.lab.namespace])
            .args(["curl", "--silent", "--show-error", "--header"])
            .arg(format!("@{}", self.header.display()))
            .arg(format!("http://localhost:7777/api/v1{path}"));
        curl
    }

    /// An answer's status and its JSON.
    #[track_caller]
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[&str],
    ) -> (u16, Value) {
        let mut curl = self.curl(path);
        curl.args(["--request", method, "--write-out", "\n%{http_code}"]);
        for header in headers {
            curl.args(["--header", header]);
        }
        if body.is_some() {
            curl.args([
                "--header",
                "Content-Type: application/json",
                "--data-binary",
                "@-",
            ]);
        }
        let mut child = curl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        if let Some(body) = body {
            stdin.write_all(body.to_string().as_bytes()).unwrap();
        }
        drop(stdin);
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{method} {path}");
        let text = String::from_utf8(done.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        let json = serde_json::from_str(body).unwrap_or(Value::Null);
        (status.parse().unwrap(), json)
    }

    /// What is there.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask("GET", path, None, &[]);
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    /// The text that is there.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let done = self.curl(path).arg("--fail").output().unwrap();
        assert!(done.status.success(), "{path}: {done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Does something, and waits for its end, which must be a good one; what came of it.
    #[track_caller]
    pub fn does(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, begun) = self.ask(method, path, body, &[]);
        assert!(matches!(status, 200 | 202), "{path}: {begun}");
        let ended = self.ended(&begun);
        assert_eq!(ended["state"], "done", "{ended}");
        ended["result"].clone()
    }

    /// An operation once it has ended.
    #[track_caller]
    pub fn ended(&self, operation: &Value) -> Value {
        let path = format!("{}?wait=60", place(operation));
        loop {
            let (status, operation) = self.ask("GET", &path, None, &[]);
            match status {
                200 => return operation,
                202 => {}
                _ => panic!("{operation}"),
            }
        }
    }

    /// Follows a stream of events.
    pub fn follow(&self, path: &str) -> Events {
        let mut curl = self.curl(path);
        let child = curl.arg("--no-buffer").stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        Events {
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Reads a file of a machine into one of this computer; the status.
    #[track_caller]
    pub fn read(&self, machine: &str, path: &str, to: &Path) -> u16 {
        let mut curl = self.curl(&format!("/machines/{machine}/files?path={path}"));
        status_of(
            curl.args(["--write-out", "%{http_code}", "--output"])
                .arg(to),
        )
    }

    /// Writes a file of this computer into a machine; the status.
    #[track_caller]
    pub fn write(&self, machine: &str, path: &str, from: &Path) -> u16 {
        let mut curl = self.curl(&format!("/machines/{machine}/files?path={path}"));
        curl.args([
            "--write-out",
            "%{http_code}",
            "--output",
            "/dev/null",
            "--upload-file",
        ]);
        status_of(curl.arg(from))
    }
}

impl Drop for Api<'_> {
    fn drop(&mut self) {
        let _ = self.lab.run("down");
    }
}

/// Where an operation is asked for.
pub fn place(operation: &Value) -> String {
    format!("/operations/{}", operation["id"].as_str().unwrap())
}

#[track_caller]
fn status_of(curl: &mut Command) -> u16 {
    let done = curl.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().parse().unwrap()
}

/// A stream of events, read one by one.
pub struct Events {
    lines: BufReader<ChildStdout>,
    child: Child,
}

impl Iterator for Events {
    /// An event's name and its data.
    type Item = (String, Value);

    fn next(&mut self) -> Option<(String, Value)> {
        let (mut name, mut data) = (String::new(), Value::Null);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some(("event", text)) => name = text.trim().into(),
                Some(("data", text)) => data = serde_json::from_str(text.trim()).unwrap(),
                None if line == "\n" && !name.is_empty() => return Some((name, data)),
                _ => {}
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
