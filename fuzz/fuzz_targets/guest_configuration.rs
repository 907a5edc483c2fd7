//! A machine's configuration as its guest reads it: much of it is what an image's maker wrote. Whatever it says, PID 1
//! does not panic, and what it makes of it is well-formed.
//!
//! The input is the configuration and the image's `/etc/hosts`, `/etc/passwd`, `/etc/group` and `/etc/environment`, each
//! after a byte that is no UTF-8.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sistemo::guest::words::Config;
use sistemo_fuzz::disks::Found;
use sistemo_fuzz::{accounts, disks, environment, identity};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0xff);
    let json = parts.next().unwrap_or_default();
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default());
    let (hosts, passwd, group, variables) = (text(), text(), text(), text());
    let Ok(config) = serde_json::from_slice::<Config>(json) else {
        return;
    };
    let written = serde_json::to_vec(&config).expect("JSON");
    let again: Config = serde_json::from_slice(&written).expect("what was written");
    assert_eq!(again, config);

    let file = identity::hosts_file(&hosts, &config);
    assert_eq!(identity::hosts_file(&file, &config), file, "written twice");
    if let Some(network) = &config.network {
        identity::resolver(network);
        identity::networkd(network);
        identity::network_manager(network);
    }
    let there: Vec<Found> = ["vda", "vdb"]
        .map(|name| Found {
            name: name.into(),
            serial: config.root.serial.chars().take(20).collect(),
        })
        .into();
    for disk in config.volumes.iter().map(|volume| &volume.disk) {
        let chosen = disks::choose(disk, &there);
        assert!(chosen.is_none_or(|name| name == "vda" || name == "vdb"));
    }
    let Some(wanted) = &config.command else {
        return;
    };
    for (name, value) in environment::of_application(&wanted.env, Path::new("/root")) {
        let name_is_one = !name.is_empty() && !name.contains(['=', '\0']);
        assert!(name_is_one && !value.contains('\0'), "{name:?}={value:?}");
    }
    let Ok(user) = accounts::resolve_in(&wanted.user, &passwd, &group) else {
        return;
    };
    assert!(user.groups.contains(&user.gid), "{user:?}");
    if let Ok(Some(account)) = accounts::find(&user.name) {
        environment::of_account(&account, Path::new("/bin/sh"), &variables, &wanted.env);
    }
});
