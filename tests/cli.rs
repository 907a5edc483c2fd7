//! What users see: help, tables, details and JSON. A change of wording is a change of a snapshot.

use insta::Settings;

use crate::support::{Image, Lab};

/// Replaces what differs from run to run.
pub fn filters(lab: &Lab) -> Settings {
    let mut settings = Settings::clone_current();
    let data = lab.data_dir().display().to_string();
    for (pattern, word) in [
        (data.as_str(), "DATA"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r#""pid": \d+"#, r#""pid": "PID""#),
        (r"pid \d+", "pid PID"),
        (r"sistemo-[0-9a-f]{8}\b", "NAMESPACE"),
        (r"sha256:[0-9a-f]+", "DIGEST"),
        (r#""used_bytes": \d+"#, r#""used_bytes": "BYTES""#),
        (r"[\d.]+ [KM]iB used", "SIZE used"),
        // What of the tiny root disk is written by now.
        (r"\b2\.\d MiB", "SIZE"),
        (r"(?m)\b\d+[smh]$", "AGE"),
        (r"\b(kvm|tcg)\b", "ACCELERATOR"),
    ] {
        settings.add_filter(pattern, word);
    }
    settings
}

#[test]
fn an_empty_host() {
    let lab = Lab::bare();
    let lines = ["machine list", "volume list", "image list"];
    let said = lines.map(|line| format!("$ sistemo {line}\n{}", lab.run(line).ok()));
    insta::assert_snapshot!("empty", said.join(""));
    for line in lines {
        assert_eq!(lab.run(&format!("{line} -o json")).ok(), "[]\n", "{line}");
    }
}

#[test]
fn a_machine_in_tables_details_and_json() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let _filters = filters(&lab).bind_to_scope();
    let web = lab.run(&format!("machine deploy {tiny} --name web"));
    insta::assert_snapshot!("deploy_progress", web.stderr);
    insta::assert_snapshot!("deploy", web.ok());
    let idle = lab.run(&format!(
        "machine deploy {tiny} --name idle --no-wait -o json"
    ));
    insta::assert_snapshot!("deploy_json", idle.ok());
    insta::assert_snapshot!(
        "stop_json",
        lab.run("machine stop idle --force -o json").ok()
    );
    insta::assert_snapshot!("list", lab.run("machine list").ok());
    insta::assert_snapshot!("list_json", lab.run("machine list -o json").ok());
    insta::assert_snapshot!("status", lab.run("machine status web").ok());
    insta::assert_snapshot!("status_json", lab.run("machine status web -o json").ok());
    insta::assert_snapshot!("volume_list", lab.run("volume list").ok());
    insta::assert_snapshot!("volume_show", lab.run("volume show web-root").ok());
    insta::assert_snapshot!(
        "volume_show_json",
        lab.run("volume show web-root -o json").ok()
    );
    insta::assert_snapshot!("delete", lab.run("machine delete web -y").ok());
    insta::assert_snapshot!(
        "delete_json",
        lab.run("machine delete idle -y -o json").ok()
    );
    lab.has_nothing_left();
}

#[test]
fn errors_as_a_person_reads_them() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_MAX_MEMORY", "1G");
    let tiny = lab.image(Image::Tiny);
    let mut text = String::new();
    for line in [
        "machine status nosuch",
        "machine deploy nosuch --name Web",
        "machine deploy debian --memory lots",
        "machine deploy debian --memory 1M",
        "machine deploy debian --storage 99999999G",
    ] {
        let done = lab.run(line);
        text += &format!(
            "$ sistemo {line}\n{}[{}]\n\n",
            done.stderr,
            done.status.code().unwrap()
        );
    }
    for fault in ["fail:attach-network:before", "fail:launch:before"] {
        let line = format!("machine deploy {tiny} --name web --no-wait");
        let done = lab.run_with(&line, &[("SISTEMO_FAULT", fault)]);
        text += &format!("$ SISTEMO_FAULT={fault} sistemo {line}\n{}\n", done.stderr);
    }
    let _filters = filters(&lab).bind_to_scope();
    insta::assert_snapshot!("errors", text);
}

#[test]
fn a_closed_stderr_changes_no_exit_status() {
    let lab = Lab::bare();
    for line in ["machine status nosuch", "machine status nosuch -o json"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = lab.command(line, &[("SISTEMO_LOG", "trace")]);
        let status = command.stderr(writer).status().unwrap();
        assert_eq!(status.code(), Some(3), "{line}: {status}");
    }
}

#[test]
fn what_was_done_and_what_is_set() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run("volume create 16M --name data").ok();
    lab.run(&format!(
        "machine deploy {tiny} --name web --no-wait --attach data:/srv --expose 8080:80 --expose 53/udp"
    ))
    .ok();
    lab.run("machine expose web --port 8081:80").ok();
    lab.run("config set default_memory 1G").ok();
    let mut filters = filters(&lab);
    filters.add_filter(r"\d+\.\ds\b", "TOOK");
    filters.add_filter(r#""duration_ms": \d+"#, r#""duration_ms": "MS""#);
    // The lab's own settings, and columns as wide as its paths.
    filters.add_filter(r"/run/netns/\S+", "NAMESPACE");
    filters.add_filter(r" {2,}", "  ");
    let _filters = filters.bind_to_scope();
    insta::assert_snapshot!("list_ports", lab.run("machine list").ok());
    insta::assert_snapshot!("status_ports", lab.run("machine status web").ok());
    lab.run("machine delete web -y").ok();
    lab.run("volume delete data -y").ok();
    insta::assert_snapshot!("history", lab.run("history").ok());
    let web = lab.run("history --machine web --limit 1 -o json");
    insta::assert_snapshot!("history_json", web.ok());
    insta::assert_snapshot!("config", lab.run("config").ok());
    lab.has_nothing_left();
}

