//! A machine is paused, saved and loaded.

use std::io;
use std::os::unix::fs::MetadataExt;

use super::bench::Bench;
use super::*;
use crate::vmm::Restore;

/// The numbers that a guest has counted to.
fn counts(log: &str) -> Vec<u64> {
    let numbers = log
        .lines()
        .filter_map(|line| line.strip_prefix("init: count "));
    numbers.filter_map(|n| n.trim().parse().ok()).collect()
}

/// The guest counts on from there, and leaves nothing out but a line that may have been under way.
async fn goes_on_after(bench: &Bench, reached: u64) {
    let next = reached + 1;
    bench.prints(&format!("init: count {}", next + 2)).await;
    let after = counts(&fs::read_to_string(&bench.spec.console).unwrap());
    assert!(after[..3] == [next, next + 1, next + 2] || after[..2] == [next + 1, next + 2]);
}

/// Holds a machine still, and gives how far it has counted.
async fn paused(bench: &Bench) -> u64 {
    let qemu = Qemu::find().unwrap();
    qemu.pause(&bench.spec.run_dir).await.unwrap();
    let log = fs::read_to_string(&bench.spec.console).unwrap();
    *counts(&log).last().unwrap()
}

/// Saves a machine to a folder of that name.
async fn saved(bench: &Bench, process: &Process, name: &str) -> PathBuf {
    let folder = bench.dir.path().join(name);
    fs::create_dir(&folder).unwrap();
    let qemu = Qemu::find().unwrap();
    let saved = qemu.save(process, &bench.spec.run_dir, &folder).await;
    saved.unwrap();
    folder
}

#[tokio::test]
async fn memory_is_a_file_that_is_mapped_and_stays_as_it_was() {
    let mut bench = Bench::new("count");
    let process = bench.launch().await.unwrap();
    bench.prints("init: count 3").await;
    let first = paused(&bench).await;
    let state = saved(&bench, &process, "state").await;
    process.kill().await.unwrap();
    let memory = state.join("memory");
    let (before, owner) = (fs::read(&memory).unwrap(), bench.spec.owner.unwrap());
    assert_eq!(before.len(), 256 << 20);
    let devices = state.join("state").metadata().unwrap().len();
    assert!(devices < 4 << 20, "{devices} bytes beside the memory");

    // One that others go on from as well is copied, and the copy is nobody's but the hypervisor's soon; contained or not.
    for contained in [true, true, false] {
        bench.spec.owner = contained.then_some(owner);
        bench.spec.restore = Some(Restore {
            folder: state.clone(),
            is_last: false,
        });
        let process = bench.launch().await.unwrap();
        assert!(!bench.spec.run_dir.join("memory").exists());
        goes_on_after(&bench, first).await;
        process.kill().await.unwrap();
        assert!(memory.metadata().unwrap().uid() != owner.number());
        assert!(fs::read(&memory).unwrap() == before, "it was written to");
    }
    bench.spec.owner = Some(owner);

    // Without the copy; what goes on from it is saved page by page, and so is what goes on from that.
    let (mut folder, mut reached) = (state, first);
    for name in ["second", "third"] {
        bench.spec.restore = Some(Restore {
            folder,
            is_last: true,
        });
        let process = bench.launch().await.unwrap();
        goes_on_after(&bench, reached).await;
        reached = paused(&bench).await;
        folder = saved(&bench, &process, name).await;
        assert!(!folder.join("memory").exists());
        process.kill().await.unwrap();
    }
    assert!(fs::read(&memory).unwrap() == before, "it was written to");
}

#[tokio::test]
async fn memory_that_its_hypervisor_has_made_larger_is_not_followed() {
    let bench = Bench::new("count");
    let process = bench.launch().await.unwrap();
    bench.prints("init: count 3").await;
    paused(&bench).await;
    let memory = format!("/proc/{}/root/memory/guest", process.pid);
    let memory = fs::File::options().write(true).open(memory).unwrap();
    memory.set_len(1 << 40).unwrap();
    let folder = bench.dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    let qemu = Qemu::find().unwrap();
    let run_dir = &bench.spec.run_dir;
    let error = qemu.save(&process, run_dir, &folder).await.unwrap_err();
    assert!(
        matches!(&error, Error::RunDir { source, .. } if source.kind() == io::ErrorKind::InvalidData),
        "{error:?}"
    );
    assert!(!folder.join("memory").exists());
}

#[tokio::test]
async fn a_hypervisor_that_is_not_contained_saves_all_in_one() {
    let mut bench = Bench::new("count");
    bench.spec.owner = None;
    let process = bench.launch().await.unwrap();
    bench.prints("init: count 3").await;
    let reached = paused(&bench).await;
    let folder = saved(&bench, &process, "state").await;
    assert!(!folder.join("memory").exists());
    process.kill().await.unwrap();
    bench.spec.restore = Some(Restore {
        folder,
        is_last: false,
    });
    bench.launch().await.unwrap();
    goes_on_after(&bench, reached).await;
}

