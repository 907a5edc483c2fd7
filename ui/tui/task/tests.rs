//! Tasks on a real engine, as far as they need no machine that runs; and what they are called.

use std::path::Path;
use std::sync::{Arc, Mutex};

use sistemo::config::Config;
use sistemo::engine::{Engine, Programs};
use sistemo::machine::{Request, Wishes};
use sistemo::value::{ByteSize, Variable};
use tokio_util::sync::CancellationToken;

use super::*;

fn engine(folder: &Path) -> Engine {
    let config = Config::load(Some(folder.into()), &|_| None).unwrap();
    let programs = Programs {
        guest: "/nowhere/sistemo-guest".into(),
        own: "/nowhere/sistemo".into(),
    };
    Engine::open(config, programs).unwrap()
}

/// Does a task. Gives the steps that it told of, and how it ended.
async fn does(engine: &Engine, task: Task) -> (Vec<String>, Outcome) {
    let news: Arc<Mutex<Vec<News>>> = Arc::default();
    let told = news.clone();
    let send = move |id, news| {
        assert_eq!(id, 7);
        told.lock().unwrap().push(news);
    };
    // On a thread of its own, as the console does.
    let (engine, runtime) = (engine.clone(), tokio::runtime::Handle::current());
    let running = tokio::task::spawn_blocking(move || {
        runtime.block_on(run(engine, 7, task, CancellationToken::new(), send));
    });
    running.await.unwrap();
    let mut steps = Vec::new();
    let mut ended = None;
    for news in news.lock().unwrap().drain(..) {
        assert!(ended.is_none(), "nothing is told after the end");
        match news {
            News::Event(sistemo::event::Event::Step { step }) => steps.push(step),
            News::Event(_) => {}
            News::Done(outcome) => ended = Some(outcome),
        }
    }
    (steps, ended.unwrap())
}

/// Does a task that ends well: what it says, and what takes it back.
async fn well(engine: &Engine, task: Task) -> (String, Option<Task>) {
    match does(engine, task).await.1 {
        Outcome::Well { says, undo, .. } => (says, undo.map(|undo| *undo)),
        other => panic!("{other:?}"),
    }
}

