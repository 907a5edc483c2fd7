//! `image build -f`: a Dockerfile becomes an image that is deployed like any other, and whatever goes wrong leaves nothing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Lab;

/// The programs that a build needs besides itself.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A folder with busybox and a Dockerfile that begins with it.
fn context(lab: &Lab, name: &str, lines: &str) -> PathBuf {
    let folder = lab.data_dir().with_file_name(name);
    std::fs::create_dir_all(&folder).unwrap();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"];
    let busybox = busybox.iter().find(|path| Path::new(path).exists());
    std::fs::copy(busybox.unwrap(), folder.join("busybox")).unwrap();
    let text = format!("FROM scratch AS base\nCOPY busybox /bin/sh\n{lines}");
    std::fs::write(folder.join("Dockerfile"), text).unwrap();
    folder
}

/// What lies with the images besides disks, locks and what a builder keeps.
fn left_over(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(lab.data_dir().join("images")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = names
        .filter(|name| !name.starts_with('.') && !name.ends_with(".ext4") && name != "builder")
        .collect();
    let builder = lab.data_dir().join("images/builder");
    if builder.join("unfinished").exists() {
        left.push("unfinished".into());
    }
    // The containers in which the builder works.
    for driver in ["overlay", "vfs"] {
        let list = builder.join(format!("root/{driver}-containers/containers.json"));
        let text = std::fs::read_to_string(list).unwrap_or_default();
        if text.contains("\"id\"") {
            left.push(text);
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let data = lab.data_dir().display().to_string();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&data))
            .map(Into::into),
    );
    left
}

/// Processes that have the lab's folder on their command line.
fn builders(lab: &Lab) -> usize {
    lab.processes().len()
}

#[test]
fn a_dockerfile_becomes_a_machine_that_runs_its_entry_point() {
    let lab = Lab::new();
    let lines = "ARG GREETING\nRUN [\"/bin/sh\", \"-c\", \"echo made with $GREETING > /made\"]\n\
                 ENV WHO=world\nWORKDIR /srv/app\nENTRYPOINT [\"/bin/sh\", \"-c\"]\n\
                 CMD [\"read made < /made; echo $made; echo hello $WHO in $PWD; while :; do sleep 9; done\"]\n\
                 FROM base AS other\nENTRYPOINT [\"/other\"]\n";
    let folder = context(&lab, "My App", lines);
    let folder = folder.display();
    let secret = "hunter2-not-for-others";
    let done = lab.run_with(
        &format!("image build '{folder}' --target base --build-arg GREETING"),
        &[("GREETING", secret)],
    );
    // Line by line, as the builder goes on.
    assert!(done.stderr.contains("STEP 1/"), "{done}");
    assert!(
        done.stderr.contains("building my-app with buildah"),
        "{done}"
    );
    done.ok();
    assert!(left_over(&lab).is_empty(), "{:?}", left_over(&lab));
    lab.run("machine deploy my-app --name a").ok();
    let says = |words: &str| {
        let begun = Instant::now();
        loop {
            let log = lab.run("machine logs a").ok();
            if log.contains(words) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{words}: {log}");
        }
    };
    says(&format!("made with {secret}"));
    says("hello world in /srv/app");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();

    // By name, from a file elsewhere and from standard input; the steps before are not done again.
    let again = format!(
        "image build -f Dockerfile -t team/app:2 --target other '{folder}' \
                         --build-arg GREETING={secret} -o json"
    );
    let image = lab.run(&again).json();
    assert_eq!(image["name"], "team/app:2");
    // There is none here, so it is the one there.
    let from = format!("built from {folder}/Dockerfile");
    assert_eq!(image["source"], from);
    assert_eq!(image["config"]["entrypoint"][0], "/other");
    let dockerfile = "FROM scratch\nCOPY busybox /bin/true\nENTRYPOINT [\"/bin/true\"]\n";
    let line = format!("image build -f - --name piped:latest '{folder}'");
    lab.feed(&line, dockerfile).ok();
    let image = lab.run("image show piped -o json").json();
    assert_eq!(image["source"], "built from standard input");

    let history = lab.run("history -o json").ok();
    assert!(
        history.contains("\"build\"") && history.contains("team/app:2"),
        "{history}"
    );
    for file in ["sistemo.db", "sistemo.db-wal"] {
        let bytes = std::fs::read(lab.data_dir().join(file)).unwrap_or_default();
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "the value of a build argument is in {file}");
    }
    // The builder's cache goes with a prune, and comes again.
    let pruned = lab.run("image prune -y").ok();
    assert!(pruned.contains("build cache removed"), "{pruned}");
    assert!(!lab.data_dir().join("images/builder").exists());
    lab.run(&again).ok();
}

