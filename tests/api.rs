//! The API of the daemon, with real machines behind it.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Api, Image, Lab, place};

#[test]
fn a_machine_lives_its_life_through_the_api() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let api = Api::of(&lab);
    // Somebody else looks on.
    let mut changes = api.follow("/events");
    assert_eq!(changes.next().unwrap().0, "ready");

    // Asked for twice, deployed once, and followed to its end.
    let body = json!({"image": tiny, "name": "web", "memory": "192M"});
    let key = ["Idempotency-Key: 3f0c"];
    let (status, begun) = api.ask("POST", "/machines", Some(&body), &key);
    assert_eq!(
        (status, &begun["state"]),
        (202, &json!("running")),
        "{begun}"
    );
    let (_, again) = api.ask("POST", "/machines", Some(&body), &key);
    assert_eq!(again["id"], begun["id"]);
    let events: Vec<_> = api.follow(&format!("{}/events", place(&begun))).collect();
    let steps = events.iter().filter(|(name, _)| name == "step");
    assert!(steps.count() >= 3, "{events:?}");
    let (name, done) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &done["state"]),
        ("done", &json!("done")),
        "{done}"
    );
    let machine = &done["result"];
    assert_eq!(machine["status"], "running");
    lab.is_as_status(machine.clone(), "deployed through the API");
    let (name, created) = changes.next().unwrap();
    assert_eq!(
        (name.as_str(), &created["change"]),
        ("machine", &json!("created"))
    );
    assert_eq!(created["id"], machine["id"]);

    // Commands, with their outputs apart.
    let body = json!({"command": "echo out; cat; echo err >&2; exit 3", "stdin": "in\n", "env": {"A": "b"}});
    let (status, ran) = api.ask("POST", "/machines/web/exec", Some(&body), &[]);
    assert_eq!((status, &ran["exit_status"]), (200, &json!(3)), "{ran}");
    assert_eq!(
        (&ran["stdout"]["data"], &ran["stderr"]["data"]),
        (&json!("out\nin\n"), &json!("err\n"))
    );
    let body = json!({"command": ["sleep", "600"], "timeout": 1});
    let (_, ran) = api.ask("POST", "/machines/web/exec", Some(&body), &[]);
    assert_eq!(
        (&ran["timed_out"], &ran["exit_status"]),
        (&json!(true), &Value::Null)
    );

    // Files go there and come back as they were.
    let (here, back) = (lab.folder().join("here"), lab.folder().join("back"));
    let bytes: Vec<u8> = (0..5u32 << 20)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    std::fs::write(&here, &bytes).unwrap();
    assert_eq!(api.write("web", "/root/there", &here), 200);
    assert_eq!(api.read("web", "/root/there", &back), 200);
    assert!(std::fs::read(&back).unwrap() == bytes);
    assert_eq!(api.read("web", "/root", &back), 400, "a folder");
    assert_eq!(api.read("web", "/root/nothing", &back), 404);

    // What it says and what it takes.
    let log = api.text("/machines/web/logs");
    assert!(log.contains("Linux version"), "{log}");
    let last = api.text("/machines/web/logs?tail=1&timestamps=true");
    assert_eq!(last.lines().count(), 1, "{last}");
    let (name, line) = api.follow("/machines/web/logs?follow=true").next().unwrap();
    assert_eq!(name, "line");
    assert!(
        line["time"].is_string() && line["line"].is_string(),
        "{line}"
    );
    let stats = api.get("/machines/web/stats");
    assert!(
        stats["cpu_percent"].is_number() && stats["memory_bytes"].is_number(),
        "{stats}"
    );

    // Names, ports, volumes and its end.
    api.does(
        "POST",
        "/volumes",
        Some(&json!({"size": "8M", "name": "data"})),
    );
    let exposed = api.does(
        "POST",
        "/machines/web/expose",
        Some(&json!({"port": "8080:80"})),
    );
    assert_eq!(exposed["ports"][0]["host_port"], 8080);
    let (status, renamed) = api.ask(
        "POST",
        "/machines/web/rename",
        Some(&json!({"name": "site"})),
        &[],
    );
    assert_eq!((status, &renamed["name"]), (200, &json!("site")));
    let (_, refused) = api.ask(
        "POST",
        "/machines/site/volumes/attach?wait=60",
        Some(&json!({"volume": "data"})),
        &[],
    );
    assert_eq!(refused["problem"]["status"], 409, "{refused}");
    assert_eq!(
        api.does("POST", "/machines/site/stop", None)["status"],
        "stopped"
    );
    let (status, refused) = api.ask(
        "POST",
        "/machines/site/exec",
        Some(&json!({"command": "true"})),
        &[],
    );
    assert_eq!((status, &refused["code"]), (409, &json!("refused")));
    let attached = api.does(
        "POST",
        "/machines/site/volumes/attach",
        Some(&json!({"volume": "data"})),
    );
    assert_eq!(attached["mount_path"], "/mnt/data");
    assert_eq!(
        api.does("POST", "/machines/site/start", None)["status"],
        "running"
    );
    let gone = api.does("DELETE", "/machines/site", None);
    assert_eq!(gone, json!({"id": machine["id"], "name": "site"}));
    let told = changes.find(|(name, change)| name == "machine" && change["change"] == "deleted");
    assert_eq!(told.unwrap().1["id"], machine["id"]);
    assert_eq!(api.get("/machines"), json!([]));
    api.does("DELETE", "/volumes/data", None);
    drop((changes, api));
    lab.has_nothing_left();
}

