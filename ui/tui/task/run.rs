//! Doing a task on the engine.

use std::sync::Arc;
use std::time::Duration;

use sistemo::engine::Engine;
use sistemo::error::{Error, Kind};
use sistemo::event::Progress;
use sistemo::image::{Dockerfile, Prune};
use sistemo::machine::{ForkRequest, Machine};
use sistemo::store::machines::Status;
use sistemo::value::{ByteSize, PortMapping};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::setup::set_up;
use super::undo::Before;
use super::{Failure, News, Outcome, Task, TaskId, Thing};

/// Does a task, and tells how it goes and, last, how it ended.
pub(crate) async fn run(
    engine: Engine,
    id: TaskId,
    task: Task,
    cancel: CancellationToken,
    send: impl Fn(TaskId, News) + Send + Sync + 'static,
) {
    let send = Arc::new(send);
    let before = Before::of(&task, &engine);
    let progress = {
        let (send, pace) = (send.clone(), Pace::default());
        Progress::new(move |event| {
            if pace.lets_pass(&event) {
                send(id, News::Event(event));
            }
        })
    };
    let outcome = match Box::pin(act(&engine, &task, &progress, &cancel)).await {
        Ok(done) => Outcome::Well {
            undo: task.opposite(&before, done.thing.clone()).map(Box::new),
            says: done.says,
            hint: done.hint,
            made: done.thing.map(|thing| thing.name().to_owned()),
        },
        Err(Trouble::Cancelled) => Outcome::Cancelled,
        Err(Trouble::Failed(failure)) => Outcome::Failed(failure),
    };
    send(id, News::Done(outcome));
}

/// What came of a task.
pub(super) struct Done {
    pub(super) says: String,
    pub(super) hint: Option<String>,
    pub(super) thing: Option<Thing>,
}

impl Done {
    pub(super) fn says(says: impl Into<String>) -> Done {
        Done {
            says: says.into(),
            hint: None,
            thing: None,
        }
    }

    fn of(says: impl Into<String>, thing: impl Into<Thing>) -> Done {
        Done {
            thing: Some(thing.into()),
            ..Done::says(says)
        }
    }
}

/// Why nothing came of it.
pub(super) enum Trouble {
    Failed(Failure),
    Cancelled,
}

impl<T: Into<Error>> From<T> for Trouble {
    fn from(error: T) -> Self {
        let error = error.into();
        match error.kind() {
            Kind::Cancelled => Trouble::Cancelled,
            _ => Trouble::Failed(Failure::from(&error)),
        }
    }
}

