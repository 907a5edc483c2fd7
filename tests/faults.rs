//! A command that is killed at any boundary of any of its steps, on the way there and on the way back: what the next one
//! finds is put right, and then the store and the world agree in everything.

use crate::support::{Image, Lab};

/// A line that is typed, what makes the lab ready for it, and the names of the boundaries in it.
struct Scene {
    /// Run once, before the first of the scene.
    given: &'static [&'static str],
    /// Run before each, and once more at the end of the scene.
    before: &'static [&'static str],
    line: &'static str,
    /// Each a step and a moment.
    boundaries: &'static [(&'static str, &'static [&'static str])],
    /// The step after which it is made to fail, for its way back, if it has one.
    fails: Option<&'static str>,
}

const ACTS: &[&str] = &["before", "after"];
const TAKES_BACK: &[&str] = &["undo", "undone"];

fn play(scene: &Scene) {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    let disk = lab.disk();
    // Where the lab's own disk is meant.
    let line = |line: &str| line.replace('@', &disk);
    for given in scene.given {
        lab.run(given).ok();
    }
    let kill = |faults: &str| {
        for before in scene.before {
            // It may be so already: what was killed may have happened or not.
            let _ = lab.run(&line(before));
        }
        lab.agrees(&format!("before {faults}"));
        lab.run_with(&line(scene.line), &[("SISTEMO_FAULT", faults)])
            .was_killed();
        lab.agrees(&format!("{}, {faults}", scene.line));
        lab.disks_are_whole();
    };
    for (step, moments) in scene.boundaries {
        for moment in *moments {
            kill(&format!("kill:{step}:{moment}"));
        }
    }
    let Some(fails) = scene.fails else { return };
    let fault = format!("fail:{fails}:after");
    for (step, _) in scene.boundaries {
        for moment in TAKES_BACK {
            if *step == "reserve" {
                continue;
            }
            // While it is taken back by itself, and while the next command takes it back.
            kill(&format!("{fault},kill:{step}:{moment}"));
            for line in scene.before {
                let _ = lab.run(line);
            }
            let way_back = format!("kill:{step}:{moment}");
            lab.run_with(
                scene.line,
                &[("SISTEMO_FAULT", &format!("kill:{fails}:after"))],
            )
            .was_killed();
            lab.run_with("machine list", &[("SISTEMO_FAULT", &way_back)])
                .was_killed();
            lab.agrees(&format!("{}, recovery: {way_back}", scene.line));
        }
    }
}

#[test]
fn a_deploy_with_all_that_it_may_have() {
    play(&Scene {
        given: &[
            "volume create 8M --name data",
            "network create lab --subnet 172.20.0.0/24",
        ],
        before: &[],
        line: "machine deploy tiny --name a --network lab --attach data --expose 8080:80 --expose 53:53/udp \
               --bandwidth 100 --iops 1000 --no-wait",
        boundaries: &[
            ("reserve", &["after"]),
            ("clone-root", ACTS),
            ("write-initramfs", ACTS),
            ("attach-network", ACTS),
            ("launch", ACTS),
            ("await-guest", ACTS),
        ],
        fails: Some("await-guest"),
    });
}

#[test]
fn a_deploy_of_a_kept_volume() {
    play(&Scene {
        given: &[
            "machine deploy tiny --name old --no-wait",
            "machine delete old -y --preserve-storage",
        ],
        before: &["machine delete a -y --preserve-storage"],
        line: "machine deploy --volume old-root --name a --no-wait",
        boundaries: &[
            ("reserve", &["after"]),
            ("clone-root", ACTS),
            ("launch", ACTS),
        ],
        fails: Some("launch"),
    });
}

#[test]
fn a_start() {
    play(&Scene {
        given: &["machine deploy tiny --name a --expose 8080:80 --no-wait"],
        before: &["machine stop a --force"],
        line: "machine start a --no-wait",
        boundaries: &[
            ("write-initramfs", ACTS),
            ("attach-network", ACTS),
            ("launch", ACTS),
            ("await-guest", ACTS),
        ],
        fails: Some("await-guest"),
    });
}

#[test]
fn a_pause_and_a_resume() {
    let given = &["machine deploy tiny --name a"];
    play(&Scene {
        given,
        before: &["machine resume a"],
        line: "machine pause a",
        boundaries: &[("pause-guest", ACTS)],
        fails: Some("pause-guest"),
    });
    play(&Scene {
        given,
        before: &["machine pause a"],
        line: "machine resume a",
        boundaries: &[("resume-guest", ACTS)],
        fails: Some("resume-guest"),
    });
}

