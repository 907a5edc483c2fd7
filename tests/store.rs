//! The database: whatever is wrong with it is said, with a way out, and it is never overwritten.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rusqlite::Connection;

use crate::support::Lab;

/// What makes each form of the database out of the one before.
fn migrations() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/migrations");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    files.iter().map(read).collect()
}

fn path(lab: &Lab) -> PathBuf {
    lab.data_dir().join("sistemo.db")
}

/// Makes the database as an older version of the program left it, with an image in it.
fn make(lab: &Lab, version: usize) {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(lab.data_dir().join(format!("sistemo.db{end}")));
    }
    let database = Connection::open(path(lab)).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    for migration in migrations().iter().take(version) {
        database.execute_batch(migration).unwrap();
    }
    database
        .pragma_update(None, "user_version", version as u32)
        .unwrap();
    if version > 0 {
        let image = "INSERT INTO images (digest, size_bytes, source, created_at) \
                     VALUES ('sha256:00ff', 1, 'test', '2026-01-01T00:00:00.000Z')";
        database.execute(image, []).unwrap();
        let history = "INSERT INTO history (at, action, target, name, duration_ms, ok) \
                       VALUES ('2026-01-01T00:00:00.000Z', 'deploy', 'machine', 'old', 1, 1)";
        database.execute(history, []).unwrap();
    }
}

/// The database's form, once SQLite has found it whole.
fn version(lab: &Lab) -> usize {
    let database = Connection::open(path(lab)).unwrap();
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let version: u32 = database
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    version as usize
}

/// Checks that a command fails and leaves the database's bytes as they are.
#[track_caller]
fn refuses(lab: &Lab, message: &str, hint: &str) {
    let before = std::fs::read(path(lab)).unwrap();
    for line in ["machine list", "image list", "volume create 8M", "history"] {
        let said = lab.run(line).fails(1);
        assert!(
            said.starts_with("error: ") && said.contains(message),
            "{line}: {said}"
        );
        assert!(
            said.contains(&path(lab).display().to_string()),
            "{line}: {said}"
        );
        assert!(
            said.contains("hint: ") && said.contains(hint),
            "{line}: {said}"
        );
    }
    assert!(
        std::fs::read(path(lab)).unwrap() == before,
        "it was written to"
    );
}

#[test]
fn a_kill_in_the_middle_of_a_migration_leaves_the_database_as_it_was() {
    let lab = Lab::bare();
    let newest = migrations().len();
    for from in 0..newest {
        let mut parts = 0;
        loop {
            make(&lab, from);
            let wish = format!("kill:migration:part-{}", parts + 1);
            let done = lab.run_with("image list", &[("SISTEMO_FAULT", &wish)]);
            if done.status.success() {
                // There is no such part any more: all of it is done.
                break;
            }
            done.was_killed();
            assert_eq!(version(&lab), from, "{wish}");
            parts += 1;
        }
        assert!(parts > 0, "the migration from {from} was never interrupted");
        assert_eq!(version(&lab), newest);

        make(&lab, from);
        let wish = [("SISTEMO_FAULT", "kill:migration:commit")];
        lab.run_with("image list", &wish).was_killed();
        assert_eq!(version(&lab), from);
        // The next command does it.
        let said = lab.run("history").ok();
        assert_eq!(said.contains("old"), from > 0, "{said}");
        assert_eq!(
            lab.run("image list -o json")
                .json()
                .as_array()
                .unwrap()
                .len(),
            from.min(1)
        );
        assert_eq!(version(&lab), newest);
    }
}

#[test]
fn a_newer_database_and_that_of_another_program_are_left_alone() {
    let lab = Lab::bare();
    let newest = migrations().len();
    make(&lab, newest);
    Connection::open(path(&lab))
        .unwrap()
        .pragma_update(None, "user_version", newest as u32 + 2)
        .unwrap();
    let form = format!(
        "its form is {}, and this program knows those up to {newest}",
        newest + 2
    );
    refuses(&lab, &form, "use the newer version");

    make(&lab, 0);
    Connection::open(path(&lab))
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('la')")
        .unwrap();
    refuses(&lab, "is not one of this program", "--data-dir");
    std::fs::remove_file(path(&lab)).unwrap();
}

