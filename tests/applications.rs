//! Images that were made for an application: what they say of it is honoured, and what their user says wins.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::support::{Application, Image, Lab, until};

/// An application that waits to be told to stop, by an end of its own.
const WAITS: &str = "trap 'echo told to stop; sleep 1; echo ended cleanly; exit 0' QUIT\n\
     echo ready to serve\nwhile :; do sleep 1; done\n";

#[test]
fn what_an_image_says_of_its_application_is_so() {
    let lab = Lab::new();
    let config = json!({
        "Entrypoint": ["/app", "from the entry point"], "Cmd": ["and the command"],
        "Env": ["PATH=/opt/bin:/bin", "GREETING=hello there", "dotted.name=1"],
        "User": "app", "WorkingDir": "/srv/work", "StopSignal": "SIGQUIT",
        "ExposedPorts": {"80/tcp": {}, "5353/udp": {}},
        "Volumes": {"/data": {}, "/kept": {}, "/var/lib/new/deep": {}},
    });
    let script = format!(
        "for word; do echo \"word: $word.\"; done\n\
         echo \"environment: $GREETING, $HOME, $HOSTNAME, $PATH\"\n\
         tr '\\0' '\\n' < /proc/$$/environ | grep dotted\n\
         echo \"who: $(id -u) $(id -g) $(id -G)\"\n\
         echo \"where: $(pwd)\"\n\
         for f in . /data /kept /mounted /var/lib/new/deep; do echo \"folder: $(stat -c '%n %u %g %a' $f)\"; done\n\
         echo \"files: $(ulimit -Sn) $(ulimit -Hn)\"\n\
         echo to the output > /dev/stdout; echo to the error > /dev/stderr; echo by its number > /dev/fd/1\n\
         httpd -p 80 -h /www && echo listens\n{WAITS}"
    );
    let web = Application::new(config)
        .script("app", &script)
        .with_folder("kept", (7, 7), 0o750)
        .with_folder("mounted", (1000, 29), 0o2770)
        .with_folder("www", (0, 0), 0o755)
        .script("www/hello", "served\n")
        .import(&lab, "web");

    lab.run("volume create 16M --name data").ok();
    let said = lab
        .run(&format!(
            "machine deploy {web} --expose 8080:80 --attach data:/mounted"
        ))
        .ok();
    assert!(said.starts_with("web is ready at "), "{said}");
    assert!(
        said.contains(
            "the image listens on 5353/udp: sistemo machine expose web --port 5353:5353/udp"
        ),
        "{said}"
    );
    assert!(!said.contains("80/tcp"), "{said}");
    let log = lab.logs_until("web", "ready to serve");
    for line in [
        "word: from the entry point.",
        "word: and the command.",
        "environment: hello there, /home/app, web, /opt/bin:/bin",
        "dotted.name=1",
        "who: 1000 1000 1000 29",
        "where: /srv/work",
        "folder: . 1000 1000 755",
        "folder: /data 1000 1000 755",
        "folder: /kept 7 7 750",
        "folder: /mounted 1000 29 2770",
        "folder: /var/lib/new/deep 1000 1000 755",
        "files: 1024 524288",
        "to the output",
        "to the error",
        "by its number",
        "listens",
    ] {
        assert!(
            log.lines().any(|said| said.ends_with(line)),
            "{line}:\n{log}"
        );
    }
    let served = lab.inside("curl -s -m 5 http://localhost:8080/hello");
    assert!(served.contains("served"), "{served}");

    // Who enters has the image's variables, too, and is who they say.
    let entered = "machine exec web 'echo $GREETING, $HOME, $HOSTNAME, $PATH; id -u'";
    assert_eq!(
        lab.run(entered).ok(),
        "hello there, /root, web, /opt/bin:/bin\n0\n"
    );
    let status = lab.status("web");
    let command = ["/app", "from the entry point", "and the command"];
    assert_eq!(status["command"], json!(command));
    assert_eq!(
        status["environment"],
        json!(["PATH", "GREETING", "dotted.name"])
    );
    assert_eq!(status["exposed_ports"], json!(["5353/udp", "80/tcp"]));
    assert_eq!(
        (&status["user"], &status["workdir"], &status["restart"]),
        (&json!("app"), &json!("/srv/work"), &json!("on-failure"))
    );
    let shown = lab.run("image show web").ok();
    for line in [
        "Entry point  /app 'from the entry point'",
        "Ports        5353/udp 80/tcp",
        "Stop signal  SIGQUIT",
        "Volumes      /data",
        "             /kept",
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }

    // It is told to stop in its own way, and has the time for it.
    lab.run("machine stop web").ok();
    let log = lab.run("machine logs web").ok().replace('\r', "");
    for line in ["told to stop\n", "ended cleanly\n", "reboot: Power down"] {
        assert!(log.contains(line), "{line}:\n{log}");
    }
    assert_eq!(lab.field("web", "failure"), "null");
    lab.disks_are_whole();
    lab.run("machine start web").ok();
    lab.logs_until("web", "ready to serve");
    lab.run("machine delete web -y").ok();
    lab.run("volume delete data -y").ok();
    lab.has_nothing_left();
}

