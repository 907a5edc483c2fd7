//! Questions before harm.

use insta::assert_snapshot;

use super::{SIZES, Step, commands, only_closes, press, tasks};
use crate::tui::fixture::{click, drawn, model};
use crate::tui::popup::{self, Popup, confirm};
use crate::tui::task::{Task, Thing};

fn thing(name: &str) -> Thing {
    Thing::new(format!("{name}-id"), name)
}

fn delete(name: &str) -> Task {
    Task::Delete {
        machine: thing(name),
        keep_storage: false,
    }
}

fn stop(name: &str, force: bool) -> Task {
    Task::Stop {
        machine: thing(name),
        force,
    }
}

fn ask(tasks: &[Task], size: (u16, u16)) -> Box<dyn Popup> {
    confirm::for_tasks(tasks.to_vec(), &model(size.0, size.1)).expect("it asks")
}

/// What a question says, without its frame.
fn words(tasks: &[Task]) -> String {
    let model = model(70, 24);
    let text = drawn(&*ask(tasks, (70, 24)), &model);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines = lines.map(|line| {
        line.trim()
            .trim_matches(['┃', '┏', '┓', '┗', '┛', '━', ' '])
    });
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_log_is_saved_in_the_folder_that_is_meant() {
    let model = model(80, 24);
    let mut popup = popup::save_log("");
    let steps = press(&mut *popup, &model, "~/web.log<enter>");
    let home = std::env::var("HOME").unwrap();
    let saves = steps.into_iter().find_map(|step| match step {
        Step::SaveLog { path, .. } => Some(path),
        _ => None,
    });
    assert_eq!(saves, Some(format!("{home}/web.log").into()));
}

#[test]
fn what_does_no_harm_is_not_asked() {
    let model = model(80, 24);
    let harmless = [
        Task::Start(thing("db")),
        Task::Pull("nginx".into()),
        stop("db", false),
        Task::Restart(thing("broken")),
        Task::Rename {
            machine: thing("db"),
            new: "shop".parse().unwrap(),
        },
    ];
    for task in harmless {
        assert!(
            confirm::for_tasks(vec![task.clone()], &model).is_none(),
            "{task:?}"
        );
    }
}

#[test]
fn a_question_fits_every_screen() {
    for size in SIZES {
        let model = model(size.0, size.1);
        let name = format!("delete-web-{}x{}", size.0, size.1);
        assert_snapshot!(name, drawn(&*ask(&[delete("web")], size), &model));
    }
    let all = [delete("web"), delete("db"), delete("broken")];
    for size in [(80, 24), (40, 12)] {
        let model = model(size.0, size.1);
        let name = format!("delete-three-{}x{}", size.0, size.1);
        assert_snapshot!(name, drawn(&*ask(&all, size), &model));
    }
}

#[test]
fn every_question_names_what_ends() {
    let asked = [
        words(&[stop("web", false)]),
        words(&[stop("web", true)]),
        words(&[stop("web", true), stop("db", true)]),
        words(&[Task::Restart(thing("web"))]),
        words(&[delete("db")]),
        words(&[Task::DeleteVolume(thing("data"))]),
        words(&[Task::DeleteVolume(thing("backup"))]),
        words(&[Task::DeleteVolume(thing("old-root"))]),
        words(&[
            Task::DeleteVolume(thing("data")),
            Task::DeleteVolume(thing("backup")),
        ]),
        words(&[Task::DeleteNetwork("lab".into())]),
        words(&[Task::DeleteImage(Thing::new("sha256:22", "nginx"))]),
        words(&[Task::Detach {
            machine: thing("web"),
            volume: thing("photos"),
        }]),
        words(&[Task::Unexpose {
            machine: thing("web"),
            port: "8080:80".parse().unwrap(),
        }]),
    ];
    assert_snapshot!(asked.join("\n\n"));
}

#[test]
fn enter_alone_does_no_harm_and_y_does_it() {
    let model = model(80, 24);
    let mut question = ask(&[delete("web")], (80, 24));
    assert!(only_closes(&press(&mut *question, &model, "<enter>")));
    for keys in ["y", "<tab><tab><enter>", "l<enter>", "<right><enter>"] {
        let mut question = ask(&[stop("web", false)], (80, 24));
        let done = press(&mut *question, &model, keys);
        match keys {
            // Cancel and back.
            "<tab><tab><enter>" => assert!(only_closes(&done)),
            _ => assert_eq!(tasks(done), [stop("web", false)], "{keys}"),
        }
    }
    for keys in ["n", "<esc>", "q", "<ctrl-c>"] {
        let mut question = ask(&[delete("web")], (80, 24));
        assert!(only_closes(&press(&mut *question, &model, keys)), "{keys}");
    }
}

#[test]
fn the_disk_can_be_kept() {
    let model = model(80, 24);
    let mut question = ask(&[delete("web")], (80, 24));
    press(&mut *question, &model, "k");
    let text = drawn(&*question, &model);
    assert!(text.contains("[✓] keep the disk"), "{text}");
    assert!(text.contains("can be booted again"), "{text}");
    let done = press(&mut *question, &model, "y");
    assert_eq!(
        commands(done),
        ["sistemo machine delete web --preserve-storage"]
    );
    // Twice is as before.
    let mut question = ask(&[delete("web")], (80, 24));
    let done = press(&mut *question, &model, "kky");
    assert_eq!(commands(done), ["sistemo machine delete web"]);
}

#[test]
fn of_many_the_number_has_to_be_typed() {
    let model = model(80, 24);
    let all = [delete("web"), delete("db")];
    let mut question = ask(&all, (80, 24));
    assert!(press(&mut *question, &model, "<enter>").is_empty());
    assert!(drawn(&*question, &model).contains("✗ type 2"));
    assert!(press(&mut *question, &model, "y").is_empty());
    // Letters are no digits, and keep their meaning.
    press(&mut *question, &model, "k");
    let done = press(&mut *question, &model, "2<enter>");
    assert_eq!(
        commands(done),
        [
            "sistemo machine delete web --preserve-storage",
            "sistemo machine delete db --preserve-storage"
        ]
    );
}

#[test]
fn a_volume_with_data_wants_its_name() {
    let model = model(80, 24);
    let task = Task::DeleteVolume(thing("backup"));
    let mut question = ask(std::slice::from_ref(&task), (80, 24));
    assert!(press(&mut *question, &model, "backu<enter>").is_empty());
    assert_eq!(
        tasks(press(&mut *question, &model, "p<enter>")),
        std::slice::from_ref(&task)
    );
    let mut question = ask(std::slice::from_ref(&task), (80, 24));
    question.paste("backup\n", &model);
    assert_eq!(tasks(press(&mut *question, &model, "<enter>")), [task]);
}

#[test]
fn buttons_are_for_the_mouse_too() {
    let model = model(80, 24);
    let mut question = ask(&[delete("db")], (80, 24));
    let text = drawn(&*question, &model);
    let (row, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("Cancel"))
        .unwrap();
    let column = |word: &str| {
        line.chars()
            .collect::<String>()
            .split(word)
            .next()
            .unwrap()
            .chars()
            .count()
    };
    let (delete_at, cancel_at) = (column("Delete") as u16, column("Cancel") as u16);
    assert!(only_closes(
        &question.mouse(click(cancel_at, row as u16), &model)
    ));
    assert!(question.mouse(click(1, 1), &model).is_empty());
    assert_eq!(
        tasks(question.mouse(click(delete_at, row as u16), &model)),
        [delete("db")]
    );
}

#[test]
fn what_is_gone_meanwhile_can_still_be_answered() {
    let mut model = model(80, 24);
    let mut question = ask(&[delete("web"), delete("db")], (80, 24));
    model.world.machines.clear();
    model.world.volumes.clear();
    question.refresh(&model);
    let text = drawn(&*question, &model);
    assert!(text.contains("web") && text.contains("type 2"), "{text}");
    // The engine says that it is not there.
    assert_eq!(tasks(press(&mut *question, &model, "2<enter>")).len(), 2);
}
