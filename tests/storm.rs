//! Many commands at once on few machines, volumes and networks, with commands and hypervisors that are killed at any moment: afterwards the
//! store and the world agree, no disk is damaged, and nothing that a guest has had on its disk is lost.
//!
//! `SISTEMO_TEST_STORM` says for how many seconds; by default 60. `SISTEMO_TEST_SEED` begins the same choices again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Image, Lab};

const COMMANDS: usize = 64;
const MACHINES: usize = 16;
/// They change hands, sizes and names.
const VOLUMES: usize = 6;
const NETWORKS: usize = 3;
/// So many of the machines are written to, and are nobody's to stop or delete; but their hypervisors are killed as well.
const WRITTEN: usize = 4;

struct Storm {
    lab: Lab,
    ends: Instant,
    /// By identifier of the machine, what its guest has said to be on its disk.
    kept: Mutex<BTreeMap<String, Vec<String>>>,
    killed: AtomicUsize,
}

#[test]
fn a_storm_of_commands_and_kills_leaves_everything_as_it_should_be() {
    let number = |key: &str| std::env::var(key).ok()?.parse::<u64>().ok();
    let seconds = number("SISTEMO_TEST_STORM").unwrap_or(60);
    let seed = number("SISTEMO_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SISTEMO_TEST_SEED={seed}");
    let lab = Lab::new();
    lab.image(Image::Tiny);
    for name in (0..WRITTEN).map(name) {
        lab.run(&format!("machine deploy tiny --name {name}")).ok();
    }
    let storm = Storm {
        lab,
        ends: Instant::now() + Duration::from_secs(seconds),
        kept: Mutex::default(),
        killed: AtomicUsize::new(0),
    };
    std::thread::scope(|scope| {
        for command in 0..COMMANDS {
            let storm = &storm;
            let mut rng = Rng::with_seed(seed.wrapping_add(command as u64));
            scope.spawn(move || {
                while Instant::now() < storm.ends {
                    match command % 16 {
                        0 => storm.write(&mut rng),
                        _ => storm.command(&mut rng),
                    }
                }
            });
        }
        let mut rng = Rng::with_seed(!seed);
        let storm = &storm;
        scope.spawn(move || {
            while Instant::now() < storm.ends {
                std::thread::sleep(Duration::from_millis(rng.u64(500..3000)));
                storm.kill_a_process(&mut rng);
            }
        });
    });
    let Storm {
        lab, kept, killed, ..
    } = storm;
    lab.agrees("the storm");
    let kept = kept.into_inner().unwrap();
    let count: usize = kept.values().map(Vec::len).sum();
    let killed = killed.into_inner();
    eprintln!("{count} files were written, {killed} processes killed");
    assert!(count > 0 && killed > 0, "nothing was tried");

    let listed = lab.run("machine list -o json").json();
    let names = listed.as_array().unwrap().iter();
    let names: Vec<_> = names
        .filter_map(|machine| machine["name"].as_str())
        .collect();
    lab.run(&format!("machine stop --force {}", names.join(" ")))
        .ok();
    lab.disks_are_whole();
    for (id, files) in &kept {
        lab.run(&format!("machine start {id}")).ok();
        let found = lab.run(&format!("machine exec {id} ls /root")).ok();
        for file in files {
            assert!(found.lines().any(|line| line == file), "{file} is lost");
        }
        lab.run(&format!("machine stop --force {id}")).ok();
    }
    lab.run(&format!("machine delete -y {}", names.join(" ")))
        .ok();
    for (list, delete) in [
        ("volume list", "volume delete -y"),
        ("network list", "network delete"),
    ] {
        let listed = lab.run(&format!("{list} -o json")).json();
        let names = listed.as_array().unwrap().iter();
        for name in names.filter_map(|row| row["name"].as_str()) {
            if name != "default" {
                lab.run(&format!("{delete} {name}")).ok();
            }
        }
    }
    lab.has_nothing_left();
}

fn name(number: usize) -> String {
    format!("m{number}")
}

impl Storm {
    /// Runs one command that nobody may be harmed by, and kills one in five somewhere on its way.
    fn command(&self, rng: &mut Rng) {
        let number = rng.usize(WRITTEN..MACHINES);
        let (name, port) = (name(number), 8000 + number);
        let (volume, other) = (rng.usize(..VOLUMES), rng.usize(..VOLUMES));
        let network = rng.usize(..NETWORKS);
        let line = match rng.u8(0..34) {
            0..3 => format!("machine deploy tiny --name {name} --no-wait --expose {port}"),
            3 => format!("machine deploy tiny --name {name} --no-wait --network n{network}"),
            4 => format!(
                "machine deploy tiny --name {name} --no-wait --attach v{volume},v{other}:/srv"
            ),
            5..8 => format!("machine start {name} --no-wait"),
            8..10 => format!("machine stop {name} --force"),
            10..12 => format!("machine restart {name} --force"),
            12..15 => format!("machine delete {name} -y"),
            15 => format!("machine expose {name} --port {}:80", 9000 + number),
            16 => format!("machine unexpose {name} --port {}:80", 9000 + number),
            17 => format!("machine start m{} --no-wait", rng.usize(..WRITTEN)),
            18 => format!("machine status {name}"),
            19..22 => format!("volume create 8M --name v{volume}"),
            22 => format!("volume resize v{volume} {}M", rng.u8(8..64)),
            23 => format!("volume rename v{volume} v{other}"),
            24 => format!("volume delete v{volume} -y"),
            25..27 => format!("machine volume attach {name} v{volume}"),
            27 => format!("machine volume detach {name} v{volume}"),
            28..30 => format!("network create n{network}"),
            30 => format!("network delete n{network}"),
            31 => format!("machine exec {name} true"),
            32 => "volume list".into(),
            _ => "machine list".into(),
        };
        let mut going = self.lab.start(&line, &[], Vec::new());
        if rng.u8(0..5) == 0 {
            std::thread::sleep(Duration::from_millis(rng.u64(0..1500)));
            going.kill();
            self.killed.fetch_add(1, Ordering::Relaxed);
        }
        let done = going.wait();
        let may = match done.status.code() {
            None | Some(0 | 1 | 3 | 4) => true,
            // A volume that is larger by now is not made smaller.
            Some(2) => line.starts_with("volume resize"),
            // The guest was stopped meanwhile.
            Some(255) => line.starts_with("machine exec"),
            _ => false,
        };
        assert!(may && !done.stderr.contains("panicked"), "{done}");
    }

    /// Has a guest write a file and remembers it once the guest says that it is on its disk.
    fn write(&self, rng: &mut Rng) {
        let name = name(rng.usize(..WRITTEN));
        let _ = self.lab.run(&format!("machine start {name}"));
        let status = self.lab.run(&format!("machine status {name} -o json"));
        let Ok(machine) = serde_json::from_slice::<serde_json::Value>(&status.stdout) else {
            return;
        };
        let id = machine["id"].as_str().unwrap_or_default();
        for _ in 0..5 {
            let file = format!("f{:016x}", rng.u64(..));
            let line = format!("machine exec {id} 'echo kept > /root/{file} && sync'");
            if self.lab.run(&line).status.success() {
                let mut kept = self.kept.lock().unwrap();
                kept.entry(id.into()).or_default().push(file);
            }
        }
    }

    fn kill_a_process(&self, rng: &mut Rng) {
        // The attendant is one of them.
        if let Some(pid) = rng.choice(self.lab.processes()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            self.killed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