#[tokio::test]
async fn a_counter_in_a_guest_goes_on_where_it_was_saved() {
    let mut bench = Bench::new("count");
    bench.disk("root", false);
    let qemu = Qemu::find().unwrap();
    let run_dir = bench.spec.run_dir.clone();
    let process = bench.launch().await.unwrap();
    bench.prints("init: count 3").await;
    let running = qemu.version_in(&run_dir).await.unwrap();
    assert_eq!(running, qemu.version().await.unwrap());
    qemu.pause(&run_dir).await.unwrap();
    qemu.pause(&run_dir).await.unwrap();
    let before = counts(&fs::read_to_string(&bench.spec.console).unwrap());
    let reached = *before.last().unwrap();

    let state = bench.dir.path().join("state");
    fs::create_dir(&state).unwrap();
    qemu.save(&process, &run_dir, &state).await.unwrap();
    // A state is written once.
    assert!(qemu.save(&process, &run_dir, &state).await.is_err());
    let later = counts(&fs::read_to_string(&bench.spec.console).unwrap());
    assert_eq!(later, before, "it was paused");
    // Once more, somewhere else.
    let again = bench.dir.path().join("again");
    fs::create_dir(&again).unwrap();
    qemu.save(&process, &run_dir, &again).await.unwrap();
    qemu.resume(&run_dir).await.unwrap();
    qemu.resume(&run_dir).await.unwrap();
    bench.prints(&format!("init: count {}", reached + 3)).await;
    process.kill().await.unwrap();

    bench.spec.restore = Some(Restore {
        folder: state.clone(),
        is_last: false,
    });
    let process = bench.launch().await.unwrap();
    goes_on_after(&bench, reached).await;
    process.kill().await.unwrap();

    // A state that is cut off is no machine.
    let file = state.join("state");
    let length = fs::metadata(&file).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(length / 2)
        .unwrap();
    let error = bench.launch().await.unwrap_err();
    assert!(
        matches!(error, Error::Refused { .. } | Error::Ended { .. }),
        "{error}"
    );
    assert!(!run_dir.join("memory").exists());
    for process in bench.launched.lock().unwrap().iter() {
        assert_eq!(process.current_state().unwrap(), State::Dead);
    }
}

#[tokio::test]
async fn a_save_that_was_given_up_is_cancelled_by_the_next_who_resumes() {
    let bench = Bench::new("count");
    let qemu = Qemu::find().unwrap();
    let run_dir = bench.spec.run_dir.clone();
    bench.launch().await.unwrap();
    bench.prints("init: count 3").await;
    qemu.pause(&run_dir).await.unwrap();
    // One that takes hours, and whose saver is killed.
    let file = fs::File::create(bench.dir.path().join("state")).unwrap();
    let mut qmp = talk(&run_dir, "begin").await.unwrap();
    crate::vmm::qemu::state::tell_of_progress(&mut qmp, "begin")
        .await
        .unwrap();
    let slow = serde_json::json!({ "max-bandwidth": 4096 });
    qmp.execute_with("migrate-set-parameters", slow, "begin")
        .await
        .unwrap();
    let events = serde_json::json!({ "capabilities": [{ "capability": "events", "state": true }] });
    qmp.execute_with("migrate-set-capabilities", events, "begin")
        .await
        .unwrap();
    qmp.give("state", &file, "begin").await.unwrap();
    let to = serde_json::json!({ "uri": "fd:state" });
    qmp.execute_with("migrate", to, "begin").await.unwrap();
    drop((qmp, file));
    qemu.resume(&run_dir).await.unwrap();
    let log = fs::read_to_string(&bench.spec.console).unwrap();
    let reached = *counts(&log).last().unwrap();
    bench.prints(&format!("init: count {}", reached + 3)).await;
}

#[tokio::test]
async fn a_state_that_fills_the_disk_is_said_and_the_guest_goes_on() {
    use nix::mount::{MsFlags, mount};
    let bench = Bench::new("count");
    let qemu = Qemu::find().unwrap();
    let run_dir = bench.spec.run_dir.clone();
    let process = bench.launch().await.unwrap();
    bench.prints("init: count 3").await;
    let small = bench.dir.path().join("small");
    fs::create_dir(&small).unwrap();
    // Mounts of this thread's own, which end with it.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let flags = MsFlags::empty();
    mount(Some("test"), &small, Some("tmpfs"), flags, Some("size=8m")).unwrap();
    qemu.pause(&run_dir).await.unwrap();
    let error = qemu.save(&process, &run_dir, &small).await.unwrap_err();
    assert!(
        matches!(&error, Error::RunDir { source, .. } if source.kind() == io::ErrorKind::StorageFull),
        "{error:?}"
    );
    qemu.resume(&run_dir).await.unwrap();
    let log = fs::read_to_string(&bench.spec.console).unwrap();
    let reached = *counts(&log).last().unwrap();
    bench.prints(&format!("init: count {}", reached + 3)).await;
    // The same machine is saved where there is space.
    qemu.pause(&run_dir).await.unwrap();
    let large = bench.dir.path().join("large");
    fs::create_dir(&large).unwrap();
    qemu.save(&process, &run_dir, &large).await.unwrap();
}