#[test]
fn what_its_user_says_wins_and_secrets_are_kept() {
    let lab = Lab::new();
    let config = json!({
        "Entrypoint": ["/nothing"], "Cmd": ["nothing"], "User": "app", "WorkingDir": "/srv",
        "Env": ["PATH=/bin", "FROM_IMAGE=image", "CHANGED=image", "TAKEN=image"],
    });
    let app = Application::new(config).import(&lab, "app");
    let file = lab.folder().join("variables");
    std::fs::write(
        &file,
        "# secrets\n\nFROM_FILE=in a file, secret-1 \nCHANGED=by the file\nHERE\n",
    )
    .unwrap();
    let line = format!(
        "machine deploy {app} --name a --entrypoint /bin/sh -u other:wheel -w /srv/there \
         --env-file {} -e CHANGED=by-hand --env TYPED=secret-2 --env HERE_TOO --env TAKEN \
         -- -c 'env | sort; id; pwd; echo all is said; sleep 1000'",
        file.display()
    );
    let here = [("HERE", "secret-3"), ("HERE_TOO", "secret-4")];
    let said = lab.run_with(&line, &here);
    let mut told = said.stderr.clone() + &said.ok();
    let log = lab.logs_until("a", "all is said").replace('\r', "");
    for line in [
        "FROM_IMAGE=image",
        "FROM_FILE=in a file, secret-1 ",
        "CHANGED=by-hand",
        "TYPED=secret-2",
        "HERE=secret-3",
        "HERE_TOO=secret-4",
        "HOME=/",
        "HOSTNAME=a",
        "uid=7(other) gid=10(wheel) groups=10(wheel)",
        "/srv/there",
    ] {
        assert!(log.lines().any(|said| said == line), "{line}:\n{log}");
    }
    assert!(!log.contains("TAKEN"), "{log}");
    assert_eq!(lab.run("machine exec a 'echo $HERE'").ok(), "secret-3\n");

    // Their names may be told, their values not.
    for line in [
        "machine status a",
        "machine status a -o json",
        "machine list -o json",
        "history",
        "history -o json",
        "image show app",
    ] {
        told += &lab.run(line).ok();
    }
    assert!(told.contains("HERE_TOO"), "{told}");
    assert!(!told.contains("secret-"), "{told}");
    assert!(!lab.inside("ps axww -o args").contains("secret-"));
    let mut holders = 0;
    for path in files(&lab.data_dir()) {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.windows(7).any(|window| window == b"secret-") {
            holders += 1;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
        }
    }
    assert!(holders > 0, "they are not kept over a restart");

    lab.run("machine restart a").ok();
    lab.logs_until("a", "HERE_TOO=secret-4");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
    for path in files(&lab.data_dir()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let holds = bytes.windows(7).any(|window| window == b"secret-");
        assert!(!holds || name.starts_with("sistemo.db"), "{name}");
    }
}

/// The plain files below a folder, but for disks: they are the machine's own.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let facts = path.symlink_metadata().unwrap();
        if facts.is_dir() {
            found.extend(files(&path));
        } else if facts.is_file() && path.extension().is_none_or(|end| end != "ext4") {
            found.push(path);
        }
    }
    found
}

