//! The console as its user has it: the real program on a real terminal, and real machines.

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::{Application, Image, Lab, Screen, until};

/// The console in a lab, with its first screen shown.
fn console(lab: &Lab) -> Screen {
    let screen = lab.screen("", 120, 36);
    screen.sees("NAV");
    screen
}

/// Deploys by the form, and waits until the machine runs.
fn deploy(screen: &mut Screen, image: &str, name: &str) {
    screen.press("d");
    screen.sees("Deploy a machine");
    screen.types(image);
    screen.press("tab");
    screen.types(name);
    // What would do the same, as it is typed.
    screen.sees(&format!("sistemo machine deploy {image} --name {name}"));
    screen.press("ctrl-s");
    screen.gone("Deploy a machine");
    runs(screen, name);
}

/// Waits until the list says that a machine runs.
#[track_caller]
fn runs(screen: &Screen, name: &str) {
    screen.until(&format!("{name} does not run"), |text| {
        let mut lines = text.lines();
        lines.any(|line| line.contains(&format!(" {name} ")) && line.contains(" running "))
    });
}

/// Has the shell in the focused pane say what it computes, so that what was typed is not taken for it.
#[track_caller]
fn shell_says(screen: &mut Screen, command: &str, text: &str) {
    screen.types(command);
    screen.press("enter");
    screen.sees(text);
}

/// Goes back to the lists, and leaves the shells as they are.
fn leave_shells(screen: &mut Screen) {
    screen.press("ctrl-] d");
    screen.sees("NAV");
}

/// Ends the console, and has it end what still goes on in it.
#[track_caller]
fn quit(screen: &mut Screen) {
    screen.press("q");
    screen.until("it does not ask, nor end", |text| {
        text.contains("Quit?") || !text.contains("NAV")
    });
    screen.press("y");
    assert!(screen.ends().success());
}

#[test]
fn from_an_empty_data_directory_to_two_shells_side_by_side() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let mut screen = console(&lab);

    // What this computer lacks is brought, and said.
    screen.sees("Welcome to Sistemo");
    screen.press("enter");
    screen.gone("Welcome to Sistemo");
    deploy(&mut screen, &tiny, "one");
    deploy(&mut screen, &tiny, "two");

    // A shell in each, one beside the other.
    screen.press("g g s");
    shell_says(
        &mut screen,
        "kept=there; echo $((6*7))-$(hostname)",
        "42-one",
    );
    leave_shells(&mut screen);
    screen.press("j S");
    shell_says(&mut screen, "echo $((6*7))-$(hostname)", "42-two");
    let ((left, _), (right, _)) = (screen.place_of("42-one"), screen.place_of("42-two"));
    assert!(left < right, "{}", screen.text());

    // An editor fills its pane, and what was there comes back.
    screen.types("vi /tmp/note");
    screen.press("enter");
    screen.until("no editor", |text| text.matches('~').count() > 10);
    screen.types("iwritten in vi");
    screen.sees("written in vi");
    screen.press("esc");
    screen.until("the editor still inserts", |text| {
        !text.contains("I /tmp/note")
    });
    screen.types(":wq");
    screen.press("enter");
    shell_says(&mut screen, "rev /tmp/note", "iv ni nettirw");

    // The guests know of a new size.
    screen.resize(150, 45);
    screen.types("until [ $(stty size | cut -d' ' -f2) -gt 60 ]; do :; done; echo wide$((1+1))");
    screen.press("enter");
    screen.sees("wide2");

    // The shells go on while one is elsewhere.
    leave_shells(&mut screen);
    screen.gone("42-one");
    screen.press("6");
    screen.sees("42-one");
    screen.press("ctrl-] h");
    shell_says(&mut screen, "echo still-$kept", "still-there");

    // What is lost is named before it is.
    leave_shells(&mut screen);
    screen.press("1 g g D");
    screen.sees("Delete one?");
    screen.sees("one-root");
    screen.press("y");
    screen.until("one is still there", |text| !text.contains(" one "));
    assert_eq!(
        lab.run("machine list -o json")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    screen.press("6");
    screen.sees("one was deleted");
    screen.press("x");
    screen.gone("one was deleted");

    leave_shells(&mut screen);
    quit(&mut screen);
    assert_eq!(lab.field("two", "status"), "running");
    lab.run("machine delete two -y").ok();
    lab.has_nothing_left();
}

