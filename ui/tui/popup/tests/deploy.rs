//! The form that deploys.

use insta::assert_snapshot;

use super::{SIZES, commands, only_closes, press, tasks};
use crate::tui::fixture::{click, drawn, model};
use crate::tui::model::Model;
use crate::tui::popup::{Popup, form};

fn open(model: &Model) -> Box<dyn Popup> {
    form::deploy(None, None, model)
}

/// Types into a new form, from its image on, and gives the command of what it does.
fn command(keys: &str) -> Vec<String> {
    let model = model(80, 24);
    let mut form = open(&model);
    commands(press(&mut *form, &model, &format!("{keys}<ctrl-s>")))
}

#[test]
fn it_fits_every_screen() {
    for size in SIZES {
        let model = model(size.0, size.1);
        let mut form = open(&model);
        assert_snapshot!(
            format!("deploy-{}x{}", size.0, size.1),
            drawn(&*form, &model)
        );
        let keys = "nginx<tab>web<tab>99<tab>64M<tab>1Q<tab><tab>8080:80<tab>photos";
        press(&mut *form, &model, keys);
        assert_snapshot!(
            format!("deploy-wrong-{}x{}", size.0, size.1),
            drawn(&*form, &model)
        );
    }
}

#[test]
fn what_is_typed_becomes_a_machine() {
    assert_eq!(command("debian"), ["sistemo machine deploy debian"]);
    let all = "nginx<tab>shop<tab>4<tab>1G<tab>20G<tab>l<tab>9090:80, 53:53/udp<tab>data:/srv/data<tab>\
               a<tab>TZ=Europe/Berlin 'WORDS=a b'<tab>nginx -g 'daemon off;'";
    assert_eq!(
        command(all),
        [
            "sistemo machine deploy nginx --name shop --vcpus 4 --memory 1G --storage 20G --network lab \
          --expose 9090:80 --expose 53/udp --attach data:/srv/data --restart always --env TZ --env WORDS \
          -- nginx -g 'daemon off;'"
        ]
    );
}

#[test]
fn what_a_volume_hides_is_told_and_done() {
    let model = model(80, 24);
    let mut form = open(&model);
    let keys = "nginx<tab><tab><tab><tab><tab><tab><tab>data:/usr";
    press(&mut *form, &model, keys);
    assert!(drawn(&*form, &model).contains("! data: /usr of the machine will be hidden by it"));
    let done = commands(press(&mut *form, &model, "<ctrl-s>"));
    assert_eq!(done, ["sistemo machine deploy nginx --attach data:/usr"]);
}

#[test]
fn what_is_wrong_is_not_done_and_told_at_its_field() {
    let wrong = [
        ("", "what to boot is missing"),
        ("Nginx", "small letters"),
        ("./no-such-file.tar", "no such file"),
        ("nginx<tab>web", "there is a machine web already"),
        ("nginx<tab>old", "its disk would be old-root"),
        ("nginx<tab>Web", "only a to z, 0 to 9 and -"),
        ("nginx<tab>-a", "neither begins nor ends with -"),
        ("nginx<tab><tab>0", "a number from 1 to"),
        ("nginx<tab><tab><tab>64M", "at least 128 MiB"),
        ("nginx<tab><tab><tab>9G", "only 8 GiB are available now"),
        ("nginx<tab><tab><tab>99G", "at most 16 GiB"),
        ("nginx<tab><tab><tab><tab>big", "a size is 512M"),
        ("nginx<tab><tab><tab><tab><tab><tab>http", "a port is 80"),
        (
            "nginx<tab><tab><tab><tab><tab><tab>8080:81",
            "port 8080 leads to web already",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab>90:80 90:81",
            "port 90 is here twice",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab><tab>nothing",
            "there is no volume nothing",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab><tab>photos",
            "photos belongs to web",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab><tab>old-root",
            "old-root is a machine's disk",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab><tab>data:srv",
            "it does not begin with /",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab><tab><tab><tab>A B=1",
            "",
        ),
        (
            "nginx<tab><tab><tab><tab><tab><tab><tab><tab><tab>'A=1",
            "a quote is not closed",
        ),
        (
            "debian:trixie<tab><tab><tab><tab><tab><tab><tab><tab><tab>A=1",
            "no application",
        ),
    ];
    let model = model(120, 40);
    for (keys, why) in wrong {
        let mut form = open(&model);
        let done = press(&mut *form, &model, &format!("{keys}<ctrl-s>"));
        let text = drawn(&*form, &model);
        if why.is_empty() {
            assert_eq!(tasks(done).len(), 1, "{keys}");
        } else {
            assert!(tasks(done).is_empty(), "{keys}");
            assert!(
                text.contains(&format!("✗ {why}")) || text.contains(why),
                "{keys}: {text}"
            );
        }
    }
}

