//! Machines that get another name.

use crate::support::{Image, Lab};

#[test]
fn a_machine_is_renamed_while_it_runs() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    for name in ["web", "other"] {
        lab.run(&format!("machine deploy {tiny} --name {name}"))
            .ok();
    }
    let (id, address, pid) = (
        lab.field("web", "id"),
        lab.field("web", "ip"),
        lab.field("web", "pid"),
    );
    let renamed = lab.run("machine rename web front -o json").json();
    assert_eq!(renamed["name"], "front");
    assert_eq!(renamed["volumes"][0]["name"], "front-root");
    assert_eq!(lab.field("front", "id"), id);
    assert_eq!(lab.field("front", "pid"), pid);
    lab.run("machine status web").fails(3);
    let found = lab.run("machine exec other nslookup front.default").ok();
    assert!(found.contains(&address), "{found}");
    assert_eq!(lab.run("machine exec front hostname").ok(), "web\n");
    lab.run("machine restart front").ok();
    assert_eq!(lab.run("machine exec front hostname").ok(), "front\n");
    lab.agrees("a rename");

    lab.run("machine stop front --force").ok();
    lab.run("machine rename front back").ok();
    let history = lab.run("history --machine back").ok();
    assert!(history.contains("machine rename from front"), "{history}");

    // Its old names are free, and the disk that is kept goes by the last one.
    lab.run(&format!("machine deploy {tiny} --name web --no-wait"))
        .ok();
    lab.run("machine delete back -y --preserve-storage").ok();
    let refused = lab.refuses(
        &[
            (
                "machine rename web other",
                4,
                "there is a machine other already",
            ),
            ("machine rename web back", 4, "volume back-root"),
            ("machine rename web Back", 2, "is not a name"),
            (
                "machine rename nosuch new",
                3,
                "there is no machine \"nosuch\"",
            ),
        ],
        "config",
    );
    insta::assert_snapshot!("refused_names", refused);
    lab.run("machine delete web other -y").ok();
    lab.run("volume delete back-root -y").ok();
    lab.has_nothing_left();
}
