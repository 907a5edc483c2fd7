//! A model for tests: a few machines, volumes, images and networks that no engine has, at a time that stands still.

use std::sync::Arc;
use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use sistemo::config::Config;
use sistemo::engine::{Engine, Programs};
use sistemo::guest::words::Restart;
use sistemo::image::{Image, ImageConfig};
use sistemo::machine::{Machine, Network, Port};
use sistemo::store::machines::Status;
use sistemo::value::{ByteSize, Protocol};
use sistemo::volume::Volume;

use crate::tui::keymap::Keymap;
use crate::tui::log::Saves;
use crate::tui::model::logs::Logs;
use crate::tui::model::place::View;
use crate::tui::model::themes::Themes;
use crate::tui::model::world::World;
use crate::tui::model::{Clock, Model, Start};
use crate::tui::pane::{self, Workspace};
use crate::tui::popup::Popup;
use crate::tui::remembered::Remembered;
use crate::tui::settings::Settings;
use crate::tui::task::Failure;
use crate::tui::theme::{Depth, Glyphs, Kind};

/// A model of a screen of that size, with [`world`].
pub(crate) fn model(columns: u16, rows: u16) -> Model {
    // Of no use but for its settings: the folder is gone at once.
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(Some(folder.path().into()), &|_| None).unwrap();
    let programs = Programs {
        guest: "/nowhere/sistemo-guest".into(),
        own: "/nowhere/sistemo".into(),
    };
    let engine = Engine::open(config, programs).unwrap();
    let failure = || Failure {
        message: "there is no log".into(),
        hint: None,
        detail: None,
    };
    let mut model = Model::new(Start {
        size: (columns, rows),
        settings: Settings::default(),
        config: engine.config().clone(),
        keymap: Keymap::default(),
        themes: Themes {
            depth: Depth::True,
            glyphs: Glyphs::unicode(),
            folders: Vec::new(),
            background: Kind::Dark,
        },
        workspace: Workspace::new(Arc::new(engine.machines().clone()), Arc::new(|| {}), 100),
        remembered: Remembered::default(),
        logs: Logs {
            open: Arc::new(move |_, _| Err(failure())),
            notify: Arc::new(|| {}),
            saves: Saves::default(),
        },
    });
    model.clock = Clock {
        now: "2026-03-01T12:00:00Z".parse().unwrap(),
        zone: TimeZone::UTC,
        instant: Instant::now(),
    };
    model.host.memory = Some((ByteSize::gib(16), ByteSize::gib(8)));
    model.world = world();
    model
}

/// `web` runs from `nginx` and has two data volumes, `db` is stopped, `broken` has failed.
pub(crate) fn world() -> World {
    let mut web = machine("web", Status::Running);
    web.image = Some("nginx".into());
    web.image_digest = Some("sha256:22".into());
    web.exposed_ports = vec!["80/tcp".into(), "443/tcp".into()];
    web.ports = vec![Port {
        host_port: 8080,
        machine_port: 80,
        protocol: Protocol::Tcp,
    }];
    web.volumes
        .push(volume("photos", 10, 3 << 30, Some(("web", "/mnt/photos"))));
    web.volumes
        .push(volume("music", 20, 1 << 30, Some(("web", "/srv/music"))));
    let db = machine("db", Status::Stopped);
    let broken = machine("broken", Status::Failed);
    let machines = vec![broken, db, web];
    let mut volumes: Vec<Volume> = machines
        .iter()
        .flat_map(|machine| machine.volumes.clone())
        .collect();
    volumes.push(volume("data", 5, 4 << 20, None));
    volumes.push(volume("backup", 100, 40 << 30, None));
    let mut kept = volume("old-root", 2, 300 << 20, None);
    kept.role = "root".into();
    volumes.push(kept);
    World {
        is_known: true,
        machines,
        volumes,
        images: vec![
            image("debian:trixie", "sha256:11", None),
            image("nginx", "sha256:22", Some(&["80/tcp"])),
            image("team/app:3", "sha256:33", Some(&["8000/tcp", "53/udp"])),
        ],
        networks: vec![
            network("default", "10.200.0.0/24", &["broken", "db", "web"]),
            network("lab", "10.201.0.0/24", &[]),
        ],
        ..World::default()
    }
}

