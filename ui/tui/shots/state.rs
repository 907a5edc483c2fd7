//! What the pictures show: an engine of its own in a folder of its own, with rows, files and history as they would be on a
//! computer that is in use. No machine runs: of those that do, the rows are there, and the readings are made up.

use std::path::Path;

use jiff::Timestamp;
use sistemo::config::Config;
use sistemo::engine::{Engine, Programs};
use sistemo::event::Progress;
use sistemo::guest::words::Restart;
use sistemo::machine::Stats;
use sistemo::store::history::HistoryRow;
use sistemo::store::machines::{Limits, MachineRow, Spec, Status};
use sistemo::store::operations::{OperationKind, OperationRow};
use sistemo::store::volumes::{Role, VolumeRow};
use sistemo::value::{ByteSize, MachineId};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::tui::model::host::Host;
use crate::tui::model::world::World;
use crate::tui::observe;

/// When the pictures are taken.
pub(super) const NOW: &str = "2026-03-14T09:26:53Z";
/// The boot log of a Debian, as `sistemo machine logs` wrote it.
const BOOT_LOG: &[u8] = include_bytes!("recordings/boot.log");

/// A machine: its name, status and image, its processors, MiB of memory, minutes since its start, and port of the host.
type Row = (
    &'static str,
    Status,
    &'static str,
    u8,
    u64,
    i64,
    Option<&'static str>,
);

const MACHINES: [Row; 9] = [
    ("build", Status::Stopped, "debian:trixie", 4, 4096, 0, None),
    ("cache", Status::Running, "redis:8", 1, 512, 3 * 1440, None),
    (
        "db",
        Status::Running,
        "postgres:17",
        2,
        2048,
        3 * 1440,
        Some("5432:5432"),
    ),
    (
        "gitea",
        Status::Running,
        "gitea/gitea:1.25",
        2,
        1024,
        1440,
        Some("3000:3000"),
    ),
    ("mail", Status::Failed, "alpine:3.22", 1, 256, 0, None),
    (
        "web",
        Status::Running,
        "debian",
        2,
        1024,
        167,
        Some("8080:80"),
    ),
    (
        "web-2",
        Status::Running,
        "debian",
        2,
        1024,
        51,
        Some("8081:80"),
    ),
    ("wiki", Status::Stopped, "ubuntu:24.04", 1, 1024, 0, None),
    (
        "worker",
        Status::Starting,
        "python:3.13-slim",
        2,
        1024,
        0,
        None,
    ),
];

/// The machine that a volume is attached to, and where.
type Owner = Option<(&'static str, &'static str)>;

/// Volumes that are made for real: name, GiB, and the machine and folder that they are attached at.
const VOLUMES: [(&str, u64, Owner); 4] = [
    ("backups", 2, None),
    ("pgdata", 1, Some(("db", "/var/lib/postgresql/data"))),
    ("photos", 1, Some(("web", "/srv/photos"))),
    ("scratch", 1, None),
];

const HISTORY: [(&str, &str, &str, i64, Option<&str>); 8] = [
    ("machine", "deploy", "db", 8_412, None),
    ("machine", "deploy", "web", 4_903, None),
    ("volume", "attach", "photos", 61, None),
    ("machine", "expose", "web", 18, None),
    ("machine", "stop", "wiki", 2_377, None),
    (
        "machine",
        "deploy",
        "mail",
        30_112,
        Some("the kernel of mail panicked: not syncing: no working init found"),
    ),
    ("machine", "restart", "web-2", 6_020, None),
    ("image", "pull", "python:3.13-slim", 11_940, None),
];

/// The engine, and the folder that it is in.
pub(super) struct State {
    pub(super) engine: Engine,
    folder: TempDir,
}

pub(super) fn minutes_ago(minutes: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    (now - jiff::Span::new().minutes(minutes)).to_string()
}

/// The number of a machine in the list makes its identifier and address.
fn id(number: usize) -> MachineId {
    format!("5e1f{number:04x}-3c5d-4e8a-9b21-7d40c0ffee{number:02x}")
        .parse()
        .unwrap()
}

impl State {
    pub(super) async fn new() -> State {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        // As the settings are by themselves, whoever runs the tests.
        let config = Config::load(Some(data), &|_| None).unwrap();
        let programs = Programs {
            guest: "sistemo-guest".into(),
            own: "sistemo".into(),
        };
        let engine = Engine::open(config, programs).unwrap();
        let state = State { engine, folder };
        state.images().await;
        state.machines();
        state.volumes().await;
        state
    }