#[test]
fn a_disk_that_was_kept_is_booted() {
    let model = model(80, 24);
    let mut form = open(&model);
    // The field of the image gives way to that of the disk.
    press(&mut *form, &model, "<up><right>");
    assert_snapshot!(drawn(&*form, &model));
    let done = press(&mut *form, &model, "<ctrl-s>");
    assert_eq!(commands(done), ["sistemo machine deploy --volume old-root"]);
}

#[test]
fn tab_completes_and_goes_on() {
    let model = model(80, 24);
    let mut form = open(&model);
    press(&mut *form, &model, "ng");
    assert!(drawn(&*form, &model).contains("nginx"), "the rest is shown");
    // A name of one's own is typed, not completed.
    press(&mut *form, &model, "<tab>shop");
    let done = press(&mut *form, &model, "<ctrl-s>");
    assert_eq!(commands(done), ["sistemo machine deploy nginx --name shop"]);

    let mut form = open(&model);
    // Another of those that are offered.
    press(&mut *form, &model, "debian<ctrl-n><ctrl-n><tab>");
    let text = drawn(&*form, &model);
    assert!(text.contains("debian:bookworm"), "{text}");

    let mut form = open(&model);
    // The last thing of a list.
    press(
        &mut *form,
        &model,
        "nginx<tab><tab><tab><tab><tab><tab><tab>backup,da<tab>",
    );
    let done = press(&mut *form, &model, "<ctrl-s>");
    assert_eq!(
        commands(done),
        ["sistemo machine deploy nginx --attach backup,data"]
    );

    let mut form = open(&model);
    // What the image listens on.
    press(
        &mut *form,
        &model,
        "team/app:3<tab><tab><tab><tab><tab><tab>80<right><tab>",
    );
    let done = press(&mut *form, &model, "<ctrl-s>");
    assert_eq!(
        commands(done),
        ["sistemo machine deploy team/app:3 --expose 8000"]
    );
}

#[test]
fn leaving_asks_only_when_something_was_typed() {
    let model = model(80, 24);
    let mut form = open(&model);
    assert!(only_closes(&press(
        &mut *form,
        &model,
        "<down><tab><up><esc>"
    )));
    let mut form = open(&model);
    assert!(press(&mut *form, &model, "x<esc>").is_empty());
    assert!(drawn(&*form, &model).contains("Throw away what you have typed?"));
    assert!(press(&mut *form, &model, "n").is_empty());
    assert!(drawn(&*form, &model).contains("$ sistemo machine deploy x"));
    assert!(only_closes(&press(&mut *form, &model, "<esc>y")));
}

#[test]
fn what_is_pasted_is_one_line_and_values_stay_out_of_the_command() {
    let model = model(80, 24);
    let mut form = open(&model);
    press(
        &mut *form,
        &model,
        "nginx<tab><tab><tab><tab><tab><tab><tab><tab><tab>",
    );
    form.paste("TOKEN=se\u{1b}[2Jcret\nB=1\n", &model);
    let text = drawn(&*form, &model);
    let command = text
        .lines()
        .find(|line| line.contains("$ sistemo"))
        .unwrap();
    assert!(command.contains("--env TOKEN --env B"), "{command}");
    assert!(!command.contains("cret"), "{command}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_click_goes_to_a_field_and_presses_a_button() {
    let model = model(80, 24);
    let mut form = open(&model);
    press(&mut *form, &model, "nginx");
    let text = drawn(&*form, &model);
    let at = |word: &str| {
        let (row, line) = text
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(word))
            .unwrap();
        (
            line.split(word).next().unwrap().chars().count() as u16,
            row as u16,
        )
    };
    let (column, row) = at("Memory");
    form.mouse(click(column + 14, row), &model);
    press(&mut *form, &model, "1G");
    let (column, row) = at(" Deploy ");
    // The title has the word, too.
    let (column, row) = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("Cancel"))
        .map(|(row, line)| {
            (
                line.split("Deploy").next().unwrap().chars().count() as u16,
                row as u16,
            )
        })
        .next()
        .unwrap_or((column, row));
    let done = form.mouse(click(column, row), &model);
    assert_eq!(commands(done), ["sistemo machine deploy nginx --memory 1G"]);
}

#[test]
fn a_name_is_suggested_as_the_engine_gives_it() {
    let mut model = model(80, 24);
    let name = |model: &Model, image: &str| {
        let mut form = open(model);
        press(&mut *form, model, image);
        let text = drawn(&*form, model);
        let line = text
            .lines()
            .find(|line| line.contains("Name "))
            .unwrap()
            .to_owned();
        line.split(['(', ')']).nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(name(&model, "nginx:1.29"), "nginx");
    assert_eq!(name(&model, "registry.example/team/My_App:3"), "my-app");
    model.world.machines[0].name = "nginx".into();
    model.world.volumes[0].name = "nginx-2-root".into();
    assert_eq!(name(&model, "nginx"), "nginx-3");
}
