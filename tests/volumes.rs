//! Volumes by themselves and with machines.

use serde_json::Value;

use crate::support::{Image, Lab};

/// Checks a volume's file system, which is not in use, with the plain tool.
#[track_caller]
fn fsck(lab: &Lab, volume: &str) {
    let path = lab.volume(volume)["path"].as_str().unwrap().to_string();
    let done = std::process::Command::new("e2fsck")
        .args(["-f", "-n", &path])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{volume}: {said}");
}

#[test]
fn a_data_volume_outlives_its_machines() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let made = lab.run("volume create 64M --name data").ok();
    assert_eq!(made, "data created\n");
    fsck(&lab, "data");
    let data = lab.volume("data");
    assert_eq!(data["status"], "available");
    assert_eq!(data["role"], "data");
    assert_eq!(data["size_bytes"], 64 << 20);
    assert!(
        data["used_bytes"].as_u64().unwrap() < 8 << 20,
        "holes are kept"
    );
    let other = lab.run("volume create 32M -o json").json();
    let other = other["name"].as_str().unwrap().to_string();

    // Each at its place, by name and not by order; one below the other.
    lab.run(&format!(
        "machine deploy {tiny} --name a --attach {other}:/srv/data/deep,data:/srv/data"
    ))
    .ok();
    let place = |path: &str| {
        let line = format!("machine exec a 'df -k {path} | tail -1'");
        let said = lab.run(&line).ok();
        let words: Vec<_> = said.split_whitespace().map(String::from).collect();
        (
            words[1].parse::<u64>().unwrap(),
            words.last().unwrap().clone(),
        )
    };
    let (large, at) = place("/srv/data");
    assert_eq!(at, "/srv/data");
    let (small, at) = place("/srv/data/deep");
    assert_eq!(at, "/srv/data/deep");
    assert!(small < 32 << 10 && large > 48 << 10, "{small} {large}");
    lab.run("machine exec a 'echo kept > /srv/data/f'").ok();
    let volumes = lab.status("a")["volumes"].clone();
    let names: Vec<_> = volumes.as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[0]["name"], "a-root");
    assert_eq!(lab.volume("data")["status"], "in-use");
    assert_eq!(lab.volume("data")["machine"], "a");
    assert_eq!(lab.volume("data")["mount_path"], "/srv/data");

    // What a running machine has is not touched.
    for line in [
        "volume delete data -y",
        "volume resize data 1G",
        "volume resize a-root 1G",
        "machine volume detach a data",
    ] {
        let said = lab.run(line).fails(4);
        assert!(said.contains("hint: "), "{line}: {said}");
    }
    assert_eq!(lab.volume("data")["size_bytes"], 64 << 20);

    lab.run("machine stop a").ok();
    assert_eq!(lab.volume("data")["status"], "attached");
    for volume in ["data", &other, "a-root"] {
        fsck(&lab, volume);
    }
    let said = lab.run("volume delete data -y").fails(4);
    assert!(said.contains("machine volume detach a data"), "{said}");
    lab.run(&format!("machine volume detach a {other}")).ok();
    assert_eq!(lab.volume(&other)["status"], "available");

    // Grown while stopped, with its file system, it has more room.
    assert_eq!(
        lab.run("volume resize data 256M").ok(),
        "data has 256 MiB now\n"
    );
    fsck(&lab, "data");
    lab.run("machine start a").ok();
    let (grown, _) = place("/srv/data");
    assert!(grown > 200 << 10, "{grown} KiB");
    assert_eq!(lab.run("machine exec a cat /srv/data/f").ok(), "kept\n");

    // The machine goes, the volume stays, and another machine has it.
    lab.run("machine delete a -y").ok();
    assert_eq!(lab.volume("data")["status"], "available");
    assert_eq!(lab.volume("data")["machine"], Value::Null);
    lab.run(&format!("machine deploy {tiny} --name b --no-wait"))
        .ok();
    lab.run("machine stop b --force").ok();
    lab.run("machine volume attach b data").ok();
    lab.run("machine start b").ok();
    assert_eq!(lab.run("machine exec b cat /mnt/data/f").ok(), "kept\n");
    lab.run("machine delete b -y").ok();
    assert_eq!(
        lab.run("volume rename data photos").ok(),
        "data is photos now\n"
    );
    assert_eq!(
        lab.run(&format!("volume delete photos {other} -y")).ok(),
        format!("photos deleted\n{other} deleted\n")
    );
    lab.has_nothing_left();
}