#[test]
fn shells_and_lists_follow_what_is_done_elsewhere() {
    let lab = Lab::new();
    // What a guest says on its console may be meant for the user's terminal.
    let evil = r"printf '\033]0;mine\007\033[2J\033[?1049l\033]52;c;aGk=\007\033[31mred\033[0m hostile-%d\n' $((3*3)); exec sleep 100000";
    let app = Application::new(json!({"Cmd": ["/app"]}))
        .script("app", evil)
        .import(&lab, "evil");
    lab.run("setup --yes").ok();
    let mut screen = console(&lab);
    lab.run(&format!("machine deploy {app} --name a")).ok();
    runs(&screen, "a");

    screen.press("L");
    screen.sees("red hostile-9");
    assert_ne!(screen.title(), "mine");
    assert_eq!(screen.clipboard(), None);
    screen.press("esc");
    runs(&screen, "a");

    screen.press("s");
    shell_says(&mut screen, "echo $((6*7))-before", "42-before");
    lab.run("machine stop a").ok();
    screen.sees("a has stopped");
    lab.run("machine start a").ok();
    screen.gone("a has stopped");
    // The new shell greets below what the old one said.
    screen.until("no shell again", |text| {
        text.matches("BusyBox").count() == 2
    });
    screen.sees("42-before");
    screen.until("no prompt", |text| {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        lines
            .iter()
            .rev()
            .nth(1)
            .is_some_and(|last| last.ends_with('#'))
    });
    shell_says(&mut screen, "echo $((6*7))-again", "42-again");
    lab.run("machine delete a -y").ok();
    screen.sees("a was deleted");
    leave_shells(&mut screen);
    screen.press("1");
    screen.gone(" a ");
    quit(&mut screen);
    lab.has_nothing_left();
}

#[test]
fn a_console_stands_in_for_the_daemon() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run("setup --yes").ok();
    lab.run(&format!(
        "machine deploy {tiny} --name again --restart on-failure"
    ))
    .ok();
    lab.run(&format!("machine deploy {tiny} --name ends")).ok();
    let mut screen = console(&lab);
    runs(&screen, "again");
    runs(&screen, "ends");

    let crash = |name: &str| {
        let status = lab.run(&format!("machine status {name} -o json")).json();
        let pid = status["pid"].as_i64().unwrap();
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
        pid
    };
    crash("ends");
    // No other command looks after it: the screen alone says so, and it is true.
    screen.until("nobody noticed", |text| {
        let mut lines = text.lines();
        lines.any(|line| line.contains(" ends ") && line.contains("failed"))
    });
    let was = crash("again");
    until("it does not come up again", || {
        let status = lab.run("machine status again -o json").json();
        status["status"] == "running" && status["pid"] != was
    });
    runs(&screen, "again");
    quit(&mut screen);
    lab.run("machine delete again ends -y").ok();
    lab.has_nothing_left();
}

#[test]
fn the_screen_answers_while_others_hold_the_store() {
    let lab = Lab::bare();
    lab.run("machine list").ok();
    lab.store(
        "INSERT INTO machines (id, name, status, spec, image, created_at) VALUES \
         ('00000000-0000-4000-8000-000000000000', 'there', 'stopped', \
         '{\"vcpus\":1,\"memory\":134217728,\"command\":null}', 'tiny', '2026-01-01T00:00:00.000Z')",
    );
    let database = rusqlite::Connection::open(lab.data_dir().join("sistemo.db")).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut screen = console(&lab);
    // The first frame does not wait for it, and neither do keys.
    screen.sees("reading");
    screen.press("?");
    screen.sees("In the list of machines");
    screen.press("esc");
    screen.gone("In the list of machines");
    screen.sees("database is locked");
    // Once it is free again, what is there is seen, and what others do.
    database.execute_batch("COMMIT").unwrap();
    screen.sees("there");
    lab.run("volume create 16M --name made-elsewhere").ok();
    // The mouse does it, too.
    let tab = screen.place_of("2 Volumes");
    screen.click(tab);
    screen.sees("made-elsewhere");
    quit(&mut screen);
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    let lab = Lab::bare();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut screen = console(&lab);
        assert!(!screen.is_as_before());
        kill(Pid::from_raw(screen.pid()), signal).unwrap();
        screen.ends();
    }
}

#[test]
fn a_suspended_console_comes_back() {
    let lab = Lab::bare();
    let program = lab.command("", &[]);
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "--noprofile", "-i"])
        .env("PS1", "prompt> ")
        .env("CONSOLE", program.get_program());
    for (key, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    let mut screen = Screen::of(shell, 100, 30);
    screen.sees("prompt>");
    screen.types("\"$CONSOLE\"");
    screen.press("enter");
    screen.sees("NAV");
    screen.press("ctrl-z");
    screen.sees("Stopped");
    screen.gone("NAV");
    shell_says(&mut screen, "echo between-$((6*7))", "between-42");
    screen.types("fg");
    screen.press("enter");
    screen.sees("NAV");
    screen.gone("between-42");
    screen.press("q");
    screen.gone("NAV");
    // Once it has ended: what is typed before that is thrown away with the mouse's reports.
    screen.until("a prompt at the end", |text| {
        text.contains("between-42") && text.trim_end().ends_with("prompt>")
    });
    screen.types("exit");
    screen.press("enter");
    assert!(screen.ends().success());
}

#[test]
fn without_a_terminal_there_is_help_instead() {
    let lab = Lab::bare();
    let said = lab.run("").ok();
    assert!(said.contains("Usage: sistemo"), "{said}");
}

#[test]
fn a_terminal_that_goes_away_ends_the_console() {
    let lab = Lab::bare();
    console(&lab).closes();
}