async fn failure(engine: &Engine, task: Task) -> Failure {
    match does(engine, task).await.1 {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_made_grows_is_renamed_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let create = Task::CreateVolume {
        name: Some("data".parse().unwrap()),
        size: ByteSize::mib(64),
    };
    let (steps, outcome) = does(&engine, create.clone()).await;
    assert_eq!(steps, ["making the volume data"]);
    let Outcome::Well {
        says, made, undo, ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (says.as_str(), made.as_deref()),
        ("data created", Some("data"))
    );
    let undo = *undo.unwrap();
    let volume = engine.machines().volume("data").unwrap();
    assert_eq!(undo, Task::DeleteVolume(Thing::new(&volume.id, "data")));
    // Again it cannot be made, and why is the engine's word.
    let refused = failure(&engine, create).await;
    assert!(refused.message.contains("data"), "{refused:?}");
    let data = Thing::from(&volume);
    let grow = Task::ResizeVolume {
        volume: data.clone(),
        size: ByteSize::mib(80),
    };
    assert_eq!(
        well(&engine, grow).await,
        ("data has 80 MiB now".into(), None)
    );
    let rename = Task::RenameVolume {
        volume: data.clone(),
        new: "kept".parse().unwrap(),
    };
    let (says, back) = well(&engine, rename).await;
    assert_eq!(says, "data is kept now");
    // Its identifier stays, so that what takes it back finds it.
    let (says, again) = well(&engine, back.unwrap()).await;
    assert_eq!(says, "kept is data now");
    assert_eq!(again.unwrap().order(), "rename data to kept");
    assert_eq!(well(&engine, undo).await, ("data deleted".into(), None));
    assert!(engine.machines().volumes().unwrap().is_empty());
    let gone = failure(&engine, Task::DeleteVolume(data)).await;
    assert!(gone.hint.is_some(), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_made_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let create = Task::CreateNetwork {
        name: "forms-test".parse().unwrap(),
        subnet: Some("10.253.77.0/24".parse().unwrap()),
    };
    let (says, undo) = well(&engine, create).await;
    assert_eq!(says, "forms-test created (10.253.77.0/24)");
    assert_eq!(undo, Some(Task::DeleteNetwork("forms-test".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_says_why_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    for task in [
        Task::Start("nothing".into()),
        Task::Stop {
            machine: "nothing".into(),
            force: true,
        },
        Task::Detach {
            machine: "nothing".into(),
            volume: "nothing".into(),
        },
        Task::DeleteImage("nothing".into()),
    ] {
        let failure = failure(&engine, task.clone()).await;
        assert!(failure.message.contains("nothing"), "{failure:?}");
        assert!(failure.hint.is_some(), "{failure:?}");
    }
    assert_eq!(
        well(&engine, Task::Prune { all: true }).await.0,
        "there was nothing to remove"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_taken_back_has_neither_failed_nor_been_done() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (send, receive) = std::sync::mpsc::channel();
    let task = Task::CreateVolume {
        name: None,
        size: ByteSize::gib(1),
    };
    let told = move |_, news| {
        let _ = send.send(news);
    };
    run(engine.clone(), 1, task, cancel, told).await;
    let last = receive.into_iter().last().unwrap();
    assert!(matches!(last, News::Done(Outcome::Cancelled)), "{last:?}");
    assert!(engine.machines().volumes().unwrap().is_empty());
}

fn everything() -> Vec<Task> {
    let web = || Thing::new("1234", "web");
    let data = || Thing::new("5678", "data");
    let port = || "8080:80".parse().unwrap();
    let variable = |text: &str| Variable::parse(text, &|_| None).unwrap();
    vec![
        Task::Setup,
        Task::Deploy(Box::new(Request {
            image: Some("https://ann:secret@images.example/disk.ext4".into()),
            memory: Some(ByteSize::mib(1536)),
            application: Wishes {
                env: vec![variable("TOKEN=secret")],
                entrypoint: Some(String::new()),
                command: vec!["sh".into(), "-c".into(), "echo $HOME".into()],
                ..Wishes::default()
            },
            ..Request::default()
        })),
        Task::Deploy(Box::new(Request {
            volume: Some("old-root".into()),
            ..Request::default()
        })),
        Task::Start(web()),
        Task::Stop {
            machine: web(),
            force: false,
        },
        Task::Stop {
            machine: web(),
            force: true,
        },
        Task::Restart(web()),
        Task::Pause(web()),
        Task::Resume(web()),
        Task::Snapshot {
            machine: web(),
            name: None,
        },
        Task::Snapshot {
            machine: web(),
            name: Some("early".parse().unwrap()),
        },
        Task::Restore {
            machine: web(),
            snapshot: "early".into(),
        },
        Task::DeleteSnapshot {
            machine: web(),
            snapshot: "early".into(),
        },
        Task::Fork {
            machine: web(),
            new: "shop".parse().unwrap(),
        },
        Task::Delete {
            machine: web(),
            keep_storage: true,
        },
        Task::Rename {
            machine: web(),
            new: "shop".parse().unwrap(),
        },
        Task::Expose {
            machine: web(),
            port: port(),
        },
        Task::Unexpose {
            machine: web(),
            port: "53:53/udp".parse().unwrap(),
        },
        Task::Attach {
            machine: web(),
            attachment: "data:/srv/my data".parse().unwrap(),
        },
        Task::Detach {
            machine: web(),
            volume: data(),
        },
        Task::CreateVolume {
            name: Some("data".parse().unwrap()),
            size: ByteSize::gib(10),
        },
        Task::CreateVolume {
            name: None,
            size: ByteSize::bytes(70_000_000),
        },
        Task::ResizeVolume {
            volume: data(),
            size: ByteSize::gib(20),
        },
        Task::RenameVolume {
            volume: data(),
            new: "photos".parse().unwrap(),
        },
        Task::DeleteVolume(data()),
        Task::CreateNetwork {
            name: "lab".parse().unwrap(),
            subnet: Some("10.77.0.0/24".parse().unwrap()),
        },
        Task::DeleteNetwork("lab".into()),
        Task::Pull("nginx:1.29".into()),
        Task::Build {
            reference: "debian".into(),
            name: Some("mine".into()),
        },
        Task::BuildDockerfile {
            folder: "app".into(),
            file: Some("app/Other".into()),
            name: None,
        },
        Task::DeleteImage(Thing::new("sha256:11", "nginx")),
        Task::Prune { all: true },
    ]
}

#[test]
fn every_task_has_a_title_an_order_and_a_command() {
    let lines: Vec<String> = everything()
        .iter()
        .map(|task| {
            format!(
                "{}\n  {}\n  $ {}",
                task.title(),
                task.order(),
                task.command_line()
            )
        })
        .collect();
    let text = lines.join("\n");
    assert!(!text.contains("secret"));
    insta::assert_snapshot!(text);
}
