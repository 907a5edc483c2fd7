//! The daemon: what it notices by itself, and that machines do not need it.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Image, Lab, gone};

/// How long anything may take on a computer that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(170);

/// Waits until a machine is in a state; the daemon is told by nobody, so neither is the test.
#[track_caller]
fn until(lab: &Lab, name: &str, wanted: &str) {
    let begun = Instant::now();
    let mut status = String::new();
    while begun.elapsed() < PATIENCE {
        // Out of the database: a command would notice by itself.
        status = lab.stored(name, "status");
        if status == wanted {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{name} is {status}, not {wanted}\n{}", lab.daemon_log());
}

fn kill_hypervisor(lab: &Lab, name: &str) {
    let pid: i32 = lab.stored(name, "pid").parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[test]
fn a_crash_is_noticed_at_once_and_machines_outlive_the_daemon() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name before"))
        .ok();
    let said = lab.run("up --detach").ok();
    assert!(said.starts_with("the daemon is up (pid "), "{said}");
    let said = lab.run("up --detach").fails(4);
    assert!(
        said.contains("watches over these machines already"),
        "{said}"
    );
    assert!(lab.run("up").fails(4).contains("sistemo down"));
    // One that was there, and one that somebody else deploys meanwhile.
    lab.run(&format!("machine deploy {tiny} --name after")).ok();
    for name in ["before", "after"] {
        kill_hypervisor(&lab, name);
        until(&lab, name, "failed");
    }
    // Their namespaces and rules have gone by themselves.
    let begun = Instant::now();
    while !lab.nothing_runs_but_the_daemon() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(lab.nothing_runs_but_the_daemon());

    lab.run("machine start before").ok();
    assert_eq!(
        lab.run("down").ok(),
        "the daemon is down; machines go on running\n"
    );
    assert_eq!(lab.run("down").ok(), "the daemon is not up\n");
    lab.run("machine exec before true").ok();
    lab.run("machine delete before after -y").ok();
    lab.has_nothing_left();
}

#[test]
fn what_is_to_run_is_started_again() {
    let mut lab = Lab::new();
    lab.set("SISTEMO_RECONCILE_INTERVAL", "1");
    let tiny = lab.image(Image::Tiny);
    lab.run("up --detach").ok();
    lab.run(&format!(
        "machine deploy {tiny} --name a --restart on-failure --expose 8080:80"
    ))
    .ok();
    let first = lab.stored("a", "pid");
    kill_hypervisor(&lab, "a");
    until(&lab, "a", "failed");
    until(&lab, "a", "running");
    assert_ne!(lab.stored("a", "pid"), first);

    // Rules that another program threw away are brought back.
    lab.inside("nft flush ruleset");
    let begun = Instant::now();
    while !lab.inside("nft list ruleset").contains("8080") {
        assert!(begun.elapsed() < PATIENCE, "{}", lab.daemon_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    // A guest that powers off has not failed.
    lab.run("machine exec a poweroff").ok();
    until(&lab, "a", "stopped");
    lab.run("down").ok();

    // The host restarts: what ran comes up again with the daemon.
    lab.run("machine start a").ok();
    kill_hypervisor(&lab, "a");
    lab.store("UPDATE machines SET boot_id = 'an-earlier-boot'");
    lab.run("up --detach").ok();
    until(&lab, "a", "running");
    lab.run("machine exec a true").ok();
    lab.run("down").ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

/// Waits until the daemon's log has `text` so many times.
#[track_caller]
fn until_logged(lab: &Lab, text: &str, times: usize) {
    let begun = Instant::now();
    while lab.daemon_log().matches(text).count() < times {
        assert!(begun.elapsed() < PATIENCE, "{text}:\n{}", lab.daemon_log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn settings_are_read_again_and_wrong_ones_change_nothing() {
    let lab = Lab::bare();
    let said = lab.run("up --detach -o json").json();
    let pid = said["pid"].as_i64().unwrap();
    let daemon = Pid::from_raw(i32::try_from(pid).unwrap());
    let file = lab.data_dir().join("config.toml");
    let log = lab.daemon_log();
    assert!(
        log.contains(" INFO  watching over machines machines=0"),
        "{log}"
    );

    kill(daemon, Signal::SIGHUP).unwrap();
    until_logged(&lab, "nothing has changed", 1);

    // The walk follows the new interval.
    std::fs::write(&file, "# mine\nreconcile_interval = 1\nstop_timeout = 5\n").unwrap();
    kill(daemon, Signal::SIGHUP).unwrap();
    let at = |line: usize| format!("({}:{line})", file.display());
    until_logged(
        &lab,
        &format!("reconcile_interval was 30 and is 1 now {}", at(2)),
        1,
    );
    until_logged(
        &lab,
        &format!("stop_timeout was 30 and is 5 now {}", at(3)),
        1,
    );

    // A file that is wrong is told with its line and the nearest right key, and the daemon lives.
    std::fs::write(&file, "\nstop_timeuot = 7\n").unwrap();
    kill(daemon, Signal::SIGHUP).unwrap();
    until_logged(&lab, "did you mean stop_timeout?", 1);
    let log = lab.daemon_log();
    assert!(
        log.contains("ERROR the settings stay as they were"),
        "{log}"
    );
    assert!(log.contains("config.toml:2"), "{log}");
    std::fs::write(&file, "= =\n").unwrap();
    kill(daemon, Signal::SIGHUP).unwrap();
    until_logged(&lab, "are not TOML", 1);

    // From what it has, not from what it was last told.
    std::fs::write(&file, "reconcile_interval = 1\nstop_timeout = 6\n").unwrap();
    kill(daemon, Signal::SIGHUP).unwrap();
    until_logged(&lab, "stop_timeout was 5 and is 6 now", 1);
    assert_eq!(lab.run("down -o json").json()["pid"], pid);
    assert_eq!(
        lab.run("down -o json").json()["pid"],
        serde_json::Value::Null
    );
    let log = lab.daemon_log();
    assert!(log.contains("ended; machines go on running"), "{log}");
    let history = lab.run("history -o json").json();
    let done: Vec<_> = history.as_array().unwrap().iter().collect();
    let done: Vec<_> = done
        .iter()
        .map(|row| format!("{} {}", row["target"], row["action"]))
        .collect();
    assert_eq!(done, ["\"daemon\" \"up\"", "\"daemon\" \"down\""]);
}

#[test]
fn how_much_is_logged_is_asked_for_by_flag_or_variable() {
    let mut lab = Lab::bare();
    lab.set("SISTEMO_RECONCILE_INTERVAL", "1");
    lab.run("up --detach --log-level debug").ok();
    until_logged(&lab, " DEBUG walked machines=0", 2);
    lab.run("down").ok();
    std::fs::remove_file(lab.data_dir().join("daemon.log")).unwrap();
    lab.set("SISTEMO_LOG", "error");
    lab.run("up --detach").ok();
    lab.run("down").ok();
    assert_eq!(lab.daemon_log(), "");
    let said = lab
        .run_with("up", &[("SISTEMO_LOG", "sistemo=loud")])
        .fails(2);
    assert!(
        said.contains("SISTEMO_LOG") && said.contains("debug"),
        "{said}"
    );
    assert!(lab.run("up --log-level loud").fails(2).contains("debug"));
}

/// As a service manager would: it is told that the daemon is ready and alive, the latter twice as often as it must be,
/// however seldom everything is walked; and the lines bear priorities when they go to the journal.
#[test]
fn a_service_manager_is_told_that_the_daemon_lives() {
    let lab = Lab::bare();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let notices = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let variables = [
        ("NOTIFY_SOCKET", socket.to_str().unwrap()),
        ("WATCHDOG_USEC", "400000"),
    ];
    let daemon = lab.start("up", &variables, Vec::new());
    let mut heard = String::new();
    let mut hear = |wanted: &str| {
        while !heard.contains(wanted) {
            let mut notice = [0; 512];
            let length = notices.recv(&mut notice).unwrap();
            heard += &String::from_utf8_lossy(&notice[..length]);
        }
        heard.clear();
    };
    hear("READY=1");
    let begun = Instant::now();
    for _ in 0..6 {
        hear("WATCHDOG=1");
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900), "every {:?}", took / 6);

    // One that does not get to run does not say that it is alive.
    let pid = Pid::from_raw(daemon.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    notices.set_nonblocking(true).unwrap();
    while notices.recv(&mut [0; 512]).is_ok() {}
    notices.set_nonblocking(false).unwrap();
    notices
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    assert!(notices.recv(&mut [0; 512]).is_err(), "it is stopped");
    kill(pid, Signal::SIGCONT).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut notice = [0; 512];
    let length = notices.recv(&mut notice).unwrap();
    assert!(String::from_utf8_lossy(&notice[..length]).contains("WATCHDOG=1"));

    kill(pid, Signal::SIGHUP).unwrap();
    let mut heard = String::new();
    while !heard.contains("RELOADING=1") || !heard.ends_with("READY=1\n") {
        let length = notices.recv(&mut notice).unwrap();
        heard += &String::from_utf8_lossy(&notice[..length]);
    }
    kill(pid, Signal::SIGTERM).unwrap();
    while !heard.contains("STOPPING=1") {
        let length = notices.recv(&mut notice).unwrap();
        heard += &String::from_utf8_lossy(&notice[..length]);
    }
    daemon.wait().ok();
}

#[test]
fn a_thousand_machines_are_not_too_many_for_what_a_shell_allows() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    let daemon = lab.run("up --detach -o json").json()["pid"].to_string();
    let attendant = lab.attendant().unwrap().to_string();
    for pid in [daemon, attendant] {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .unwrap();
        let numbers: Vec<&str> = line
            .split_whitespace()
            .filter(|word| word.parse::<u64>().is_ok())
            .collect();
        assert_eq!(numbers[0], numbers[1], "{line}");
    }
    lab.run("down").ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn whoever_gives_up_a_start_in_the_background_is_left_with_none() {
    let lab = Lab::bare();
    let begun = Instant::now();
    // Halted before it can say that it watches; where that was too late, once more.
    let (going, daemon) = loop {
        assert!(begun.elapsed() < PATIENCE, "{}", lab.daemon_log());
        let going = lab.start("up --detach", &[], Vec::new());
        let daemon = loop {
            let mut found = lab.processes().into_iter();
            match found.find(|pid| *pid != going.pid()) {
                Some(pid) => break pid,
                None => assert!(begun.elapsed() < PATIENCE, "{}", lab.daemon_log()),
            }
        };
        kill(Pid::from_raw(daemon), Signal::SIGSTOP).unwrap();
        if lab.daemon_log().contains("watching over") {
            kill(Pid::from_raw(daemon), Signal::SIGCONT).unwrap();
            going.wait().ok();
            lab.run("down").ok();
            std::fs::remove_file(lab.data_dir().join("daemon.log")).unwrap();
        } else {
            break (going, daemon);
        }
    };
    kill(Pid::from_raw(going.pid()), Signal::SIGINT).unwrap();
    kill(Pid::from_raw(daemon), Signal::SIGCONT).unwrap();
    going.wait().fails(130);
    gone(daemon);
    lab.run("down").ok();
    assert_eq!(lab.processes(), [0; 0]);
}

#[test]
fn without_systemd_there_is_no_service_but_its_unit_can_be_seen() {
    let lab = Lab::bare();
    if std::path::Path::new("/run/systemd/system").is_dir() {
        // This computer's own service is nothing to try things on.
        return;
    }
    for command in [
        "service install",
        "service install --no-start",
        "service remove",
    ] {
        let said = lab.run(command).fails(4);
        assert!(said.contains("is not run by systemd"), "{said}");
        assert!(
            said.contains("hint: start the daemon by hand: sistemo up --detach"),
            "{said}"
        );
    }
    let status = lab.run("service status -o json").json();
    assert_eq!(status["systemd"], false);
    assert_eq!(status["installed"], false);
    assert!(lab.run("service status").ok().contains("not installed"));
    assert!(!std::path::Path::new("/etc/systemd/system/sistemo.service").exists());
}

/// What systemd itself thinks of the unit.
#[test]
fn the_unit_is_right_to_systemd() {
    let lab = Lab::bare();
    let unit = lab.run("service install --print").ok();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sistemo.service");
    std::fs::write(&path, &unit).unwrap();
    let analyze = |words: &[&str]| {
        let done = std::process::Command::new("systemd-analyze")
            .args(words)
            .arg(&path)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (
            done.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    assert_eq!(analyze(&["verify"]), (true, String::new()));
    // Nothing that gives it mounts of its own; see the unit.
    for option in [
        "Protect",
        "PrivateTmp",
        "PrivateDevices",
        "ReadOnly",
        "ReadWrite",
        "Inaccessible",
        "BindPaths",
    ] {
        let has = unit
            .lines()
            .any(|line| !line.starts_with('#') && line.starts_with(option));
        assert!(!has, "{option}");
    }
    let (right, said) = analyze(&["security", "--offline=true", "--threshold=70"]);
    assert!(right, "{said}");
}

#[test]
fn a_restart_outlives_the_daemon_and_yields_to_whoever_stops_the_machine() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    for name in ["a", "b"] {
        lab.run(&format!(
            "machine deploy {tiny} --name {name} --restart always"
        ))
        .ok();
    }
    lab.run("up --detach --log-level debug").ok();
    // Both at once; then the daemon ends before it has started them again.
    for name in ["a", "b"] {
        kill_hypervisor(&lab, name);
    }
    for name in ["a", "b"] {
        until(&lab, name, "failed");
    }
    lab.run("down").ok();
    for name in ["a", "b"] {
        assert_ne!(lab.stored(name, "status"), "running");
        assert_eq!(lab.stored(name, "resume"), "1");
    }
    lab.run("up --detach --log-level debug").ok();
    for name in ["a", "b"] {
        until(&lab, name, "running");
        assert_eq!(lab.stored(name, "resume"), "0");
    }

    // Somebody stops it while it rests.
    let id = lab.field("b", "id");
    kill_hypervisor(&lab, "b");
    until(&lab, "b", "failed");
    lab.run("machine stop b").ok();
    until_logged(&lab, &format!("is not to come up any more machine={id}"), 1);
    assert_eq!(lab.stored("b", "status"), "stopped");
    lab.run("down").ok();
    lab.run("machine delete a b -y").ok();
    lab.has_nothing_left();
}
