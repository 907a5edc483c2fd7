//! The calls as data: a machine with everything, for the oldest version and the newest known.

use super::super::body::IoEngine;
use super::super::plan::{self, Circumstances};
use super::*;
use crate::vmm::Tap;

fn full() -> LaunchSpec {
    let disk = |path: &str, read_only| Disk {
        path: path.into(),
        read_only,
        serial: "unused".into(),
    };
    LaunchSpec {
        machine: "7b2e7c0e-1111-4222-8333-444455556666".into(),
        disks: vec![
            disk("/data/volumes/root.ext4", false),
            disk("/data/volumes/data.ext4", false),
            disk("/data/kernels/6.1/modules.img", true),
        ],
        taps: vec![Tap {
            name: "tap0".into(),
            mac: "02:00:0a:c8:00:02".into(),
            mtu: Some(1450),
        }],
        ..spec(Path::new("/data/machines/a"))
    }
}

fn lines(spec: &LaunchSpec, version: Version, io_engine: IoEngine) -> String {
    let circumstances = Circumstances {
        version,
        io_engine,
        metrics: Path::new("/data/machines/a/run/firecracker.metrics"),
    };
    let calls = plan::calls(spec, &circumstances).unwrap();
    let lines: Vec<String> = (calls.iter())
        .map(|call| format!("{call} {}", call.body))
        .collect();
    lines.join("\n")
}

#[test]
fn the_oldest_version_is_asked_for_what_it_has() {
    let plan = lines(&full(), Version::OLDEST, IoEngine::Sync);
    insta::assert_snapshot!(plan);
}

#[test]
fn the_newest_version_is_asked_for_all() {
    let mut spec = full();
    spec.huge_pages = HugePages::Transparent;
    spec.memory = ByteSize::bytes((512 << 20) + 1);
    let plan = lines(&spec, Version::KNOWN, IoEngine::Async);
    insta::assert_snapshot!(plan);
}

#[test]
fn memory_of_large_pages_is_whole_pages_and_stays() {
    let mut spec = full();
    spec.huge_pages = HugePages::TwoMebibytes;
    spec.memory = ByteSize::mib(511);
    let plan = lines(&spec, Version::KNOWN, IoEngine::Sync);
    assert!(plan.contains(r#""mem_size_mib":512"#), "{plan}");
    assert!(plan.contains(r#""huge_pages":"2M""#), "{plan}");
    assert!(!plan.contains("/balloon"), "{plan}");
}

#[test]
fn without_a_limit_there_is_none() {
    let mut spec = full();
    spec.iops = None;
    spec.disks.clear();
    spec.taps.clear();
    let plan = lines(&spec, Version::OLDEST, IoEngine::Sync);
    assert!(!plan.contains("limiter"), "{plan}");
    assert!(
        !plan.contains("drives") && !plan.contains("network"),
        "{plan}"
    );
}

#[test]
fn all_is_said_over_the_socket_but_where_it_is() {
    let words = super::super::begin::arguments("7b2e");
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    assert_eq!(
        words.join(" "),
        "--id sistemo-7b2e --api-sock firecracker.sock --log-path firecracker.log --level Info"
    );
}
