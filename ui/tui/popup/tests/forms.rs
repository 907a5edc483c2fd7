//! The smaller forms.

use insta::assert_snapshot;

use super::{SIZES, commands, press, tasks};
use crate::tui::fixture::{drawn, model};
use crate::tui::model::Model;
use crate::tui::popup::{Popup, form};

/// Types into a form and gives what it does, as a command.
fn does(form: Box<dyn Popup>, model: &Model, keys: &str) -> Vec<String> {
    let mut form = form;
    commands(press(&mut *form, model, &format!("{keys}<ctrl-s>")))
}

/// Types into a form that does nothing, and gives how it looks then.
fn refuses(form: Box<dyn Popup>, model: &Model, keys: &str) -> String {
    let mut form = form;
    let done = press(&mut *form, model, &format!("{keys}<ctrl-s>"));
    assert!(tasks(done).is_empty(), "{keys}");
    drawn(&*form, model)
}

#[test]
fn a_machine_gets_another_name() {
    let model = model(80, 24);
    let db = model.world.machine("db").unwrap();
    let form = || form::rename_machine(db, &model);
    assert_eq!(
        does(form(), &model, "<ctrl-u>shop"),
        ["sistemo machine rename db shop"]
    );
    // Enter in the only field is enough.
    let mut open = form();
    assert_eq!(
        commands(press(&mut *open, &model, "2<enter>")),
        ["sistemo machine rename db db2"]
    );
    assert!(refuses(form(), &model, "<ctrl-u>web").contains("there is a machine web already"));
    assert!(refuses(form(), &model, "").contains("that is its name already"));
    assert_snapshot!(drawn(&*form(), &model));
    let data = model.world.volume("data").unwrap();
    let form = || form::rename_volume(data, &model);
    assert_eq!(
        does(form(), &model, "2"),
        ["sistemo volume rename data data2"]
    );
    assert!(refuses(form(), &model, "<ctrl-u>photos").contains("there is a volume photos already"));
}

#[test]
fn ports_lead_in_and_are_taken_back() {
    let model = model(80, 24);
    let web = model.world.machine("web").unwrap();
    let db = model.world.machine("db").unwrap();
    assert_eq!(
        does(form::expose(db, &model), &model, "5432"),
        ["sistemo machine expose db --port 5432"]
    );
    assert!(
        refuses(form::expose(db, &model), &model, "8080:80")
            .contains("port 8080 leads to web already")
    );
    // Its own may lead elsewhere.
    assert_eq!(
        does(form::expose(web, &model), &model, "8080:81"),
        ["sistemo machine expose web --port 8080:81"]
    );
    // What it listens on is offered.
    assert_eq!(
        does(form::expose(web, &model), &model, "84<tab>"),
        ["sistemo machine expose web --port 8443:443"]
    );
    let taken = form::unexpose(web, &model).unwrap();
    assert_snapshot!(drawn(&*taken, &model));
    assert_eq!(
        does(taken, &model, ""),
        ["sistemo machine unexpose web --port 8080:80"]
    );
    assert_eq!(
        form::unexpose(db, &model).unwrap_err(),
        "no port of this computer leads to db"
    );
}

#[test]
fn volumes_come_and_go_while_a_machine_is_off() {
    let mut model = model(80, 24);
    let web = model.world.machine("web").unwrap().clone();
    let db = model.world.machine("db").unwrap().clone();
    let why = form::attach(&web, &model).unwrap_err();
    assert_eq!(why, "web is running: volumes are attached while it is off");
    let attach = || form::attach(&db, &model).unwrap();
    assert_snapshot!(drawn(&*attach(), &model));
    assert_eq!(
        does(attach(), &model, ""),
        ["sistemo machine volume attach db data"]
    );
    assert_eq!(
        does(attach(), &model, "b<tab>/srv/b"),
        ["sistemo machine volume attach db backup:/srv/b"]
    );
    assert!(refuses(attach(), &model, "<tab>srv").contains("it does not begin with /"));
    assert!(refuses(attach(), &model, "<tab>/proc/x").contains("the guest's kernel fills that"));
    let data = model.world.volume("data").unwrap();
    let some = form::attach_to_some(data, &model).unwrap();
    assert_eq!(
        does(some, &model, "<right>"),
        ["sistemo machine volume attach db data"]
    );
    let photos = model.world.volume("photos").unwrap();
    assert!(
        form::attach_to_some(photos, &model)
            .unwrap_err()
            .contains("belongs to web already")
    );
    assert_eq!(
        form::detach(&db, &model).unwrap_err(),
        "db has no volume but its own disk"
    );
    assert!(
        form::detach(&web, &model)
            .unwrap_err()
            .contains("while it is off")
    );
    model.world.machines[2].status = sistemo::store::machines::Status::Stopped;
    let off = model.world.machine("web").unwrap();
    let detach = form::detach(off, &model).unwrap();
    assert_eq!(
        does(detach, &model, "m"),
        ["sistemo machine volume detach web music"]
    );
}

