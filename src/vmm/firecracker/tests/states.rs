//! States: what is asked for, where the files come to lie, and whose disks a machine has that goes on from one.

use super::*;
use crate::vmm::Restore;

/// A machine that runs and was saved to a folder of its own.
async fn saved(bench: &Bench) -> std::path::PathBuf {
    let process = bench.launch().await.unwrap();
    let (driver, run) = (bench.driver(), &bench.spec.run_dir);
    let folder = bench.dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    driver.check_savable(run).await.unwrap();
    let early = driver
        .save(&process, run, &folder)
        .await
        .unwrap_err()
        .to_string();
    assert!(early.contains("PUT /snapshot/create"), "{early}");
    driver.pause(run).await.unwrap();
    driver.save(&process, run, &folder).await.unwrap();
    driver.resume(run).await.unwrap();
    folder
}

#[tokio::test]
async fn a_state_is_saved_and_another_machine_goes_on_from_it() {
    let bench = Bench::new("1.10.1", "");
    let folder = saved(&bench).await;
    let calls = bench.calls();
    assert_eq!(
        calls[calls.len() - 5..],
        [
            "/machine-config",
            "/snapshot/create",
            "/vm",
            "/snapshot/create",
            "/vm"
        ]
    );
    for file in state::files(&folder) {
        assert!(file.is_file(), "{}", file.display());
    }
    for file in state::files(&own_folder(&bench.spec.run_dir)) {
        assert!(!file.exists(), "{}", file.display());
    }

    let mut fork = Bench::new("1.10.1", "");
    fork.spec.restore = Some(Restore {
        folder,
        is_last: true,
    });
    fork.launch().await.unwrap();
    assert_eq!(fork.calls(), ["/logger", "/metrics", "/snapshot/load"]);
    // What the state calls its disks leads to the fork's own.
    for (index, disk) in fork.spec.disks.iter().enumerate() {
        let link = own_folder(&fork.spec.run_dir).join(format!("disk{index}"));
        assert_eq!(fs::read_link(link).unwrap(), disk.path);
    }
    // Whoever saved it was killed before it was done.
    fork.driver().pause(&fork.spec.run_dir).await.unwrap();
    let half = &state::files(&own_folder(&fork.spec.run_dir))[1];
    fs::write(half, "half of it").unwrap();
    fork.driver().resume(&fork.spec.run_dir).await.unwrap();
    assert!(!half.exists());
}

#[tokio::test]
async fn memory_of_large_pages_is_saved_only_where_it_can_be_loaded_otherwise() {
    let large = |version: &str| {
        let mut bench = Bench::new(version, &format!("version {version}"));
        bench.spec.huge_pages = HugePages::TwoMebibytes;
        bench
    };
    let old = large("1.16.2");
    old.launch().await.unwrap();
    let refused = old.driver().check_savable(&old.spec.run_dir).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), Kind::Refused);
    assert!(refused.hint().unwrap().contains("huge_pages none"));
    let said = "Firecracker 1.16.2 cannot go on from memory of 2 MiB pages, so it is not saved";
    assert_eq!(refused.to_string(), said);

    let bench = large("1.17.0");
    let folder = saved(&bench).await;
    let mut fork = large("1.17.0");
    fork.spec.restore = Some(Restore {
        folder,
        is_last: true,
    });
    fork.launch().await.unwrap();
    assert!(fork.read("calls").contains(r#""huge_pages":"None""#));
}

#[tokio::test]
async fn the_version_of_what_runs_is_asked_of_it() {
    // Replaced by another since.
    let bench = Bench::new("1.17.0", "version 1.14.2-dev");
    bench.launch().await.unwrap();
    let driver = bench.driver();
    assert_eq!(driver.version().await.unwrap(), "1.17.0");
    let running = driver.version_in(&bench.spec.run_dir).await.unwrap();
    assert_eq!(running, "1.14.2");

    let bench = Bench::new("1.17.0", "version ?");
    bench.launch().await.unwrap();
    let unknown = bench.driver().version_in(&bench.spec.run_dir).await;
    let error = unknown.unwrap_err().to_string();
    assert!(error.contains("GET /version"), "{error}");
}

#[tokio::test]
async fn a_state_that_cannot_be_loaded_leaves_nothing_running() {
    let mut bench = Bench::new("1.17.0", "");
    bench.spec.restore = Some(Restore {
        folder: bench.dir.path().join("no-such-state"),
        is_last: false,
    });
    let error = bench.launch().await.unwrap_err().to_string();
    assert!(error.contains("PUT /snapshot/load"), "{error}");
    bench.is_clean();
}

#[tokio::test]
async fn what_a_hypervisor_puts_in_the_place_of_a_state_is_refused() {
    let bench = Bench::new("1.17.0", "");
    bench.launch().await.unwrap();
    let own = own_folder(&bench.spec.run_dir);
    let secret = bench.dir.path().join("secret");
    fs::write(&secret, "of the host's").unwrap();
    let link = own.join(state::FILES[0]);
    std::os::unix::fs::symlink(&secret, &link).unwrap();
    let kept = bench.dir.path().join("kept");
    assert!(state::take(&link, &kept).is_err());
    assert!(!kept.exists());
}
