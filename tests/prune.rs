//! `image prune`: what nothing needs goes, and nothing else.

use std::fs::File;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::support::{Image, Lab};

/// An archive that becomes an image of its own.
fn archive(lab: &Lab, text: &str) -> String {
    let path = lab.data_dir().with_file_name(format!("{text}.tar"));
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "text", text.as_bytes())
        .unwrap();
    tar.finish().unwrap();
    path.display().to_string()
}

fn import(lab: &Lab, text: &str, name: &str) -> Value {
    let path = archive(lab, text);
    lab.run(&format!("image import {path} --name {name} -o json"))
        .json()
}

/// Names, or digests where there is none, of the images that there are.
fn images(lab: &Lab) -> Vec<String> {
    let list = lab.run("image list -o json").json();
    let name = |image: &Value| image["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = list.as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

/// The disks that lie in the cache.
fn disks(lab: &Lab) -> usize {
    let entries = std::fs::read_dir(lab.data_dir().join("images")).unwrap();
    let disk = |path: &Path| path.extension().is_some_and(|end| end == "ext4");
    entries
        .filter(|entry| disk(&entry.as_ref().unwrap().path()))
        .count()
}

#[test]
fn what_lost_its_name_goes_and_what_has_one_only_with_all() {
    let lab = Lab::bare();
    assert_eq!(lab.run("image prune").ok(), "nothing to remove\n");
    let old = import(&lab, "one", "app");
    import(&lab, "two", "app");
    import(&lab, "three", "other");
    assert_eq!(
        images(&lab),
        ["app", "other", old["digest"].as_str().unwrap()]
    );

    let said = lab.run("image prune").fails(4);
    assert!(
        said.contains("cannot ask without a terminal: Remove 1 image, "),
        "{said}"
    );
    assert!(said.contains("hint: say -y"), "{said}");
    let would = lab.run("image prune --dry-run").ok();
    assert!(would.contains("would be removed"), "{would}");
    assert_eq!(disks(&lab), 3);

    let report = lab.run("image prune -y -o json").json();
    assert_eq!(report["dry_run"], false);
    assert_eq!(report["removed"][0]["kind"], "image");
    assert_eq!(report["removed"][0]["digest"], old["digest"]);
    assert_eq!(report["freed_bytes"], old["used_bytes"]);
    assert_eq!(images(&lab), ["app", "other"]);
    assert_eq!(disks(&lab), 2);

    let would = lab.run("image prune --all --dry-run -o json").json();
    assert_eq!(would["removed"].as_array().unwrap().len(), 2);
    let said = lab.run("image prune -a -y").ok();
    assert!(
        said.contains("image app removed") && said.contains("more free"),
        "{said}"
    );
    assert_eq!((images(&lab).len(), disks(&lab)), (0, 0));
    let history = lab.run("history -o json").json();
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["action"], &last["target"]),
        (&"prune".into(), &"image".into())
    );
}

#[test]
fn what_a_machine_was_made_of_stays_and_a_download_under_way_does() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    // Its name means another image now.
    import(&lab, "other", &tiny);
    let blobs = lab.data_dir().join("images/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    for name in ["broken.partial", "fetched.partial"] {
        std::fs::write(blobs.join(name), vec![1; 100_000]).unwrap();
    }
    let fetching = File::open(blobs.join("fetched.partial")).unwrap();
    let fetching = Flock::lock(fetching, FlockArg::LockExclusive).unwrap();
    let report = lab.run("image prune -a -y -o json").json();
    let removed: Vec<&str> = report["removed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|thing| thing["name"].as_str().unwrap())
        .collect();
    assert_eq!(removed, [tiny.as_str(), "broken.partial"]);
    assert!(blobs.join("fetched.partial").exists());
    drop(fetching);
    assert_eq!(disks(&lab), 1, "the machine's");

    // Its root volume, kept, still needs to know what it runs.
    lab.run("machine delete a -y --preserve-storage").ok();
    let report = lab.run("image prune -a -y -o json").json();
    assert_eq!(report["removed"][0]["name"], "fetched.partial");
    assert_eq!(disks(&lab), 1);
    lab.run("volume delete a-root -y").ok();
    lab.run("image prune -a -y").ok();
    assert_eq!(disks(&lab), 0);
    lab.has_nothing_left();
}

#[test]
fn deploys_go_on_while_images_are_pruned() {
    let lab = Lab::new();
    let disk = lab.data_dir().with_file_name("tiny.ext4");
    let tiny = lab.image(Image::Tiny);
    let image = lab.run(&format!("image show {tiny} -o json")).json();
    std::fs::copy(image["path"].as_str().unwrap(), &disk).unwrap();
    lab.run("image prune -a -y").ok();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let mut pruned = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let report = lab.run("image prune -a -y -o json").json();
                pruned += report["removed"].as_array().unwrap().len();
            }
            pruned
        });
        let deploying: Vec<_> = (0..2)
            .map(|number| {
                let (lab, disk) = (&lab, disk.display());
                let line = format!("machine deploy {disk} --name m{number} --no-wait");
                scope.spawn(move || {
                    for _ in 0..4 {
                        lab.run(&line).ok();
                        lab.run(&format!("machine delete m{number} -y")).ok();
                    }
                })
            })
            .collect();
        for thread in deploying {
            thread.join().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(pruning.join().unwrap() > 0, "nothing was ever pruned");
    });
    lab.has_nothing_left();
}

#[test]
fn an_image_that_a_machine_is_being_made_of_is_not_deleted() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    let line = format!("machine deploy {tiny} --name a --no-wait");
    let mut child = lab
        .command(&line, &[("SISTEMO_FAULT", "stop:clone-root:before")])
        .spawn()
        .unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let stopped = nix::sys::wait::WaitPidFlag::WUNTRACED;
    nix::sys::wait::waitpid(pid, Some(stopped)).unwrap();
    let line = format!("image delete {tiny} -y");
    let refused = [(line, 4, "is being made into a machine's disk")];
    lab.refuses(&refused, "image list -o json");
    assert_eq!(lab.run("image prune -a -y").ok(), "nothing to remove\n");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    assert!(child.wait().unwrap().success());
    lab.run(&format!("image delete {tiny} -y")).ok();
    assert_eq!(lab.field("a", "status"), "running");
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}