#[test]
fn volumes_are_made_and_grow() {
    let model = model(80, 24);
    let create = || form::create_volume(&model);
    assert_eq!(
        does(create(), &model, "new<tab>10G"),
        ["sistemo volume create 10G --name new"]
    );
    assert_eq!(
        does(create(), &model, "<tab>1.5G"),
        ["sistemo volume create 1536M"]
    );
    assert!(
        refuses(create(), &model, "photos<tab>1G").contains("there is a volume photos already")
    );
    assert!(refuses(create(), &model, "new").contains("a size is missing"));
    assert!(refuses(create(), &model, "<tab>1K").contains("at least"));
    let data = model.world.volume("data").unwrap();
    let grow = || form::resize_volume(data, &model).unwrap();
    assert_snapshot!(drawn(&*grow(), &model));
    assert_eq!(
        does(grow(), &model, "<ctrl-u>6G"),
        ["sistemo volume resize data 6G"]
    );
    assert!(refuses(grow(), &model, "<ctrl-u>4G").contains("it has 5 GiB already, and only grows"));
    assert!(refuses(grow(), &model, "").contains("that is what it has"));
    let photos = model.world.volume("photos").unwrap();
    assert_eq!(
        form::resize_volume(photos, &model).unwrap_err(),
        "web is running: its volumes grow while it is off"
    );
}

#[test]
fn networks_have_addresses_of_their_own() {
    let model = model(80, 24);
    let create = || form::create_network(&model);
    assert_eq!(
        does(create(), &model, "new"),
        ["sistemo network create new"]
    );
    assert_eq!(
        does(create(), &model, "new<tab>10.77.0.0/24"),
        ["sistemo network create new --subnet 10.77.0.0/24"]
    );
    assert!(refuses(create(), &model, "lab").contains("there is a network lab already"));
    assert!(
        refuses(create(), &model, "x<tab>10.0.0.0/8")
            .contains("the network default has 10.200.0.0/24")
    );
    assert!(
        refuses(create(), &model, "x<tab>10.77").contains("a subnet is an address and a length")
    );
}

#[test]
fn images_are_pulled_built_and_removed() {
    let model = model(80, 24);
    assert_eq!(
        does(form::pull(&model), &model, "ngi<tab>"),
        ["sistemo image pull nginx"]
    );
    assert!(refuses(form::pull(&model), &model, "").contains("what to pull is missing"));
    assert_eq!(
        does(form::build(&model), &model, "node:20<tab>node"),
        ["sistemo image build node:20 --name node"]
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let built = does(
        form::build(&model),
        &model,
        &format!("{path}<tab><tab>Other<tab>mine"),
    );
    assert_eq!(
        built,
        [format!(
            "sistemo image build --file Other --name mine {path}/"
        )]
    );
    assert!(refuses(form::build(&model), &model, "node<tab>No No").contains("small letters"));
    let mut prune = form::prune(&model);
    assert!(drawn(&*prune, &model).contains("No image goes."));
    press(&mut *prune, &model, "<space>");
    assert_snapshot!(drawn(&*prune, &model));
    assert_eq!(
        commands(press(&mut *prune, &model, "<ctrl-s>")),
        ["sistemo image prune --all"]
    );
}

#[test]
fn files_of_a_half_typed_path_are_offered() {
    let model = model(80, 24);
    let folder = tempfile::tempdir().unwrap();
    for name in ["disk.ext4", "disk.tar", ".hidden"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let path = folder.path().display().to_string();
    for (keys, name) in [
        ("<ctrl-n>", "disk.ext4"),
        ("<ctrl-n><ctrl-n>", "disk.tar"),
        ("<ctrl-n><ctrl-n><ctrl-n>", "disk.tar"),
        ("<ctrl-n><ctrl-n><ctrl-p>", "disk.ext4"),
        ("<ctrl-p><ctrl-p>", "disk.ext4"),
    ] {
        let keys = format!("{path}/d{keys}<tab>");
        let done = does(form::pull(&model), &model, &keys);
        assert_eq!(done, [format!("sistemo image pull {path}/{name}")]);
    }
}

#[test]
fn what_is_chosen_is_what_is_told_of() {
    let model = model(80, 24);
    let told = |form: &dyn Popup| {
        let text = drawn(form, &model);
        let line = text.lines().find(|line| line.contains("Ctrl-n: "));
        line.map(str::to_owned).unwrap_or_default()
    };
    let mut form = form::deploy(None, None, &model);
    press(&mut *form, &model, "deb");
    let before = told(&*form);
    let first = before
        .split("Ctrl-n: ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap();
    press(&mut *form, &model, "<ctrl-n>");
    assert_eq!(told(&*form), before);
    assert_eq!(
        commands(press(&mut *form, &model, "<enter><ctrl-s>")),
        [format!("sistemo machine deploy {first}")]
    );
}

#[test]
fn the_question_before_leaving_stands_alone() {
    let model = model(80, 24);
    let mut form = form::deploy(None, None, &model);
    press(&mut *form, &model, "nginx<esc>");
    let text = drawn(&*form, &model);
    let line = text.lines().find(|line| line.contains("Throw away"));
    let line = line.unwrap().trim_matches([' ', '┃']);
    assert_eq!(line, "Throw away what you have typed?");
}

#[test]
fn small_forms_fit_small_screens() {
    for size in SIZES {
        let model = model(size.0, size.1);
        let mut form = form::create_network(&model);
        press(&mut *form, &model, "lab<tab>10.0.0.0/8");
        assert_snapshot!(
            format!("network-wrong-{}x{}", size.0, size.1),
            drawn(&*form, &model)
        );
    }
}
