//! Pages of the daemon for the user's browser: a link that lets one in, and opening it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sistemo::engine::Engine;

use crate::web::client::{Absent, Daemon, usual_url};
use crate::web::server::folder;

/// How the files begin and end that lead a browser to a page.
const LEAD: (&str, &str) = ("open-", ".html");

/// A page as it was shown.
pub(super) struct Shown {
    /// Its address, with a ticket where it was not opened.
    pub(super) url: String,
    pub(super) opened: bool,
    /// Why nobody answers there.
    pub(super) lacking: Option<Lacking>,
}

/// Why a page is not to be had, with a way out.
pub(super) struct Lacking {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Makes a link to the daemon's page at `path` that lets one in, and opens it in the user's browser if `open` and where
/// there is a desktop.
pub(super) async fn show(engine: &Engine, path: &str, open: bool) -> Shown {
    let data_dir = engine.paths().data_dir();
    remove_old(data_dir);
    let without = |why: Absent| Shown {
        url: format!("{}{path}", usual_url(engine)),
        opened: false,
        lacking: Some(lacking(engine, &why)),
    };
    let mut daemon = match Daemon::find(engine).await {
        Ok(daemon) => daemon,
        Err(why) => return without(why),
    };
    let url = format!("{}{path}", daemon.url());
    let link = match daemon.ticket().await {
        Ok(ticket) => format!("{url}#ticket={}", ticket.ticket),
        Err(why) => return without(why),
    };
    let opened = open && is_desktop() && lead(data_dir, &link).is_ok_and(|file| start(&file));
    Shown {
        // The ticket of a link that was opened is used.
        url: if opened { url } else { link },
        opened,
        lacking: None,
    }
}

fn lacking(engine: &Engine, why: &Absent) -> Lacking {
    let listen = &engine.config().listen;
    let log = engine.paths().data_dir().join("daemon.log");
    let (message, hint) = match why {
        Absent::Down => (
            format!("nothing answers at {listen}"),
            "start the daemon: sistemo up --detach".into(),
        ),
        Absent::Squatted(owner) => (
            format!(
                "no daemon is up, and {} answers at {listen}",
                owner.as_deref().unwrap_or("another program")
            ),
            "have the daemon listen elsewhere: sistemo up --detach --listen localhost:7778".into(),
        ),
        Absent::Silent(pid) => (
            format!("the daemon is up (pid {pid}), and serves no pages"),
            format!("see why in {}, or: journalctl -u sistemo", log.display()),
        ),
        Absent::NoToken(error) => {
            let error = error as &dyn sistemo::error::Advice;
            (error.to_string(), error.hint().unwrap_or_default())
        }
        Absent::Foreign(address, why) => (
            format!("what answers at {address} is not the daemon: {why}"),
            "start the daemon anew: sistemo down && sistemo up --detach".into(),
        ),
    };
    Lacking { message, hint }
}

/// Whether there is a desktop with a browser of the same user's.
fn is_desktop() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (set("DISPLAY") || set("WAYLAND_DISPLAY")) && !set("SUDO_USER")
}

/// Writes a file that leads a browser to `link`: what stands on a command line is seen by everybody on this computer, and
/// a ticket is for one.
fn lead(data_dir: &Path, link: &str) -> std::io::Result<PathBuf> {
    let folder = folder(data_dir);
    // Such files are 0600.
    let mut file = tempfile::Builder::new()
        .prefix(LEAD.0)
        .suffix(LEAD.1)
        .tempfile_in(folder)?;
    // A link of ours has nothing that would have to be quoted.
    writeln!(
        file,
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <title>Sistemo</title><meta http-equiv=\"refresh\" content=\"0; url={link}\"><a href=\"{link}\">Sistemo</a>"
    )?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}

/// Removes the files that led somebody before: their tickets are used, or too old.
fn remove_old(data_dir: &Path) {
    let entries = fs::read_dir(folder(data_dir));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(LEAD.0) && name.ends_with(LEAD.1) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Has the desktop open a file.
fn start(file: &Path) -> bool {
    ["xdg-open", "gio", "x-www-browser"]
        .into_iter()
        .any(|opener| {
            let mut command = std::process::Command::new(opener);
            if opener == "gio" {
                command.arg("open");
            }
            let command = command
                .arg(file)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().is_ok()
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_link_is_handed_over_in_a_file_of_the_user_s_own() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(folder(dir.path())).unwrap();
        let file = lead(dir.path(), "http://localhost:7777/#ticket=abc").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("url=http://localhost:7777/#ticket=abc\""));
        let other = folder(dir.path()).join("served.json");
        fs::write(&other, "{}").unwrap();
        remove_old(dir.path());
        assert!(!file.exists() && other.exists());
    }
}