    async fn images(&self) {
        let silent = Progress::silent();
        for (number, name) in ["debian", "postgres:17", "redis:8", "python:3.13-slim"]
            .into_iter()
            .enumerate()
        {
            let path = self.folder.path().join(format!("{number}.tar"));
            let mut archive = tar::Builder::new(std::fs::File::create(&path).unwrap());
            let (mut header, text) = (tar::Header::new_gnu(), format!("{name}\n"));
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, "etc/os-release", text.as_bytes())
                .unwrap();
            archive.finish().unwrap();
            let (images, never) = (self.engine.images(), CancellationToken::new());
            images
                .import(&path, Some(name), &silent, &never)
                .await
                .unwrap();
        }
    }

    fn machines(&self) {
        let store = self.engine.store();
        let network = "default".parse().unwrap();
        store
            .ensure_network(&network, "10.200.0.0/16".parse().unwrap())
            .unwrap();
        store
            .ensure_network(&"lab".parse().unwrap(), "10.201.0.0/24".parse().unwrap())
            .unwrap();
        for (number, (name, status, image, vcpus, mebibytes, minutes, port)) in
            MACHINES.into_iter().enumerate()
        {
            let id = id(number);
            let ip = std::net::Ipv4Addr::new(10, 200, 1, u8::try_from(number + 2).unwrap());
            let spec = Spec {
                vcpus,
                memory: ByteSize::bytes(mebibytes << 20),
                command: None,
                exposed: Vec::new(),
                restart: Restart::OnFailure,
                limits: Limits::default(),
                vmm: None,
            };
            let row = MachineRow {
                id,
                name: name.parse().unwrap(),
                status,
                spec,
                image: Some(image.into()),
                image_digest: None,
                network: Some(network.clone()),
                ip: Some(ip),
                mac: Some(sistemo::network::mac_for(ip).to_string()),
                host_key: None,
                vmm: None,
                accelerator: None,
                process: None,
                failure: None,
                created_at: minutes_ago(4 * 1440 + 7 * i64::try_from(number).unwrap()),
                started_at: None,
            };
            let begins = OperationRow {
                machine: id,
                kind: OperationKind::Deploy,
                detail: "{}".into(),
                step: 0,
                undoing: false,
            };
            assert!(store.add_machine(&row, &begins).unwrap());
            let failure =
                (status == Status::Failed).then_some("its kernel panicked: no working init found");
            store.end_operation(&id, status, failure).unwrap();
            store
                .set_started(&id, "qemu", "kvm", &minutes_ago(minutes))
                .unwrap();
            if let Some(port) = port {
                assert_eq!(store.claim_port(&id, &port.parse().unwrap()).unwrap(), None);
            }
            let log = self.engine.paths().console(&id);
            std::fs::create_dir_all(log.parent().unwrap()).unwrap();
            std::fs::write(log, BOOT_LOG).unwrap();
            self.root_volume(number, name);
        }
    }

    fn root_volume(&self, number: usize, name: &str) {
        let path = self
            .folder
            .path()
            .join(format!("data/volumes/{name}-root.ext4"));
        std::fs::File::create(&path)
            .unwrap()
            .set_len(10 << 30)
            .unwrap();
        let row = VolumeRow {
            id: MachineId::new().to_string(),
            name: format!("{name}-root").parse().unwrap(),
            role: Role::Root,
            size: ByteSize::bytes(10 << 30),
            path,
            machine: Some(id(number)),
            mount_path: Some("/".into()),
            image_digest: None,
            doing: None,
            created_at: minutes_ago(4 * 1440),
        };
        assert!(self.engine.store().add_volume(&row).unwrap());
    }

    async fn volumes(&self) {
        let (silent, never) = (Progress::silent(), CancellationToken::new());
        for (name, gibibytes, owner) in VOLUMES {
            let (machines, size) = (self.engine.machines(), ByteSize::bytes(gibibytes << 30));
            let name = name.parse().unwrap();
            let made = machines
                .create_volume(Some(&name), size, &silent, &never)
                .await
                .unwrap();
            if let Some((machine, path)) = owner {
                let number = MACHINES.iter().position(|row| row.0 == machine).unwrap();
                assert!(
                    self.engine
                        .store()
                        .claim_volume(&made.id, &id(number), path)
                        .unwrap()
                );
            }
        }
        for (number, (target, action, name, duration_ms, error)) in HISTORY.into_iter().enumerate()
        {
            let row = HistoryRow {
                id: 0,
                at: minutes_ago(180 - 20 * i64::try_from(number).unwrap()),
                user: Some("ada".into()),
                action: action.into(),
                target: target.into(),
                name: name.into(),
                duration_ms,
                ok: error.is_none(),
                error: error.map(Into::into),
            };
            self.engine.store().add_history(&row).unwrap();
        }
    }

    /// What the console reads; times, places and sizes on disk that no two runs have in common are put in order.
    pub(super) fn world(&self) -> World {
        let mut world = observe::read(&self.engine).unwrap();
        let place = |path: &Path| {
            Path::new("/var/lib/sistemo")
                .join(path.strip_prefix(self.folder.path().join("data")).unwrap())
        };
        for (number, volume) in world.volumes.iter_mut().enumerate() {
            settle_volume(number, volume, &place);
        }
        for volume in world
            .machines
            .iter_mut()
            .flat_map(|machine| &mut machine.volumes)
        {
            let number = usize::from(volume.name.as_bytes()[0]);
            settle_volume(number, volume, &place);
        }
        for (number, image) in world.images.iter_mut().enumerate() {
            let number = u64::try_from(number).unwrap();
            image.path = place(&image.path);
            image.source = "docker.io".into();
            image.size = ByteSize::bytes((301 + 97 * number) << 20);
            image.used = ByteSize::bytes((118 + 61 * number) << 20);
            image.created_at = minutes_ago(5 * 1440);
        }
        for network in &mut world.networks {
            network.created_at = minutes_ago(6 * 1440);
        }
        // What was really done here took its time.
        world
            .history
            .retain(|row| row.user.as_deref() == Some("ada"));
        *world
    }
}

