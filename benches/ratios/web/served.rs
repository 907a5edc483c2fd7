//! A daemon that serves.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::Outcome;
use crate::lab::{Lab, run};

/// A daemon that is up, on a port of its own.
pub(crate) struct Served<'a> {
    lab: &'a Lab,
    data: PathBuf,
    pub(crate) pid: u32,
    pub(crate) port: u16,
    token: String,
}

impl<'a> Served<'a> {
    pub(crate) fn start(lab: &'a Lab, data: &Path) -> Outcome<Served<'a>> {
        let port = free_port()?;
        let mut up = lab.sistemo_in(data);
        up.args(["up", "--detach", "-o", "json", "--listen"])
            .arg(format!("localhost:{port}"));
        let said: Value = serde_json::from_slice(&run(&mut up)?.stdout)?;
        let pid = said["pid"].as_u64().ok_or("the daemon has no pid")?;
        let token = std::fs::read_to_string(data.join("web-token"))?;
        Ok(Served {
            lab,
            data: data.into(),
            pid: u32::try_from(pid)?,
            port,
            token: token.trim().into(),
        })
    }

    /// What a program says to be let in (RFC 6750).
    pub(crate) fn authorization(&self) -> Outcome<HeaderValue> {
        Ok(HeaderValue::from_str(&format!("Bearer {}", self.token))?)
    }

    /// An address that lets a browser in once.
    pub(crate) fn page(&self, machine: &str) -> Outcome<String> {
        let mut command = self.lab.sistemo_in(&self.data);
        command
            .args(["machine", "terminal", "--print", machine])
            .env("SISTEMO_LISTEN", format!("localhost:{}", self.port));
        let said = String::from_utf8(run(&mut command)?.stdout)?;
        Ok(said.trim().into())
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        if let Err(error) = run(self.lab.sistemo_in(&self.data).arg("down")) {
            eprintln!("warning: {error}");
        }
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