#[test]
fn a_shell_is_offered_the_names_that_fit() {
    let lab = Lab::bare();
    for name in ["data", "dates", "photos"] {
        lab.run(&format!("volume create 16M --name {name}")).ok();
    }
    let offered = |line: &str| {
        let words = line.split(' ').count();
        let index = (words - 1).to_string();
        let variables = [
            ("SISTEMO_COMPLETE", "bash"),
            ("_CLAP_COMPLETE_INDEX", index.as_str()),
            ("_CLAP_IFS", "\n"),
        ];
        lab.run_with(&format!("-- {line}''"), &variables).ok()
    };
    assert_eq!(offered("sistemo volume show da"), "data\ndates");
    assert!(offered("sistemo config set default_m").contains("default_memory"));
    assert!(offered("sistemo machine deploy deb").contains("debian"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lab.run(&format!("completion {shell}")).ok();
        assert!(script.contains("SISTEMO_COMPLETE"), "{shell}: {script}");
    }
    assert!(lab.run("man").ok().contains(".SH SYNOPSIS"));
    lab.run("volume delete data dates photos -y").ok();
    lab.has_nothing_left();
}

#[test]
fn networks_images_and_volumes_in_tables_details_and_json() {
    let lab = Lab::bare();
    lab.image(Image::Tiny);
    let mut filters = filters(&lab);
    filters.add_filter(r"(?m)\b[0-9a-f]{12}\b", "DIGEST");
    filters.add_filter(r"[\d.]+ (KiB|MiB|B)\b", "SIZE");
    filters.add_filter(r#""(size_bytes|used_bytes)": \d+"#, r#""$1": "BYTES""#);
    filters.add_filter(r"sha256-[0-9a-f]+", "sha256-DIGEST");
    filters.add_filter(r#"file /[^\s"]+"#, "file FILE");
    filters.add_filter(r"(\S) {2,}", "$1  ");
    let _filters = filters.bind_to_scope();
    let mut text = String::new();
    for line in [
        "network create lab --subnet 172.20.0.0/24",
        "network create more --subnet 172.21.0.0/24 -o json",
        "network list",
        "network list -o json",
        "network show lab",
        "network show lab -o json",
        "network delete lab -o json",
        "network delete more",
    ] {
        text += &session(&lab, line);
    }
    insta::assert_snapshot!("networks", text);
    let mut text = String::new();
    for line in [
        "image list",
        "image list -o json",
        "image show tiny",
        "image show tiny -o json",
        "image delete tiny -y -o json",
    ] {
        text += &session(&lab, line);
    }
    insta::assert_snapshot!("images", text);
    let mut text = String::new();
    for line in [
        "volume create 16M --name data -o json",
        "volume resize data 64M -o json",
        "volume rename data photos -o json",
        "volume list -o json",
        "volume delete photos -y -o json",
    ] {
        text += &session(&lab, line);
    }
    insta::assert_snapshot!("volumes", text);
    lab.has_nothing_left();
}

/// A line and what it prints.
fn session(lab: &Lab, line: &str) -> String {
    format!("$ sistemo {line}\n{}\n", lab.run(line).ok())
}

#[test]
fn settings_the_daemon_and_the_host_in_json() {
    let lab = Lab::bare();
    let mut filters = filters(&lab);
    filters.add_filter(r"/run/netns/[^\s\x22]+", "NAMESPACE");
    filters.add_filter(r#""duration_ms": \d+"#, r#""duration_ms": MS"#);
    // Another test's daemon may have the usual port.
    filters.add_filter(r#""url": (null|"[^"]*")"#, r#""url": URL"#);
    let _filters = filters.bind_to_scope();
    let mut text = String::new();
    for line in [
        "config set iops 500 -o json",
        "config unset iops -o json",
        "config path -o json",
        "config show -o json",
        "up --detach -o json",
        "down -o json",
        "down -o json",
        "history -o json",
        "history --json",
    ] {
        text += &session(&lab, line);
    }
    insta::assert_snapshot!("settings_json", text);
    // What is found differs from host to host, not what is looked at and how it is said.
    let done = lab.run("doctor -o json");
    let checks: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let checks = checks.as_array().unwrap();
    for check in checks {
        let keys: Vec<_> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["check", "hint", "message", "ok"]);
        assert!(check["ok"] == true || check["hint"].is_string(), "{check}");
    }
    let failed = checks.iter().any(|check| check["ok"] == false);
    assert_eq!(done.status.code(), Some(i32::from(failed)));
    let names: Vec<_> = checks.iter().map(|check| &check["check"]).collect();
    insta::assert_json_snapshot!("doctor_checks", names);
    lab.has_nothing_left();
}

#[test]
fn whatever_changes_a_machine_shows_it_as_its_status_does() {
    let lab = Lab::new();
    lab.image(Image::Tiny);
    lab.run("volume create 16M --name data").ok();
    lab.run("machine deploy tiny --name web --no-wait").ok();
    lab.run("machine stop web --force").ok();
    let shown = lab.run("machine volume attach web data -o json").json();
    assert_eq!(shown, lab.volume("data"));
    for line in [
        "machine start web --no-wait",
        "machine expose web --port 8080:80",
        "machine unexpose web --port 8080:80",
        "machine restart web --force",
        "machine stop web --force",
    ] {
        let shown = lab.run(&format!("{line} -o json")).json();
        lab.is_as_status(shown, line);
    }
    let shown = lab.run("machine volume detach web data -o json").json();
    assert_eq!(shown, lab.volume("data"));
    lab.run("machine delete web -y").ok();
    lab.run("volume delete data -y").ok();
    lab.has_nothing_left();
}