#[test]
fn a_build_that_fails_says_why_and_leaves_nothing() {
    let lab = Lab::bare();
    let folder = context(
        &lab,
        "app",
        "ARG TOKEN\nRUN [\"/bin/sh\", \"-c\", \"echo $TOKEN; false\"]\n",
    );
    let folder = folder.display();
    let said = lab
        .run(&format!(
            "image build -f Dockerfile {folder} --build-arg TOKEN=hunter2"
        ))
        .fails(1);
    assert!(
        said.contains("error: buildah failed: building at STEP \"RUN"),
        "{said}"
    );
    assert!(said.contains("hint: mend the Dockerfile"), "{said}");
    assert!(left_over(&lab).is_empty(), "{:?}", left_over(&lab));
    let history = lab.run("history -o json").ok();
    assert!(
        history.contains("buildah failed") && !history.contains("hunter2"),
        "{history}"
    );

    std::fs::write(lab.data_dir().with_file_name("empty"), "").unwrap();
    let refused: Vec<(String, i32, &str)> = vec![
        (
            format!("image build -f nosuch {folder}"),
            3,
            "there is no Dockerfile nosuch",
        ),
        (
            "image build -f Dockerfile /nosuch".into(),
            3,
            "cannot build /nosuch",
        ),
        (
            format!("image build {}", lab.data_dir().display()),
            3,
            "there is no Dockerfile",
        ),
        (
            format!("image build -f Dockerfile {folder}/Dockerfile"),
            3,
            "cannot build",
        ),
        (
            format!("image build -t Web {folder}"),
            2,
            "\"Web\" is not the name of an image",
        ),
        (
            format!("image build -t ./web {folder}"),
            2,
            "is not the name of an image",
        ),
        (
            format!("image build -t disk.ext4 {folder}"),
            2,
            "is not the name of an image",
        ),
        (
            format!("image build --build-arg =x {folder}"),
            2,
            "it wants NAME=VALUE",
        ),
        (
            format!("image build --target nosuch {folder}"),
            1,
            "buildah failed",
        ),
        (
            "image build --recipe nosuch".into(),
            3,
            "there is no recipe",
        ),
        (
            "image build debian --no-cache".into(),
            2,
            "--no-cache is for a Dockerfile",
        ),
        (
            "image build --recipe debian -f Dockerfile".into(),
            2,
            "cannot be used with",
        ),
    ];
    lab.refuses(&refused, "image list -o json");
    assert!(left_over(&lab).is_empty(), "{:?}", left_over(&lab));
}

#[test]
fn a_builder_that_does_not_work_is_passed_over_and_none_is_said_so() {
    let lab = Lab::bare();
    let folder = context(&lab, "app", "");
    let line = format!("image build {}", folder.display());
    let said = lab.run_with(&line, &[("PATH", "/nonexistent")]).fails(1);
    let none = "error: nothing here builds a Dockerfile: neither buildah, podman nor docker is installed\n";
    assert!(said.contains(none), "{said}");
    assert!(
        said.contains("hint: install one: ") && said.contains("buildah"),
        "{said}"
    );

    // An engine that is not there, as docker says it.
    let bin = lab.data_dir().with_file_name("bin");
    std::fs::create_dir(&bin).unwrap();
    let docker =
        "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///nosuch' >&2\nexit 1\n";
    executable(&bin.join("docker"), docker);
    let path = bin.display().to_string();
    let said = lab.run_with(&line, &[("PATH", &path)]).fails(1);
    let why = "docker does not work here: Cannot connect to the Docker daemon at unix:///nosuch";
    assert!(
        said.contains(&format!("passing over a builder: {why}")),
        "{said}"
    );
    assert!(
        said.contains(&format!("error: nothing here builds a Dockerfile: {why}")),
        "{said}"
    );

    // One that works behind one that does not.
    executable(&bin.join("buildah"), "#!/bin/sh\nexit 1\n");
    executable(
        &bin.join("podman"),
        "#!/bin/sh\nexec /usr/bin/buildah \"$@\"\n",
    );
    let said = lab.run_with(&line, &[("PATH", &format!("{path}:{PATH}"))]);
    assert!(
        said.stderr
            .contains("passing over a builder: buildah does not work here"),
        "{said}"
    );
    assert!(said.stderr.contains("building app with podman"), "{said}");
    said.ok();
    assert!(left_over(&lab).is_empty(), "{:?}", left_over(&lab));
}

#[test]
fn a_build_that_is_cut_short_leaves_nothing() {
    let lab = Lab::bare();
    let folder = context(
        &lab,
        "app",
        "RUN [\"/bin/sh\", \"-c\", \"echo in the middle; sleep 1000\"]\n",
    );
    let line = format!("image build {}", folder.display());
    for (signal, status) in [(Signal::SIGINT, Some(130)), (Signal::SIGKILL, None)] {
        let mut command = lab.command(&line, &[]);
        command.stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
        assert!(lines.any(|line| line.unwrap() == "in the middle"));
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let said: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), status, "{said:?}");
        if signal == Signal::SIGKILL {
            // What was killed left its mark, which the next command follows.
            assert!(!left_over(&lab).is_empty());
        }
        lab.run("image list").ok();
        assert!(
            left_over(&lab).is_empty(),
            "{signal}: {:?}",
            left_over(&lab)
        );
        // Orphans end a moment after who started them.
        let begun = Instant::now();
        while builders(&lab) > 0 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        assert_eq!(builders(&lab), 0, "{signal}");
    }
}

#[test]
fn a_build_stops_before_the_disk_is_full() {
    let lab = Lab::bare();
    let folder = context(&lab, "app", "");
    let line = format!("image build {}", folder.display());
    let said = lab
        .run_with(&line, &[("SISTEMO_MIN_DISK_FREE", "900T")])
        .fails(4);
    assert!(
        said.contains("/images has ") && said.contains("leaves 900 TiB free"),
        "{said}"
    );
    assert!(said.contains("min_disk_free"), "{said}");
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}
