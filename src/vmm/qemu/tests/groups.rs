//! Control groups, on a host that has all of them whatever the one that the tests run on has: a guest with the
//! distribution's kernel, in which this very program runs the part of the tests that wants them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::bench::Bench;
use crate::guest::kernel::test_kernel::busybox;
use crate::value::ByteSize;
use crate::vmm::Disk;

/// The first process of the guest once its root is a disk (pivot_root(2) does not work on an initramfs).
const INIT: &str = r#"#!/busybox sh
/busybox mkdir -p /bin; /busybox --install -s /bin; PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
/test --exact vmm::contain::tests::grouped::limits_are_the_control_groups --ignored --nocapture
echo "init: tested $?"
while :; do sleep 1000; done
"#;

#[tokio::test]
async fn a_hypervisor_is_held_to_its_control_group() {
    let mut bench = Bench::new("host");
    let (tree, disk) = (
        bench.dir.path().join("root"),
        bench.dir.path().join("root.ext4"),
    );
    for folder in ["proc", "sys", "dev", "tmp", "var/tmp"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    fs::copy(busybox(), tree.join("busybox")).unwrap();
    fs::write(tree.join("init"), INIT).unwrap();
    for program in ["busybox", "init"] {
        fs::set_permissions(tree.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let done = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let own = std::env::current_exe().unwrap();
    done(
        Command::new("strip")
            .arg("-o")
            .arg(tree.join("test"))
            .arg(own),
    );
    let making = ["-q", "-d"];
    done(
        Command::new("mkfs.ext4")
            .args(making)
            .arg(&tree)
            .arg(&disk)
            .arg("256M"),
    );
    bench.spec.disks = vec![Disk {
        path: disk,
        read_only: false,
        serial: "root".into(),
    }];
    bench.spec.memory = ByteSize::mib(512);
    let process = bench.launch().await.unwrap();
    let said = bench.prints("init: tested ").await;
    assert!(said.contains("init: tested 0"), "{said}");
    process.kill().await.unwrap();
}
