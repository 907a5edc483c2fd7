//! Lines in the command line's own syntax.

use super::*;
use crate::tui::task::Task;

#[test]
fn the_command_line_is_understood() {
    let model = with_web(80, 24);
    for (line, does) in [
        ("machine start db", "sistemo machine start db"),
        ("machine start db-i", "sistemo machine start db"),
        ("vm rm web -y", "sistemo machine delete web"),
        ("vm rm web", "asks"),
        ("machine delete web db", "asks"),
        ("machine stop web", "asks"),
        (
            "sistemo machine rename web shop",
            "sistemo machine rename web shop",
        ),
        (
            "sistemo volume create 10G --name x",
            "sistemo volume create 10G --name x",
        ),
        ("volume delete data -y", "sistemo volume delete data"),
        ("volume resize data 20G", "sistemo volume resize data 20G"),
        (
            "machine expose web --port 8081:81",
            "sistemo machine expose web --port 8081:81",
        ),
        (
            "machine volume attach db data:/srv",
            "sistemo machine volume attach db data:/srv",
        ),
        (
            "machine deploy debian --name w --memory 1G",
            "sistemo machine deploy debian --name w --memory 1G",
        ),
        (
            "machine deploy alpine -- sh -c 'sleep 60'",
            "sistemo machine deploy alpine -- sh -c 'sleep 60'",
        ),
        (
            "image pull debian:trixie",
            "sistemo image pull debian:trixie",
        ),
        (
            "image build node:20 -t node",
            "sistemo image build node:20 --name node",
        ),
        (
            "network create lab2 --subnet 10.77.0.0/24",
            "sistemo network create lab2 --subnet 10.77.0.0/24",
        ),
        ("machine ssh web", "Shell on web-id in Machines"),
        ("machine terminal web", "Shell on web-id in Machines"),
        ("machine logs web -f", "BootLog on web-id in Machines"),
        ("machine show web", "Open on web-id in Machines"),
        ("machine ls", "Machines"),
        ("volume ls", "Volumes"),
        ("network show lab", "to lab in Networks"),
        ("config set theme nord", "SetTheme(\"nord\")"),
        ("setup -y", "sistemo setup"),
    ] {
        assert_eq!(done(line, &model), does, "{line}");
    }
}

#[test]
fn what_is_wrong_with_a_command_is_said_under_the_line() {
    let model = with_web(80, 24);
    for (line, says) in [
        (
            "machine stop",
            "! the following required arguments were not provided: <NAME>... / usage: sistemo machine stop",
        ),
        ("machine strat web", "! unrecognized subcommand 'strat' / "),
        (
            "machine start nobody",
            "! there is no machine \"nobody\" / see what there is: machine list",
        ),
        (
            "machine deploy debian --memory lots",
            "! invalid value 'lots' for '--memory <SIZE>': \"lots\" is not a size / ",
        ),
        (
            "machine stop web --timeout 3",
            "! the console takes no --timeout / ",
        ),
        ("machine stop 'web", "! a quote is open / "),
        (
            "machine exec web ls",
            "! machine exec is nothing for the console / type it into a shell: sistemo machine exec",
        ),
        ("sistemo up", "! up is nothing for the console / "),
        (
            "sistemo completion bash",
            "! completion is nothing for the console / ",
        ),
        (
            "machine ls --data-dir /x",
            "! the console stays with its data directory / ",
        ),
        ("machine --help", "! Usage: sistemo machine"),
        (
            "theme default-drak",
            "! there is no theme default-drak / did you mean default-dark?",
        ),
        ("config set theme bogus", "! there is no theme bogus / "),
        ("frobnicate", "! unrecognized subcommand 'frobnicate' / "),
    ] {
        let said = done(line, &model);
        assert!(said.starts_with(says), "{line}: {said}");
        assert!(!said.contains('\n'), "{line}: {said}");
    }
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let model = with_web(80, 24);
    for (line, option) in [
        (
            "machine deploy debian --no-wait",
            "machine deploy --no-wait",
        ),
        ("machine start db --no-wait", "machine start --no-wait"),
        ("machine stats web", "machine stats NAME"),
        ("machine ssh -A web", "machine ssh --agent"),
        ("machine ssh -N web", "machine ssh --no-command"),
        ("machine ssh -t web", "machine ssh --tty"),
        ("machine terminal web --print", "machine terminal --print"),
        ("machine logs web -p", "machine logs --previous"),
        ("machine logs web --since 1h", "machine logs --since"),
        ("machine logs web --until 1h", "machine logs --until"),
        ("machine logs web -n 5", "machine logs --tail"),
        ("machine logs web -t", "machine logs --timestamps"),
        ("machine logs web --raw", "machine logs --raw"),
        ("history --machine web", "history --machine"),
        ("history -n 5", "history --limit"),
        ("history --json", "history --json"),
    ] {
        let says = format!(
            "! {option} is nothing for the console / type it into a shell: sistemo {option}"
        );
        assert_eq!(done(line, &model), says, "{line}");
    }
    assert!(done("machine ls -o json", &model).starts_with("! the console takes no --output"));
    assert_eq!(done("history", &model), "History");
    assert_eq!(done("machine ls --all", &model), "Machines");
    assert_eq!(done("machine stats --watch", &model), "Machines");
}

#[test]
fn a_deploy_is_what_was_asked_for() {
    let model = with_web(80, 24);
    let mut palette = opened(&model);
    let steps = press(
        &mut palette,
        &model,
        "machine deploy nginx --expose 8080:80 --vcpus 4<enter>",
    );
    let Some(Step::Do(Task::Deploy(request))) = steps.last() else {
        panic!("{steps:?}")
    };
    assert_eq!(request.image.as_deref(), Some("nginx"));
    assert_eq!(request.vcpus, Some(4));
    assert_eq!(request.expose.len(), 1);
}

#[test]
fn blanks_may_be_longer_than_a_byte() {
    let model = with_web(80, 24);
    assert_eq!(done("\u{2000}", &model), done(" ", &model));
    for line in ["machine\u{2000}stop\u{3000}nosuch", "machine stop\u{a0}"] {
        let said = done(line, &model);
        assert!(said.starts_with('!'), "{line:?}: {said}");
    }
}