#[test]
fn a_damaged_database_is_left_as_it_is() {
    let lab = Lab::bare();
    for bytes in [vec![b'x'; 100], vec![0; 100], vec![b'x'; 100_000]] {
        std::fs::write(path(&lab), bytes).unwrap();
        refuses(&lab, "is damaged", ".recover");
        std::fs::remove_file(path(&lab)).unwrap();
    }
    make(&lab, migrations().len());
    let whole = std::fs::read(path(&lab)).unwrap();
    std::fs::write(path(&lab), &whole[..whole.len() / 2]).unwrap();
    refuses(&lab, "is damaged", ".recover");

    // Where only a query finds it.
    std::fs::write(path(&lab), &whole).unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(path(&lab))
        .unwrap();
    let pages = (whole.len() / 4096) as u64;
    for page in 1..pages {
        file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
    }
    let before = std::fs::read(path(&lab)).unwrap();
    let said = lab.run("machine list").fails(1);
    assert!(
        said.contains("malformed") && said.contains(".recover"),
        "{said}"
    );
    assert!(std::fs::read(path(&lab)).unwrap() == before);
    std::fs::remove_file(path(&lab)).unwrap();
}

#[test]
fn a_database_that_another_process_holds_is_said_so_in_time() {
    let lab = Lab::bare();
    lab.run("image list").ok();
    let other = Connection::open(path(&lab)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reading is not in its way.
    lab.run("image list").ok();
    let begun = Instant::now();
    let said = lab.run("volume create 8M --name a").fails(1);
    assert!(begun.elapsed().as_secs() >= 9, "{said}");
    assert!(
        said.contains("database is locked") && said.contains("hint: see which"),
        "{said}"
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(lab.run("volume list -o json").ok(), "[]\n");

    // One that stands still in the middle of opening it.
    let folder = std::fs::File::open(lab.data_dir()).unwrap();
    folder.lock().unwrap();
    let said = lab.run("image list").fails(1);
    assert!(
        said.contains("another process has held the database"),
        "{said}"
    );
    assert!(
        said.contains("hint: see which, and try again when it has ended: fuser -v "),
        "{said}"
    );
    folder.unlock().unwrap();
    lab.run("volume create 8M --name a").ok();
    lab.run("volume delete a -y").ok();
    lab.has_nothing_left();
}

/// Runs a command as a user who owns nothing.
fn as_nobody(lab: &Lab, line: &str) -> (Option<i32>, String) {
    let command = lab.command(line, &[]);
    let program = lab.data_dir().with_file_name("sistemo");
    if !program.exists() {
        std::fs::copy(command.get_program(), &program).unwrap();
        open_to_all(program.parent().unwrap());
        open_to_all(&program);
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    setpriv.arg(&program).args(command.get_args());
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            setpriv.env(key, value);
        }
    }
    let done = setpriv.output().unwrap();
    (
        done.status.code(),
        String::from_utf8_lossy(&done.stderr).into_owned(),
    )
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_somebody_elses_or_cannot_be_written_is_said_so() {
    let lab = Lab::bare();
    lab.run("image list").ok();
    let data = lab.data_dir();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
    let (status, said) = as_nobody(&lab, "image list");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&data.display().to_string()), "{said}");
    assert!(
        said.contains("Permission denied") && said.contains("hint: run it as root"),
        "{said}"
    );

    // Theirs, but for the database.
    for folder in [data.clone(), data.join("images"), data.join("locks")] {
        std::os::unix::fs::chown(folder, Some(65534), Some(65534)).unwrap();
    }
    let (status, said) = as_nobody(&lab, "image list");
    assert_eq!(status, Some(1), "{said}");
    let cannot = format!("cannot open the database {}", path(&lab).display());
    assert!(
        said.contains(&cannot) && said.contains("hint: it must be writable"),
        "{said}"
    );
    // One that can be read only.
    std::fs::set_permissions(path(&lab), PermissionsExt::from_mode(0o644)).unwrap();
    let before = std::fs::read(path(&lab)).unwrap();
    let (status, said) = as_nobody(&lab, "image list");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&cannot) && said.contains("hint: "), "{said}");
    assert!(std::fs::read(path(&lab)).unwrap() == before);

    // A file system that can only be read, to root too.
    let said = lab.run_read_only("machine list");
    assert!(
        said.contains(&cannot) || said.contains("Read-only file system"),
        "{said}"
    );
    assert!(said.contains("hint: "), "{said}");
}