#[test]
fn a_snapshot() {
    let given = &["machine deploy tiny --name a"];
    play(&Scene {
        given,
        before: &["machine snapshot delete a s -y"],
        line: "machine snapshot create a s",
        boundaries: &[
            ("pause-guest", ACTS),
            ("take-snapshot", ACTS),
            ("resume-guest", ACTS),
            ("keep-snapshot", ACTS),
        ],
        fails: Some("keep-snapshot"),
    });
    play(&Scene {
        given,
        before: &["machine snapshot create a s"],
        line: "machine snapshot delete a s -y",
        boundaries: &[("snapshot-delete", ACTS)],
        fails: None,
    });
}

#[test]
fn a_restore() {
    let given = &[
        "volume create 8M --name data",
        "machine deploy tiny --name a --attach data --expose 8080:80",
        "machine snapshot create a s",
    ];
    let before = &["machine start a --no-wait"];
    let line = "machine snapshot restore a s -y";
    play(&Scene {
        given,
        before,
        line,
        boundaries: &[
            ("stage-disks", ACTS),
            ("kill", ACTS),
            ("detach-network", ACTS),
            ("swap-disks", ACTS),
            ("meet-guest", ACTS),
            ("launch", ACTS),
            ("renew-guest", ACTS),
            ("attach-network", ACTS),
            ("drop-old-disks", ACTS),
        ],
        fails: None,
    });
    play(&Scene {
        given,
        before,
        line,
        // On the way back alone.
        boundaries: &[("stage-disks", &[]), ("swap-disks", &[]), ("launch", &[])],
        fails: Some("await-guest"),
    });
}

#[test]
fn a_fork() {
    play(&Scene {
        given: &[
            "volume create 8M --name data",
            "machine deploy tiny --name a --attach data",
        ],
        before: &["machine delete b -y"],
        line: "machine fork a b --expose 8080:80 --no-wait",
        boundaries: &[
            ("take-snapshot", ACTS),
            ("reserve", &["after"]),
            ("clone-root", ACTS),
            ("write-initramfs", ACTS),
            ("meet-guest", ACTS),
            ("launch", ACTS),
            ("renew-guest", ACTS),
            ("attach-network", ACTS),
            ("snapshot-delete", ACTS),
        ],
        fails: None,
    });
}

#[test]
fn a_deploy_of_a_snapshot() {
    play(&Scene {
        given: &[
            "machine deploy tiny --name a",
            "machine snapshot create a s",
            "machine stop a --force",
        ],
        before: &["machine delete b -y"],
        line: "machine deploy --from-snapshot a/s --name b --no-wait",
        boundaries: &[
            ("reserve", &["after"]),
            ("clone-root", ACTS),
            ("meet-guest", ACTS),
            ("launch", ACTS),
            ("renew-guest", ACTS),
            ("attach-network", ACTS),
        ],
        fails: Some("attach-network"),
    });
}

#[test]
fn a_stop_and_a_restart() {
    for line in ["machine stop a --force", "machine restart a --force"] {
        play(&Scene {
            given: &["machine deploy tiny --name a --expose 8080:80 --no-wait"],
            before: &["machine start a --no-wait"],
            line,
            boundaries: &[
                ("power-off", ACTS),
                ("kill", ACTS),
                ("detach-network", ACTS),
            ],
            fails: None,
        });
    }
}

#[test]
fn a_delete() {
    play(&Scene {
        given: &["volume create 8M --name data"],
        before: &["machine deploy tiny --name a --attach data --expose 8080:80 --no-wait"],
        line: "machine delete a -y",
        boundaries: &[
            ("kill", ACTS),
            ("detach-network", ACTS),
            ("remove-snapshots", ACTS),
            ("remove-volumes", ACTS),
            ("remove-files", ACTS),
        ],
        fails: None,
    });
}

#[test]
fn ports_that_come_and_go() {
    let given = &["machine deploy tiny --name a --expose 9090:90 --no-wait"];
    play(&Scene {
        given,
        before: &["machine unexpose a --port 8080"],
        line: "machine expose a --port 8080:80",
        boundaries: &[("expose", &["before", "between", "after"])],
        fails: None,
    });
    play(&Scene {
        given,
        before: &["machine expose a --port 9090:90"],
        line: "machine expose a --port 9090:91",
        boundaries: &[("expose", &["before", "between", "after"])],
        fails: None,
    });
    play(&Scene {
        given,
        before: &["machine expose a --port 8080:80"],
        line: "machine unexpose a --port 8080",
        boundaries: &[("unexpose", &["before", "between", "after"])],
        fails: None,
    });
}

#[test]
fn the_end_of_a_network() {
    play(&Scene {
        given: &[],
        before: &[
            "network create lab --subnet 172.20.0.0/24",
            "machine deploy tiny --name a --network lab --no-wait",
            "machine delete a -y",
        ],
        line: "network delete lab",
        boundaries: &[("network-delete", ACTS)],
        fails: None,
    });
}

#[test]
fn a_network_that_is_made() {
    play(&Scene {
        given: &[],
        before: &["network delete lab"],
        line: "network create lab",
        boundaries: &[("network-create", ACTS)],
        fails: None,
    });
}

