//! Several commands at once.

use std::collections::BTreeSet;

use crate::support::{Image, Lab};

#[test]
fn commands_that_want_the_same_machine_queue() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    let lines = [
        "machine restart a --force",
        "machine stop a --force",
        "machine start a --no-wait",
        "machine stop a --force",
        "machine start a --no-wait",
    ];
    let going: Vec<_> = lines
        .iter()
        .map(|line| lab.start(line, &[], Vec::new()))
        .collect();
    for command in going {
        command.wait().ok();
    }
    let status = lab.field("a", "status");
    assert!(
        ["running", "stopped"].contains(&status.as_str()),
        "{status}"
    );
    // Two deletes at once: one does it, the other finds nothing to do.
    let both = [0, 1].map(|_| lab.start("machine delete a -y", &[], Vec::new()));
    let mut codes = both.map(|command| command.wait().status.code());
    codes.sort();
    assert_eq!(codes, [Some(0), Some(3)]);
    lab.has_nothing_left();
}

#[test]
fn deploys_at_once_get_names_and_addresses_of_their_own() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_DEFAULT_MEMORY", "128M");
    let tiny = lab.image(Image::Tiny);
    let line = format!("machine deploy {tiny} --no-wait -o json");
    let going: Vec<_> = (0..10).map(|_| lab.start(&line, &[], Vec::new())).collect();
    let made: Vec<_> = going
        .into_iter()
        .map(|deploy| deploy.wait().json())
        .collect();
    for key in ["id", "name", "ip", "mac", "namespace"] {
        let different: BTreeSet<_> = made
            .iter()
            .map(|machine| machine[key].to_string())
            .collect();
        assert_eq!(different.len(), 10, "{key}: {different:?}");
    }
    assert_eq!(
        lab.run("machine list -o json")
            .json()
            .as_array()
            .unwrap()
            .len(),
        10
    );
    let names: Vec<_> = made
        .iter()
        .map(|machine| machine["name"].as_str().unwrap())
        .collect();
    lab.run(&format!("machine delete -y {}", names.join(" ")))
        .ok();
    lab.has_nothing_left();
}

#[test]
fn of_deploys_of_one_name_at_once_one_wins() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let line = format!("machine deploy {tiny} --name a --no-wait");
    let going = [0; 4].map(|_| lab.start(&line, &[], Vec::new()));
    let mut codes = going.map(|deploy| deploy.wait().status.code());
    codes.sort();
    assert_eq!(codes, [Some(0), Some(4), Some(4), Some(4)]);
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