#[test]
fn an_application_ends_and_fails_and_is_started_again_as_told() {
    let lab = Lab::new();
    let config = json!({"Cmd": ["/bin/true"], "Env": ["PATH=/bin"]});
    let app = Application::new(config)
        .script(
            "third",
            "echo x >> /tries; [ $(wc -l < /tries) -ge 3 ] || exit 5\necho third time\nsleep 1000\n",
        )
        .script("deaf", "trap 'echo heard' TERM\necho deaf\nwhile :; do sleep 1; done\n")
        .import(&lab, "app");

    // What has done its work has not failed, neither at deploy nor later.
    let said = lab.run(&format!("machine deploy {app} --name done")).ok();
    assert!(said.starts_with("done "), "{said}");
    lab.ends("done");
    assert_eq!(lab.field("done", "status"), "stopped");
    lab.has_nothing_running();
    let log = lab.run("machine logs done").ok();
    assert!(log.contains("the command is done"), "{log}");
    lab.run("machine start done").ok();
    lab.ends("done");
    assert_eq!(lab.field("done", "status"), "stopped");
    lab.run("machine delete done -y").ok();

    // What fails and is not to be tried again has failed, and says how.
    for (name, script, how) in [
        ("exits", "exit 3", "exit status 3"),
        ("dies", "kill -SEGV $$", "killed by SIGSEGV"),
        ("by-number", "kill -40 $$", "killed by signal 40"),
    ] {
        lab.run(&format!(
            "machine deploy {app} --name {name} --restart no --no-wait -- /bin/sh -c 'echo begun; {script}'"
        ))
        .ok();
        lab.ends(name);
        let status = lab.status(name);
        assert_eq!(status["status"], "failed", "{name}");
        assert_eq!(status["failure"], format!("the command failed: {how}"));
        assert!(
            lab.run(&format!("machine logs {name}"))
                .ok()
                .contains("begun")
        );
        lab.has_nothing_running();
        lab.run(&format!("machine delete {name} -y")).ok();
    }

    // By default it is tried again, with pauses, and success is success.
    lab.run(&format!("machine deploy {app} --name third -- /third"))
        .ok();
    let log = lab.logs_until("third", "third time");
    for pause in [1, 2] {
        let line = format!("the command ended: exit status 5; it is started again in {pause} s");
        assert!(log.contains(&line), "{log}");
    }
    lab.run("machine stop third").ok();
    assert_eq!(lab.field("third", "failure"), "null");
    lab.run("machine delete third -y").ok();

    // One that does not heed the signal has the time that there is, and the machine ends cleanly all the same.
    lab.run(&format!("machine deploy {app} --name deaf -- /deaf"))
        .ok();
    lab.logs_until("deaf", "deaf\n");
    lab.run("machine stop deaf --timeout 12").ok();
    let log = lab.run("machine logs deaf").ok();
    assert!(
        log.contains("heard") && log.contains("reboot: Power down"),
        "{log}"
    );
    lab.disks_are_whole();
    lab.run("machine delete deaf -y").ok();
    lab.has_nothing_left();
}

