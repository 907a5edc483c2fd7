//! What control groups do, where there are any: in a guest that `vmm::qemu::tests::groups` boots.

use std::fs;
use std::path::Path;

use super::hostile::Prey;
use super::*;

const GROUP: &str = "/sys/fs/cgroup/sistemo";

#[tokio::test]
#[ignore = "runs in a guest whose kernel has control groups of version 2"]
async fn limits_are_the_control_groups() {
    assert_eq!(Ability::look().ungrouped(), None);
    let stage = Stage::new();
    let group = Path::new(GROUP).join(&stage.spec.machine);
    let read = |file: &str| fs::read_to_string(group.join(file)).unwrap();

    // What is written there is what the limits say.
    let mut enclosure = stage.enclosure().unwrap();
    let said = stage.run("lists", &Prey::default()).await;
    assert!(!said.is_empty());
    let limits = enclosure.limits;
    assert_eq!(
        read("memory.max").trim(),
        (limits.memory / 4096 * 4096).to_string()
    );
    assert_eq!(read("pids.max").trim(), limits.processes.to_string());
    assert_eq!(read("cpu.max").trim(), "200000 100000");
    assert_eq!(read("cpu.weight").trim(), "100");
    assert_eq!(read("memory.oom.group").trim(), "1");
    // The disk that the machine's disks lie on, /dev/vda.
    assert!(
        read("io.max").contains("riops=4000 wiops=4000"),
        "{}",
        read("io.max")
    );
    assert!(
        read("memory.peak").trim().parse::<u64>().unwrap() > 0,
        "it was in it"
    );

    // One that swallows memory is ended alone.
    enclosure.limits.memory = 64 << 20;
    let ended = stage
        .start("swallows", &Prey::default(), Some(enclosure))
        .await;
    assert!(
        ended.contains("said: begins") && !ended.contains("said: had"),
        "{ended}"
    );
    assert!(
        read("memory.events").contains("oom_group_kill 1"),
        "{}",
        read("memory.events")
    );

    // One that forks without end is refused by whichever limit comes first, and nobody of it is left.
    let mut enclosure = stage.enclosure().unwrap();
    enclosure.limits.processes = 20;
    let prey = Prey {
        processes: 20,
        ..Prey::default()
    };
    let said = stage.start("forks", &prey, Some(enclosure)).await;
    assert!(said.contains("said: processes: EAGAIN"), "{said}");
    assert_eq!(read("pids.max").trim(), "20");
    assert!(read("cgroup.events").contains("populated 0"));

    // It goes with its machine, and twice is once.
    for _ in 0..2 {
        release(&stage.spec.machine, &stage.spec.run_dir, &[]).unwrap();
        assert!(!Path::new(GROUP).exists());
    }
}