async fn act(
    engine: &Engine,
    task: &Task,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Done, Trouble> {
    let (machines, images) = (engine.machines(), engine.images());
    let done = match task {
        Task::Setup => set_up(engine, progress, cancel).await?,
        Task::Deploy(request) => {
            let machine = machines.deploy(request, progress, cancel).await?;
            deployed(&machine, request.no_wait)
        }
        Task::Start(machine) => {
            let machine = machines
                .start(machine.key(), false, progress, cancel)
                .await?;
            Done::of(format!("{} started", machine.name), &machine)
        }
        Task::Stop { machine, force } => {
            let grace = match force {
                true => Duration::ZERO,
                false => engine.config().stop_timeout,
            };
            let machine = machines
                .stop(machine.key(), grace, progress, cancel)
                .await?;
            Done::of(format!("{} stopped", machine.name), &machine)
        }
        Task::Restart(machine) => {
            let grace = engine.config().stop_timeout;
            let machine = machines
                .restart(machine.key(), grace, progress, cancel)
                .await?;
            Done::of(format!("{} restarted", machine.name), &machine)
        }
        Task::Pause(machine) => {
            let machine = machines.pause(machine.key(), progress, cancel).await?;
            Done::of(format!("{} paused", machine.name), &machine)
        }
        Task::Resume(machine) => {
            let machine = machines.resume(machine.key(), progress, cancel).await?;
            Done::of(format!("{} goes on", machine.name), &machine)
        }
        Task::Snapshot { machine, name } => {
            let made = machines
                .create_snapshot(machine.key(), name.as_ref(), progress, cancel)
                .await?;
            let used = ByteSize::bytes(made.used_bytes);
            let says = format!("snapshot {} of {machine} made ({used})", made.name);
            Done::of(says, made.name.as_str())
        }
        Task::Restore { machine, snapshot } => {
            let restored = machines
                .restore(machine.key(), snapshot, false, progress, cancel)
                .await?;
            let says = format!("{machine} is as it was at {snapshot}");
            let done = Done::of(says, &restored);
            Done {
                hint: (restored.status == Status::Stopped).then(|| "it is stopped".into()),
                ..done
            }
        }
        Task::DeleteSnapshot { machine, snapshot } => {
            machines
                .delete_snapshot(machine.key(), snapshot, progress, cancel)
                .await?;
            Done::says(format!("snapshot {snapshot} of {machine} deleted"))
        }
        Task::Fork { machine, new } => {
            let request = ForkRequest {
                name: Some(new.clone()),
                ..ForkRequest::default()
            };
            let forked = machines
                .fork(machine.key(), &request, progress, cancel)
                .await?;
            deployed(&forked, false)
        }
        Task::Delete {
            machine,
            keep_storage,
        } => {
            let key = machine.key();
            machines
                .delete(key, *keep_storage, progress, cancel)
                .await?;
            let done = Done::says(format!("{machine} deleted"));
            Done {
                hint: keep_storage.then(|| format!("its disk is kept: {machine}-root")),
                ..done
            }
        }
        Task::Rename { machine, new } => {
            let renamed = machines
                .rename(machine.key(), new, progress, cancel)
                .await?;
            Done::of(format!("{machine} is {new} now"), &renamed)
        }
        Task::Expose { machine, port } => {
            let machine = machines
                .expose(machine.key(), port, progress, cancel)
                .await?;
            Done::of(leads(port, &machine), &machine)
        }
        Task::Unexpose { machine, port } => {
            let machine = machines
                .unexpose(machine.key(), port, progress, cancel)
                .await?;
            let says = format!("port {}/{} is free", port.host, port.protocol);
            Done::of(says, &machine)
        }
        Task::Attach {
            machine,
            attachment,
        } => {
            let key = machine.key();
            let volume = machines
                .attach_volume(key, attachment, progress, cancel)
                .await?;
            let path = volume.mount_path.clone().unwrap_or_default();
            let says = format!("{} belongs to {machine} and will be at {path}", volume.name);
            Done::of(says, &volume)
        }
        Task::Detach { machine, volume } => {
            let (key, volume) = (machine.key(), volume.key());
            let volume = machines
                .detach_volume(key, volume, progress, cancel)
                .await?;
            Done::of(format!("{} is available", volume.name), &volume)
        }
        Task::CreateVolume { name, size } => {
            let made = machines
                .create_volume(name.as_ref(), *size, progress, cancel)
                .await?;
            Done::of(format!("{} created", made.name), &made)
        }
        Task::ResizeVolume { volume, size } => {
            let key = volume.key();
            let grown = machines.resize_volume(key, *size, progress, cancel).await?;
            let size = ByteSize::bytes(grown.size_bytes);
            Done::of(format!("{} has {size} now", grown.name), &grown)
        }
        Task::RenameVolume { volume, new } => {
            let renamed = machines.rename_volume(volume.key(), new).await?;
            Done::of(format!("{volume} is {new} now"), &renamed)
        }
        Task::DeleteVolume(volume) => {
            machines
                .delete_volume(volume.key(), progress, cancel)
                .await?;
            Done::says(format!("{volume} deleted"))
        }
        Task::CreateNetwork { name, subnet } => {
            let made = machines.create_network(name, *subnet).await?;
            Done::of(
                format!("{} created ({})", made.name, made.subnet),
                made.name.as_str(),
            )
        }
        Task::DeleteNetwork(name) => {
            machines.delete_network(name).await?;
            Done::says(format!("{name} deleted"))
        }
        Task::Pull(reference) => {
            let image = images.pull(reference, progress, cancel).await?;
            Done::of(format!("{} is here ({})", image.name, image.used), &image)
        }
        Task::Build { reference, name } => {
            let image = images
                .build(reference, name.as_deref(), progress, cancel)
                .await?;
            Done::of(format!("{} is built ({})", image.name, image.used), &image)
        }
        Task::BuildDockerfile { folder, file, name } => {
            let what = Dockerfile {
                file: file.clone(),
                context: folder.clone(),
                name: name.clone(),
                ..Dockerfile::default()
            };
            let image = images.build_dockerfile(&what, progress, cancel).await?;
            Done::of(format!("{} is built ({})", image.name, image.used), &image)
        }
        Task::DeleteImage(image) => {
            let (images, key) = (images.clone(), image.key().to_owned());
            // It waits for whoever is at the images, and removes large files.
            beside(move || images.delete(&key)).await??;
            Done::says(format!("{image} deleted"))
        }
        Task::Prune { all } => {
            let removed = images.prune(Prune { all: *all }).await?;
            let bytes = removed.iter().map(|removal| removal.bytes.as_u64()).sum();
            Done::says(match removed.len() {
                0 => "there was nothing to remove".into(),
                1 => format!(
                    "{} removed, {} more free",
                    removed[0].name,
                    ByteSize::bytes(bytes)
                ),
                count => format!(
                    "{count} things removed, {} more free",
                    ByteSize::bytes(bytes)
                ),
            })
        }
    };
    Ok(done)
}

/// Runs what would keep a thread of the runtime from its work.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(|panicked| {
        Trouble::Failed(Failure {
            message: panicked.to_string(),
            hint: None,
            detail: None,
        })
    })
}

fn leads(port: &PortMapping, machine: &Machine) -> String {
    format!(
        "port {}/{} leads to port {} of {}",
        port.host, port.protocol, port.machine, machine.name
    )
}

fn deployed(machine: &Machine, no_wait: bool) -> Done {
    let name = &machine.name;
    let state = match (machine.status, no_wait) {
        (Status::Stopped, _) => "has done its work and ended",
        (_, true) => "is starting",
        (_, false) => "is ready",
    };
    let address = match (&machine.ip, machine.status) {
        (Some(ip), Status::Running) => format!(" at {ip}"),
        _ => String::new(),
    };
    let listens = |port: &&String| {
        let inside = port.parse::<PortMapping>();
        let leads = |inside: PortMapping| {
            let mut ports = machine.ports.iter();
            ports
                .any(|port| (port.machine_port, port.protocol) == (inside.machine, inside.protocol))
        };
        inside.is_ok_and(|inside| !leads(inside))
    };
    let unexposed: Vec<&str> = machine
        .exposed_ports
        .iter()
        .filter(listens)
        .map(String::as_str)
        .collect();
    let hint = (!unexposed.is_empty()).then(|| {
        format!(
            "it listens on {}, and no port of this computer leads there yet",
            unexposed.join(", ")
        )
    });
    Done {
        hint,
        ..Done::of(format!("{name} {state}{address}"), machine)
    }
}