#[test]
fn an_application_that_cannot_start_is_taken_back() {
    let lab = Lab::new();
    let app = Application::new(json!({"Cmd": ["sleep", "1000"]})).import(&lab, "app");
    for (options, why) in [
        (
            "-- /no/such/program",
            "cannot start /no/such/program: No such file",
        ),
        ("--user ghost", "the image has no user \"ghost\""),
        ("--user app:ghosts", "the image has no group \"ghosts\""),
        (
            "--workdir /etc/passwd/x",
            "cannot make the folder /etc/passwd/x",
        ),
    ] {
        let said = lab
            .run(&format!(
                "machine deploy {app} --name a --restart always {options}"
            ))
            .fails(1);
        assert!(
            said.contains("the command failed: ") && said.contains(why),
            "{said}"
        );
        assert!(said.contains("hint: say what it runs with"), "{said}");
        lab.has_nothing_left();
    }
    // With a machine that there is, its start fails, and the disk stays.
    lab.run(&format!("machine deploy {app} --name a")).ok();
    lab.run("machine exec a rm /bin/sleep").ok();
    lab.run("machine stop a").ok();
    lab.run("machine start a").fails(1);
    let failure = lab.field("a", "failure");
    assert!(
        failure.contains("cannot start sleep: No such file"),
        "{failure}"
    );
    lab.has_nothing_running();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn an_operating_system_runs_a_command_instead_of_its_init() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let line = format!(
        "machine deploy {tiny} --name a -e GREETING=hello -u www -- /bin/sh -c \
         'echo $GREETING from $(id -un); sleep 1000'"
    );
    lab.run(&line).ok();
    let log = lab.logs_until("a", "hello from www");
    assert!(!log.contains("tiny: up"), "its init has run:\n{log}");
    assert_eq!(lab.field("a", "restart"), "on-failure");

    // The disk remembers no command that was not the image's.
    lab.run("machine delete a -y --preserve-storage").ok();
    lab.run("machine deploy --volume a-root").ok();
    lab.logs_until("a", "tiny: up");
    lab.run("machine delete a -y").ok();

    let file = lab.folder().join("variables");
    std::fs::write(&file, "A=1\nexport TOKEN=secret\n").unwrap();
    let file = file.display();
    let refused = [
        (
            format!("machine deploy {tiny} -e A=1"),
            2,
            "--env is for applications",
        ),
        (
            format!("machine deploy {tiny} --user www"),
            2,
            "--user is for applications",
        ),
        (
            format!("machine deploy {tiny} --workdir /srv"),
            2,
            "--workdir is for applications",
        ),
        (
            format!("machine deploy {tiny} -e =1 -- /bin/true"),
            2,
            "a variable has no name",
        ),
        (
            format!("machine deploy {tiny} --entrypoint ''"),
            2,
            "no command is there to run",
        ),
        (
            format!("machine deploy {tiny} -w srv -- /bin/true"),
            2,
            "\"srv\" is not an absolute path",
        ),
        (
            format!("machine deploy {tiny} -u 'a b' -- /bin/true"),
            2,
            "\"a b\" is not a user",
        ),
        (
            format!("machine deploy {tiny} --env-file /no/file -- /bin/true"),
            2,
            "/no/file: No such file",
        ),
        (
            format!("machine deploy {tiny} --env-file {file} -- /bin/true"),
            2,
            "line 2: the name of variable \"export TOKEN\" holds blanks",
        ),
    ];
    lab.refuses(&refused, "machine list -o json");
    for (line, ..) in &refused {
        let said = lab.run(line).stderr;
        assert!(
            said.contains("hint: ") || said.contains("KEY=VALUE"),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
    lab.has_nothing_left();
}

#[test]
fn a_program_that_insists_on_being_the_first_process_is() {
    let lab = Lab::new();
    let script = "[ $$ = 1 ] || exit 1\n\
         echo \"first: $$, $(cat /proc/1/comm), $(ls -d /proc/[0-9]* | head -1)\"\n\
         sleep 1000 &\n\
         trap 'echo told to stop; exit 0' TERM\necho ready to serve\nwhile :; do sleep 1; done\n";
    let app = Application::new(json!({"Entrypoint": ["/init"]}))
        .script("init", script)
        .import(&lab, "app");
    lab.run(&format!("machine deploy {app} --name a --restart always"))
        .ok();
    let log = lab.logs_until("a", "ready to serve");
    assert!(log.contains("first: 1, init, /proc/1\n"), "{log}");
    // To the machine it is one program of many, and what it has started ends with it.
    let numbers = |line: &str| {
        let look = format!(
            "for p in /proc/[0-9]*; do\n\
             [ \"$(tr '\\0' ' ' < $p/cmdline)\" = '{line} ' ] && echo ${{p#/proc/}}\ndone\n:\n"
        );
        let found = lab.feed("machine exec a sh", look).ok();
        found.lines().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (own, children) = (numbers("/bin/sh /init"), numbers("sleep 1000"));
    assert!(own.len() == 1 && own[0] != "1", "{own:?}");
    lab.run(&format!("machine exec a kill -KILL {}", own[0]))
        .ok();
    let log = lab.logs_until("a", "it is started again in 1 s");
    assert!(log.contains("killed by SIGKILL"), "{log}");
    let now = numbers("sleep 1000");
    assert_eq!(children.len(), 1);
    assert!(!now.contains(&children[0]), "{now:?}");
    until("it serves again", || {
        let log = lab.run("machine logs a").ok();
        log.matches("ready to serve").count() == 2
    });
    lab.run("machine stop a").ok();
    assert!(lab.run("machine logs a").ok().contains("told to stop"));
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_kept_disk_runs_its_application_also_without_its_image() {
    let lab = Lab::new();
    let config = json!({
        "Cmd": ["/bin/sh", "-c", "echo $WHAT again; sleep 1000"], "Env": ["WHAT=once"],
        "ExposedPorts": {"443/tcp": {}},
    });
    let app = Application::new(config).import(&lab, "app");
    lab.run(&format!("machine deploy {app} --name a")).ok();
    lab.run("machine delete a -y --preserve-storage").ok();
    lab.run("image delete app -y").ok();
    let said = lab.run("machine deploy --volume a-root -e WHAT=more").ok();
    assert!(
        said.contains("the image listens on 443/tcp: sistemo machine expose a --port 8443:443"),
        "{said}"
    );
    lab.logs_until("a", "more again");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn an_image_that_names_no_program_is_there_for_who_enters() {
    let lab = Lab::new();
    let app = Application::new(json!({"Env": ["PATH=/opt:/bin"]})).import(&lab, "app");
    lab.run(&format!("machine deploy {app} --name a")).ok();
    assert_eq!(lab.run("machine exec a 'echo $PATH'").ok(), "/opt:/bin\n");
    assert_eq!(lab.field("a", "command"), "null");
    assert_eq!(lab.field("a", "restart"), "no");
    lab.run("machine stop a").ok();
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