fn settle_volume(
    number: usize,
    volume: &mut sistemo::volume::Volume,
    place: &dyn Fn(&Path) -> std::path::PathBuf,
) {
    let number = u64::try_from(number).unwrap();
    volume.id = format!(
        "9a70{number:04x}-66d1-4b7e-8f5c-2b1a0ddba11{:x}",
        number % 16
    );
    volume.path = place(&volume.path).with_file_name(format!("{}.ext4", volume.id));
    volume.used_bytes = Some(volume.size_bytes / 64 * (3 + 7 * number % 43));
    volume.created_at = minutes_ago(4 * 1440);
}

/// This computer.
pub(super) fn host() -> Host {
    let gibibytes = |count: u64| ByteSize::bytes(count << 30);
    Host {
        name: "atlas".into(),
        accelerator: Some("kvm".into()),
        processors: 16,
        busy_percent: Some(23.0),
        memory: Some((gibibytes(64), gibibytes(41))),
        disk: Some((gibibytes(931), gibibytes(407))),
        lacks: Vec::new(),
        supervisor: Some(1207),
    }
}

/// The readings of a minute, one after the other.
pub(super) fn readings(world: &World) -> impl Iterator<Item = Vec<Stats>> {
    let running: Vec<_> = world
        .machines
        .iter()
        .filter(|machine| machine.status == Status::Running)
        .cloned()
        .collect();
    // xorshift: noise that is the same on every computer.
    let mut noise = 0x2545_f491_u32;
    (0..60u32).map(move |second| {
        let read = |(number, machine): (usize, &sistemo::machine::Machine)| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let wave =
                [10, 14, 22, 35, 52, 60, 47, 30, 18, 12][(second as usize / 3 + 4 * number) % 10];
            let place = u32::try_from(number).unwrap();
            let percent =
                f64::from(u32::from(machine.vcpus) * (wave * (2 + place % 3) / 3 + noise % 9));
            let memory = machine.memory_bytes / 100
                * u64::from(31 + 9 * (place % 4) + second / 2 + noise % 8);
            Stats {
                time: NOW.into(),
                id: machine.id.clone(),
                name: machine.name.clone(),
                status: machine.status,
                pid: Some(4000),
                uptime_ns: None,
                vcpus: machine.vcpus,
                cpu_percent: Some(percent),
                cpu_time_ns: None,
                memory_bytes: Some(memory),
                memory_limit_bytes: machine.memory_bytes,
                memory_percent: Some(memory as f64 * 100.0 / machine.memory_bytes as f64),
                disk_read_bytes: None,
                disk_write_bytes: None,
                disk_read_bytes_per_second: Some(f64::from(noise % 40) * 1024.0),
                disk_write_bytes_per_second: Some(f64::from(noise % 900) * 1024.0),
                network_rx_bytes: None,
                network_tx_bytes: None,
                network_rx_bytes_per_second: Some(percent * 1800.0),
                network_tx_bytes_per_second: Some(percent * 5200.0),
                threads: Some(4),
            }
        };
        running.iter().enumerate().map(read).collect()
    })
}
