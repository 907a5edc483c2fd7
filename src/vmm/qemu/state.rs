//! A machine's state: held still, written to a file, loaded from one, going on.
//!
//! ```text
//!            pause                save
//!   running ───────► paused ─────────────► paused (postmigrate)
//!      ▲               │ resume               │ resume
//!      └───────────────┴──────────────────────┘
//!   -incoming defer ──load──► paused ──cont──► running
//! ```
//!
//! QEMU's word for both ways is migration (docs/devel/migration.rst in its source): the stream that would go to another
//! host goes to a file. The file is opened here and handed over the control socket, so QEMU needs no way to it. Memory may
//! have a file of its own ([`memory`]).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::error::Error;
use super::super::process::Process;
use super::qmp::{Qmp, within};
use super::{ANSWER, memory};

pub(super) const VERSION: &str = "ask for its version";
pub(super) const PAUSE: &str = "pause the machine";
pub(super) const RESUME: &str = "let the machine go on";
pub(super) const SAVE: &str = "save the machine's state";
const LOAD: &str = "load the machine's state";

/// How long saving or loading may take. It is as fast as the disk; this is for 64 GiB on a slow one.
pub(super) const MOVING: Duration = Duration::from_secs(15 * 60);
/// The name that QEMU has the file by.
const FILE: &str = "state";

/// The file in a state's folder.
fn file(folder: &Path) -> PathBuf {
    folder.join("state")
}

/// The version of the QEMU at the other end, as `-version` prints it.
pub(super) async fn version(qmp: &mut Qmp) -> Result<String, Error> {
    let said = within(ANSWER, VERSION, qmp.execute("query-version", VERSION)).await?;
    let part = |name| {
        (said["qemu"][name].as_u64()).ok_or_else(|| Error::Refused {
            act: VERSION,
            text: format!("it says {said}"),
        })
    };
    Ok(format!(
        "{}.{}.{}",
        part("major")?,
        part("minor")?,
        part("micro")?
    ))
}

/// Holds the processors still. QEMU has written what the guest's disks were given when it answers.
pub(super) async fn pause(qmp: &mut Qmp) -> Result<(), Error> {
    within(ANSWER * 6, PAUSE, qmp.execute("stop", PAUSE)).await?;
    Ok(())
}

/// Goes on, whatever a caller that was killed had begun.
pub(super) async fn resume(qmp: &mut Qmp) -> Result<(), Error> {
    within(ANSWER * 6, RESUME, async {
        tell_of_progress(qmp, RESUME).await?;
        let migration = qmp.execute("query-migrate", RESUME).await?;
        if is_under_way(&migration) {
            qmp.execute("migrate_cancel", RESUME).await?;
            while is_under_way(&qmp.execute("query-migrate", RESUME).await?) {
                // What is being written at the moment is written first.
                qmp.event("MIGRATION", RESUME, has_ended).await?;
            }
        }
        if settled(qmp, RESUME).await?["running"].as_bool() != Some(true) {
            qmp.execute("cont", RESUME).await?;
        }
        Ok(())
    })
    .await
}

