//! Guests that halt, seen on their consoles.

use std::fs::{self, File};
use std::io::Write;

use super::*;

#[tokio::test]
async fn a_guest_that_halts_is_told_of_whether_or_not_anybody_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::new(dir.path());
    let (early, late) = (MachineId::new(), MachineId::new());
    let append = |id: &MachineId, text: &str| {
        fs::create_dir_all(paths.machine(id)).unwrap();
        let mut options = File::options();
        let mut log = (options.create(true).append(true))
            .open(paths.console(id))
            .unwrap();
        log.write_all(text.as_bytes()).unwrap();
    };
    append(&early, "[    1.000000] reboot: System halted\n");
    append(&late, "[    1.000000] Linux version 6.1\n");
    let silent = Progress::silent();
    let bound = Bound::new(Bound::LEAST);
    for _ in 0..2 {
        // The second time the log is known already.
        let mut consoles = Consoles::new(&paths, bound).unwrap();
        consoles.refresh(&[(early, Some(1))], &silent);
        assert_eq!(consoles.tend(&silent).await.unwrap(), [early]);
        consoles.end(&silent).await;
    }
    let mut consoles = Consoles::new(&paths, bound).unwrap();
    consoles.refresh(&[(late, Some(1))], &silent);
    let tend = consoles.tend(&silent);
    tokio::pin!(tend);
    assert!(futures_util::poll!(&mut tend).is_pending());
    append(&late, "[    2.000000] reboot: Power down\n");
    assert_eq!(tend.await.unwrap(), [late]);
}