#[test]
fn what_is_taken_back_leaves_nothing() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let api = Api::of(&lab);
    let body = json!({"image": tiny, "name": "web"});
    // By whoever asked, in the middle of the boot.
    let (_, begun) = api.ask("POST", "/machines", Some(&body), &[]);
    let mut events = api.follow(&format!("{}/events", place(&begun)));
    assert!(events.any(|(name, data)| {
        name == "step"
            && data["step"]
                .as_str()
                .unwrap()
                .contains("waiting for the guest")
    }));
    let (status, _) = api.ask("DELETE", &place(&begun), None, &[]);
    assert_eq!(status, 202);
    let ended = api.ended(&begun);
    assert_eq!(
        (&ended["state"], &ended["problem"]["code"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    assert_eq!(api.get("/machines?all=true"), json!([]));
    assert_eq!(api.get("/volumes"), json!([]));
    assert!(lab.nothing_runs_but_the_daemon());

    // By the daemon's end.
    let (_, begun) = api.ask("POST", "/machines", Some(&body), &[]);
    let mut events = api.follow(&format!("{}/events", place(&begun)));
    assert!(events.any(|(name, _)| name == "step"));
    drop(api);
    lab.has_nothing_left();
}

/// The document says what the daemon does: schemathesis(1) makes requests of it, good ones and bad ones, and holds every
/// answer against it.
///
/// Not asked for are what changes this computer (`setUp`, `installService`, `removeService`), what takes as long as it
/// likes (`followChanges`, `followOperation`), and of the checks those that cannot hold: `positive_data_acceptance`, since a
/// schema cannot say that a name is free or that two fields exclude each other, and `ignored_auth`, since whoever is wrong
/// too often is told to wait (429); that no route is open is a test of the server's.
#[test]
fn the_document_is_kept() {
    let lab = Lab::new();
    lab.run("volume create 8M --name photos").ok();
    // A folder without builders: they would try for minutes to reach a network that there is not.
    let api = Api::with_path(&lab, Some("/usr/sbin:/sbin"));
    let program = std::env::var_os("SCHEMATHESIS").unwrap_or_else(|| "schemathesis".into());
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", &lab.namespace])
        .arg(&program)
        .args([
            "run",
            "http://localhost:7777/api/v1/openapi.json",
            "--header",
            &api.header(),
        ])
        .args(["--checks", "all"])
        .args(["--exclude-checks", "positive_data_acceptance,ignored_auth"])
        .args([
            "--max-examples",
            "20",
            "--seed",
            "7777",
            "--request-timeout",
            "75",
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--continue-on-failure",
            "--no-color",
        ])
        .current_dir(lab.folder());
    for id in [
        "setUp",
        "installService",
        "removeService",
        "followChanges",
        "followOperation",
    ] {
        command.args(["--exclude-operation-id", id]);
    }
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{said}{complaint}\n(it is installed by: pip install schemathesis, or as .ci/run does; SCHEMATHESIS says where)"
    );
    assert!(said.contains("Tested: "), "{said}");
}