/// The machine's status once a migration that has ended has left it alone. Between the two QEMU refuses to let it go on,
/// and does not say when that is over; it is a matter of moments.
async fn settled(qmp: &mut Qmp, act: &'static str) -> Result<Value, Error> {
    loop {
        let status = qmp.execute("query-status", act).await?;
        if status["status"] != "finish-migrate" {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Writes the state of a paused machine to a new file in `folder`.
pub(super) async fn save(qmp: &mut Qmp, process: &Process, folder: &Path) -> Result<(), Error> {
    let path = file(folder);
    let fail = |act| {
        let path = path.clone();
        move |source| Error::RunDir { act, path, source }
    };
    let state = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(fail("write"))?;
    let saved = within(MOVING, SAVE, async {
        tell_of_progress(qmp, SAVE).await?;
        let apart = memory::shared(qmp, process, SAVE).await?;
        if settled(qmp, SAVE).await?["status"] == "postmigrate" {
            // QEMU saves a machine that was saved already only once it has run, be it for a moment.
            qmp.execute("cont", SAVE).await?;
            qmp.execute("stop", SAVE).await?;
        }
        // Its own limit is for networks that others use as well: 128 MiB a second.
        let most = json!({ "max-bandwidth": u64::MAX >> 8 });
        qmp.execute_with("migrate-set-parameters", most, SAVE)
            .await?;
        leave_memory_out(qmp, apart.is_some(), SAVE).await?;
        qmp.give(FILE, &state, SAVE).await?;
        let to = json!({ "uri": format!("fd:{FILE}") });
        qmp.execute_with("migrate", to, SAVE).await?;
        ends_well(qmp, SAVE).await?;
        settled(qmp, SAVE).await?;
        match apart {
            Some(memory) => memory::save(memory, folder).await,
            None => Ok(()),
        }
    });
    if let Err(error) = saved.await {
        // QEMU does not say why a write failed.
        return Err(match is_full(&state) {
            true => fail("write")(io::Error::from_raw_os_error(nix::libc::ENOSPC)),
            false => error,
        });
    }
    Ok(())
}

/// Whether the file system has no space for another page of memory and what is written with it.
fn is_full(file: &File) -> bool {
    const ROOM: u64 = 64 << 10;
    let stat = nix::sys::statvfs::fstatvfs(file);
    stat.is_ok_and(|stat| stat.blocks_available() * stat.fragment_size() < ROOM)
}

/// Loads the state from `folder` into a machine that waits for it, and lets it go on.
pub(super) async fn load(qmp: &mut Qmp, folder: &Path) -> Result<(), Error> {
    let path = file(folder);
    let state = File::open(&path).map_err(|source| Error::RunDir {
        act: "read",
        path,
        source,
    })?;
    tell_of_progress(qmp, LOAD).await?;
    leave_memory_out(qmp, memory::is_apart(folder), LOAD).await?;
    qmp.give(FILE, &state, LOAD).await?;
    let from = json!({ "uri": format!("fd:{FILE}") });
    qmp.execute_with("migrate-incoming", from, LOAD).await?;
    ends_well(qmp, LOAD).await?;
    qmp.execute("cont", LOAD).await?;
    Ok(())
}

/// Has a stream be without memory that is a file's (`x-ignore-shared`; private memory of the same file may be loaded to
/// since QEMU 4.1), or have all of it.
async fn leave_memory_out(qmp: &mut Qmp, is_out: bool, act: &'static str) -> Result<(), Error> {
    set_capability(qmp, "x-ignore-shared", is_out, act).await
}

/// Has QEMU send events of a migration. While one is under way that cannot be changed, and was asked for before.
pub(super) async fn tell_of_progress(qmp: &mut Qmp, act: &'static str) -> Result<(), Error> {
    match set_capability(qmp, "events", true, act).await {
        Err(Error::Refused { .. }) => Ok(()),
        told => told,
    }
}

/// Says how migrations are to be, from the next one on.
async fn set_capability(
    qmp: &mut Qmp,
    name: &str,
    is_on: bool,
    act: &'static str,
) -> Result<(), Error> {
    let capabilities = json!({ "capabilities": [{ "capability": name, "state": is_on }] });
    let set = qmp.execute_with("migrate-set-capabilities", capabilities, act);
    set.await.map(drop)
}

/// Waits until a migration has ended, and says why if it failed.
async fn ends_well(qmp: &mut Qmp, act: &'static str) -> Result<(), Error> {
    let ended = qmp.event("MIGRATION", act, has_ended).await?;
    if ended["status"] == "completed" {
        return Ok(());
    }
    let migration = qmp.execute("query-migrate", act).await?;
    let text = match migration["error-desc"].as_str() {
        Some(text) => text.to_owned(),
        None => format!("it ended as {}", ended["status"]),
    };
    Err(Error::Refused { act, text })
}

fn has_ended(data: &Value) -> bool {
    let status = data["status"].as_str().unwrap_or_default();
    ["completed", "failed", "cancelled"].contains(&status)
}

fn is_under_way(migration: &Value) -> bool {
    let status = migration["status"].as_str().unwrap_or_default();
    ["setup", "active", "device", "wait-unplug", "cancelling"].contains(&status)
}