/// A machine with a root volume.
pub(crate) fn machine(name: &str, status: Status) -> Machine {
    let runs = matches!(
        status,
        Status::Running | Status::Paused | Status::Starting | Status::Stopping
    );
    let mut root = volume(&format!("{name}-root"), 2, 340 << 20, Some((name, "/")));
    root.role = "root".into();
    Machine {
        id: format!("{name}-id"),
        name: name.into(),
        status,
        image: Some("debian".into()),
        image_digest: Some("sha256:11".into()),
        ip: Some("10.200.0.2".into()),
        mac: None,
        namespace: None,
        network: Some("default".into()),
        vcpus: 2,
        memory_bytes: 512 << 20,
        command: None,
        environment: Vec::new(),
        user: None,
        workdir: None,
        exposed_ports: Vec::new(),
        restart: Restart::No,
        bandwidth_mbps: None,
        iops: None,
        vmm: Some("qemu".into()),
        accelerator: Some("kvm".into()),
        pid: runs.then_some(4711),
        created_at: "2026-03-01T10:00:00Z".into(),
        started_at: runs.then(|| "2026-03-01T11:00:00Z".into()),
        failure: None,
        boot_log: None,
        volumes: vec![root],
        ports: Vec::new(),
    }
}

/// A data volume of so many GiB, of which `used` bytes are in use, and whose it is and where.
pub(crate) fn volume(name: &str, size: u64, used: u64, owner: Option<(&str, &str)>) -> Volume {
    Volume {
        id: format!("{name}-id"),
        name: name.into(),
        role: "data".into(),
        status: if owner.is_some() {
            "attached"
        } else {
            "available"
        }
        .into(),
        size_bytes: size << 30,
        used_bytes: Some(used),
        path: format!("/nowhere/{name}.ext4").into(),
        machine: owner.map(|(machine, _)| machine.into()),
        mount_path: owner.map(|(_, path)| path.into()),
        created_at: "2026-03-01T10:00:00Z".into(),
    }
}

fn image(name: &str, digest: &str, ports: Option<&[&str]>) -> Image {
    Image {
        name: name.into(),
        names: vec![name.into()],
        digest: digest.into(),
        size: ByteSize::gib(1),
        used: ByteSize::mib(180),
        source: "registry".into(),
        path: "/nowhere".into(),
        config: ports.map(|ports| ImageConfig {
            cmd: vec!["run".into()],
            exposed_ports: ports.iter().map(ToString::to_string).collect(),
            ..ImageConfig::default()
        }),
        created_at: "2026-03-01T09:00:00Z".into(),
    }
}

fn network(name: &str, subnet: &str, machines: &[&str]) -> Network {
    Network {
        name: name.into(),
        subnet: subnet.parse().unwrap(),
        gateway: "10.200.0.1".parse().unwrap(),
        bridge: format!("sis-{name}"),
        machines: machines.iter().map(ToString::to_string).collect(),
        created_at: "2026-03-01T09:00:00Z".into(),
    }
}

/// Opens a pane in `web` and goes to the shells. As nobody sees it, nothing is connected.
pub(crate) fn with_shell(mut model: Model) -> Model {
    let web = model.world.machine("web").map(pane::Machine::from);
    model.workspace.open(web.unwrap(), pane::Place::Tab);
    model.place.view = View::Panes;
    model
}

/// The events of typing: letters as they are, and keys by their names in angle brackets: `web<tab><ctrl-s>`.
pub(crate) fn typed(text: &str) -> Vec<KeyEvent> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((name, more)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            let combination: crokey::KeyCombination = name.parse().unwrap();
            let event: KeyEvent = combination.into();
            // As crossterm tells of it.
            keys.push(match (event.code, event.modifiers) {
                (KeyCode::Tab, KeyModifiers::SHIFT) => {
                    KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)
                }
                _ => event,
            });
            rest = more;
        } else {
            let modifiers = match letter.is_uppercase() {
                true => KeyModifiers::SHIFT,
                false => KeyModifiers::NONE,
            };
            keys.push(KeyEvent::new(KeyCode::Char(letter), modifiers));
            rest = &rest[letter.len_utf8()..];
        }
    }
    keys
}

/// A click with the left button.
pub(crate) fn click(column: u16, row: u16) -> MouseEvent {
    MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column,
        row,
        modifiers: KeyModifiers::NONE,
    }
}

/// What a popup looks like on a screen of the model's size, as text, with `▏` where the cursor is.
pub(crate) fn drawn(popup: &dyn Popup, model: &Model) -> String {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buffer = Buffer::empty(area);
    let cursor = popup.draw(model, area, &mut buffer);
    text(&buffer, cursor)
}

/// The text of a buffer, in lines without blanks at their ends.
pub(crate) fn text(buffer: &Buffer, cursor: Option<Position>) -> String {
    let area = buffer.area();
    let line = |y: u16| {
        let mut line = String::new();
        let mut skipped = 0;
        for x in area.x..area.right() {
            let symbol = buffer[(x, y)].symbol();
            if skipped > 0 {
                skipped -= 1;
                continue;
            }
            skipped = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            match cursor == Some(Position { x, y }) && symbol.trim().is_empty() {
                true => line.push('▏'),
                false => line.push_str(symbol),
            }
        }
        line.trim_end().to_owned()
    };
    let lines: Vec<String> = (area.y..area.bottom()).map(line).collect();
    lines.join("\n").trim_end().to_owned()
}