#[test]
fn a_kept_root_volume_grows_and_boots_again() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    lab.run("machine exec a 'echo kept > /root/kept && sync'")
        .ok();
    lab.run("machine delete a -y --preserve-storage").ok();
    let root = lab.volume("a-root");
    assert_eq!(
        (&root["status"], &root["role"]),
        (&"available".into(), &"root".into())
    );
    lab.run("volume resize a-root 192M").ok();
    fsck(&lab, "a-root");
    lab.run("machine deploy --volume a-root --name b").ok();
    assert_eq!(lab.run("machine exec b cat /root/kept").ok(), "kept\n");
    let said = lab.run("volume rename a-root b-root").fails(4);
    assert!(said.contains("machine b"), "{said}");
    lab.run("machine delete b -y").ok();
    lab.has_nothing_left();
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run("volume create 16M --name data").ok();
    lab.run("volume create 16M --name more").ok();
    lab.run(&format!(
        "machine deploy {tiny} --name a --attach data --no-wait"
    ))
    .ok();
    lab.run("machine stop a --force").ok();
    let said = lab.refuses(
        &[
            (
                "volume create 16M --name data",
                4,
                "there is a volume data already",
            ),
            ("volume create 1M", 2, "has 8 MiB to"),
            ("volume create 99999999G", 2, "has 8 MiB to"),
            ("volume create 0", 2, "invalid value '0'"),
            ("volume create -- -1G", 2, "invalid value '-1G'"),
            ("volume create lots", 2, "invalid value 'lots'"),
            ("volume create 16M --name Data", 2, "invalid value 'Data'"),
            ("volume resize data 8M", 2, "volume data has 16 MiB"),
            ("volume resize nosuch 1G", 3, "nosuch"),
            (
                "volume rename more data",
                4,
                "there is a volume data already",
            ),
            (
                "volume rename a-root other",
                4,
                "is the root disk of machine a",
            ),
            ("volume delete nosuch -y", 3, "nosuch"),
            ("volume delete more", 4, "cannot ask without a terminal"),
            ("volume delete a-root -y", 4, "belongs to machine a"),
            ("machine volume attach a nosuch", 3, "nosuch"),
            ("machine volume attach nosuch more", 3, "nosuch"),
            ("machine volume attach a data", 4, "belongs to machine a"),
            (
                "machine volume attach a more:/mnt/data",
                4,
                "is mounted at /mnt/data already",
            ),
            (
                "machine volume attach a more:mnt",
                2,
                "does not begin with /",
            ),
            (
                "machine volume attach a more:/proc/x",
                2,
                "the guest's kernel fills that",
            ),
            ("machine volume attach a a-root", 4, "is a root volume"),
            (
                "machine volume detach a more",
                4,
                "not attached to machine a",
            ),
            ("machine volume detach a a-root", 4, "belongs to machine a"),
            (
                "machine deploy tiny --name b --attach data",
                4,
                "belongs to machine a",
            ),
            ("machine deploy tiny --name b --attach nosuch", 3, "nosuch"),
            (
                "machine deploy tiny --name b --attach more,more",
                4,
                "belongs to machine b",
            ),
            (
                "machine deploy --volume data --name b",
                4,
                "is not a root volume",
            ),
        ],
        "volume list -o json",
    );
    insta::assert_snapshot!("refused_volumes", said);
    assert_eq!(
        lab.run("machine list -o json")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    lab.run("machine delete a -y").ok();
    lab.run("volume delete data more -y").ok();
    lab.has_nothing_left();
}

#[test]
fn work_on_a_volume_that_is_killed_is_ended_by_the_next_command() {
    let lab = Lab::bare();
    let kill = |line: &str, what: &str, when: &str| {
        let fault = format!("kill:{what}:{when}");
        lab.run_with(line, &[("SISTEMO_FAULT", &fault)])
            .was_killed();
    };
    for when in ["before", "after"] {
        kill("volume create 16M --name data", "volume-create", when);
        assert!(
            lab.run("volume list")
                .stderr
                .contains("recovered volume data")
        );
        lab.has_nothing_left();

        lab.run("volume create 16M --name data").ok();
        kill("volume resize data 64M", "volume-resize", when);
        let size = lab.volume("data")["size_bytes"].as_u64().unwrap();
        assert!([16 << 20, 64 << 20].contains(&size), "{when}: {size}");
        fsck(&lab, "data");
        lab.run("volume resize data 64M").ok();
        fsck(&lab, "data");

        kill("volume delete data -y", "volume-delete", when);
        assert_eq!(lab.run("volume list -o json").ok(), "[]\n");
        lab.has_nothing_left();
    }
}