#[test]
fn volumes_that_change_hands_and_names() {
    let given = &[
        "volume create 8M --name data",
        "machine deploy tiny --name a --no-wait",
        "machine stop a --force",
    ];
    play(&Scene {
        given,
        before: &["machine volume detach a data"],
        line: "machine volume attach a data",
        boundaries: &[("volume-attach", ACTS)],
        fails: None,
    });
    play(&Scene {
        given,
        before: &["machine volume attach a data"],
        line: "machine volume detach a data",
        boundaries: &[("volume-detach", ACTS)],
        fails: None,
    });
    play(&Scene {
        given,
        before: &["volume rename photos data"],
        line: "volume rename data photos",
        boundaries: &[("volume-rename", ACTS)],
        fails: None,
    });
}

#[test]
fn images_that_come_and_go() {
    let boundaries = &[("image-keep", &["before", "between", "after"] as &[_])];
    for line in ["image import @ --name x", "image pull @"] {
        play(&Scene {
            given: &[],
            before: &["image delete x -y", "image delete @ -y"],
            line,
            boundaries,
            fails: None,
        });
    }
    play(&Scene {
        given: &[],
        before: &["image import @ --name x"],
        line: "image delete x -y",
        boundaries: &[("image-delete", &["before", "between"])],
        fails: None,
    });
}

#[test]
fn volumes_that_are_made_grown_and_deleted() {
    play(&Scene {
        given: &[],
        before: &["volume delete v -y"],
        line: "volume create 8M --name v",
        boundaries: &[("volume-create", ACTS)],
        fails: None,
    });
    play(&Scene {
        given: &[],
        before: &["volume delete v -y", "volume create 8M --name v"],
        line: "volume resize v 64M",
        boundaries: &[("volume-resize", ACTS)],
        fails: None,
    });
    play(&Scene {
        given: &[],
        before: &["volume create 8M --name v"],
        line: "volume delete v -y",
        boundaries: &[("volume-delete", ACTS)],
        fails: None,
    });
}

#[test]
fn a_new_name() {
    play(&Scene {
        given: &["machine deploy tiny --name a --no-wait"],
        before: &["machine rename b a"],
        line: "machine rename a b",
        boundaries: &[("rename", ACTS)],
        fails: None,
    });
}

/// Otherwise all of the above could pass for nothing.
#[test]
fn the_auditor_sees_what_is_too_much_and_what_is_missing() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    lab.run("machine deploy tiny --name a --expose 8080:80 --no-wait")
        .ok();
    lab.agrees("a deploy");
    let port = format!("veth-{}", &lab.field("a", "id")[..8]);
    let stray = lab.data_dir().join("volumes/stray.ext4");
    let disk = lab.volume("a-root")["path"].as_str().unwrap().to_owned();
    let sees = |what: &str, wrong: &dyn Fn(), right: &dyn Fn()| {
        wrong();
        let seen = lab.differences();
        assert!(
            seen.iter().any(|line| line.contains(what)),
            "{what}: {seen:?}"
        );
        right();
        assert_eq!(lab.differences(), [""; 0], "{what}");
    };
    let inside = |line: &str| drop(lab.inside(line));
    sees(
        "extra: link veth-deadbeef",
        &|| inside("ip link add veth-deadbeef type bridge"),
        &|| inside("ip link delete veth-deadbeef"),
    );
    sees(
        "missing: element published_as tcp 8080 80",
        &|| inside("nft delete element inet sistemo published_as { tcp . 8080 }"),
        &|| inside("nft add element inet sistemo published_as { tcp . 8080 : 80 }"),
    );
    sees(
        "extra: element ports",
        &|| inside("nft add element bridge sistemo ports { \"veth-x\" }"),
        &|| inside("nft delete element bridge sistemo ports { \"veth-x\" }"),
    );
    sees(
        &format!("missing: link {port} on sistemo0"),
        &|| inside(&format!("ip link set {port} nomaster")),
        &|| inside(&format!("ip link set {port} master sistemo0")),
    );
    sees(
        "stray.ext4",
        &|| std::fs::write(&stray, "").unwrap(),
        &|| std::fs::remove_file(&stray).unwrap(),
    );
    sees(
        "machine a that is stopping",
        &|| lab.store("UPDATE machines SET status = 'stopping'"),
        &|| lab.store("UPDATE machines SET status = 'running'"),
    );
    sees(
        "extra: unfinished ports of a",
        &|| lab.store("UPDATE machines SET unsettled = 1"),
        &|| lab.store("UPDATE machines SET unsettled = 0"),
    );
    lab.run("machine stop a --force").ok();
    let file = std::fs::OpenOptions::new().write(true).open(&disk).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 4096], 4096).unwrap();
    assert!(!lab.damaged_disks().is_empty());
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
