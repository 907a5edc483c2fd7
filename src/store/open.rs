//! Opening the database: who else does, whose it is, and bringing it up to date.
//!
//! The migrations that are due and the number that says they were made are one transaction, so a process killed in the
//! middle leaves the database as it was.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::fcntl::{FallocateFlags, fallocate};
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use crate::host::space;
use crate::value::ByteSize;

/// How long a query waits for another process's write.
pub(super) const BUSY: Duration = Duration::from_secs(10);

static MIGRATIONS: LazyLock<Migrations<'static>> = LazyLock::new(|| {
    Migrations::new(vec![
        M::up(include_str!("migrations/0001_first.sql")),
        M::up(include_str!("migrations/0002_volumes.sql")),
        M::up(include_str!("migrations/0003_ports.sql")),
        M::up(include_str!("migrations/0004_supervisor.sql")),
        M::up(include_str!("migrations/0005_unsettled.sql")),
        M::up(include_str!("migrations/0006_volume_config.sql")),
        M::up(include_str!("migrations/0007_who.sql")),
        M::up(include_str!("migrations/0009_snapshots.sql")),
    ])
});

/// What must be free on the disk for the index of the log and a first few pages of it.
const ROOM: ByteSize = ByteSize::bytes(128 << 10);
/// How large the reserve is, and what must be free beside it.
const RESERVE: ByteSize = ByteSize::mib(2);
const PLENTY: ByteSize = ByteSize::mib(32);
/// How many of SQLite's instructions lie between two moments at which tests interrupt a migration.
const PART: i32 = 100;

/// Why it could not be opened.
pub(super) enum Failure {
    File(io::Error),
    Database(rusqlite::Error),
    Newer { found: i64, known: i64 },
    Foreign,
    Full,
    Held,
    Other(rusqlite_migration::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::File(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Database(error)
    }
}

impl From<rusqlite_migration::Error> for Failure {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => Failure::Database(err),
            other => Failure::Other(other),
        }
    }
}

/// Opens the database and brings it up to date.
pub(super) fn connect(path: &Path) -> Result<Connection, Failure> {
    // Whoever opens a new database makes its tables, and SQLite has two that do so at once fail.
    let _alone = lock_folder(path)?;
    check_room(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    let pending = recognise(&connection)?;
    // SQLite gives its other files the permissions of this one. Opening it here to make it would be wrong: with
    // the closing of any descriptor, a process loses its locks on a file (fcntl(2)), also those of SQLite.
    if path.metadata()?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    if pending {
        let_tests_interrupt(&connection)?;
        let migrated = MIGRATIONS.to_latest(&mut connection);
        connection.commit_hook(None::<fn() -> bool>)?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        migrated?;
    }
    keep_reserve(path);
    Ok(connection)
}

/// Gives the reserve up when the disk is full. Refuses when it is full all the same and the index of the log is to be made
/// (<https://sqlite.org/walformat.html>, section 2): SQLite has many words for that, and where a block is smaller than a
/// page of memory, writing to the index ends the process. While another process has the database open, the index is there.
fn check_room(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    // What cannot be told is tried.
    let full = || {
        let checked = space::check(folder, ROOM, ByteSize::bytes(0));
        matches!(checked, Err(space::Error::Full { .. }))
    };
    if !full() {
        return Ok(());
    }
    let mut index = path.as_os_str().to_owned();
    index.push("-shm");
    let given_up = fs::remove_file(reserve(path)).is_ok();
    match Path::new(&index).exists() || (given_up && !full()) {
        true => Ok(()),
        false => Err(Failure::Full),
    }
}

/// A file that takes some space for nothing, as long as there is plenty. When the disk is full it goes, so that things can
/// be deleted: that is written down first, which needs space.
fn reserve(path: &Path) -> PathBuf {
    path.with_extension("reserve")
}

/// Makes the reserve, when there is none and plenty of space. That it cannot be made is no failure.
fn keep_reserve(path: &Path) {
    let reserve = reserve(path);
    let folder = path.parent().unwrap_or(path);
    if reserve.exists() || space::check(folder, RESERVE, PLENTY).is_err() {
        return;
    }
    if let Ok(file) = File::create(&reserve) {
        let length = RESERVE.as_u64().cast_signed();
        let _ = fallocate(&file, FallocateFlags::empty(), 0, length);
    }
}

/// Tells by how many migrations were made whether this program understands the database, before it changes anything,
/// and whether any are due.
fn recognise(connection: &Connection) -> Result<bool, Failure> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let pending = i64::from(MIGRATIONS.pending_migrations(connection)?);
    if pending < 0 {
        let known = found + pending;
        return Err(Failure::Newer { found, known });
    }
    let tables = "SELECT EXISTS (SELECT 1 FROM sqlite_master)";
    if found == 0 && connection.query_row(tables, [], |row| row.get(0))? {
        return Err(Failure::Foreign);
    }
    Ok(pending > 0)
}

/// The moments in the middle of the migrations, and the one before they are committed.
fn let_tests_interrupt(connection: &Connection) -> rusqlite::Result<()> {
    connection.commit_hook(Some(|| crate::fault::is_wished("migration", "commit")))?;
    let mut part = 0;
    connection.progress_handler(
        PART,
        Some(move || {
            part += 1;
            crate::fault::is_wished("migration", &format!("part-{part}"))
        }),
    )
}

/// Waits until nobody else opens a database in that folder; held until it is dropped.
fn lock_folder(path: &Path) -> Result<File, Failure> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = File::open(folder.unwrap_or(Path::new(".")))?;
    let begun = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(folder),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if begun.elapsed() > BUSY => return Err(Failure::Held),
            // It is held for moments.
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
