//! What a machine may take of the host.

use std::time::{Duration, Instant};

use crate::support::{Image, Lab};

#[test]
fn a_machine_takes_no_more_than_its_share() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!(
        "machine deploy {tiny} --name a --bandwidth 8 --iops 200"
    ))
    .ok();
    let status = lab.status("a");
    assert_eq!(
        (&status["bandwidth_mbps"], &status["iops"]),
        (&8.into(), &200.into())
    );
    assert!(
        lab.run("machine status a")
            .ok()
            .contains("8 Mbit/s, 200 IOPS")
    );

    // As fast as it may is never too fast, however slow this computer is: 8 Mbit/s are 1 MB a second.
    let took = |line: &str, stdin: Vec<u8>| {
        let begun = Instant::now();
        lab.feed(line, stdin).ok();
        begun.elapsed()
    };
    let least = Duration::from_secs(2);
    let inwards = took("machine exec a 'cat > /dev/null'", vec![7; 3 << 20]);
    assert!(inwards > least, "3 MiB came in within {inwards:?}");
    let outwards = took("machine exec a 'dd if=/dev/zero bs=1M count=3'", Vec::new());
    assert!(outwards > least, "3 MiB went out within {outwards:?}");
    let reads = took(
        "machine exec a 'dd if=/dev/vda of=/dev/null bs=4k count=800 iflag=direct'",
        Vec::new(),
    );
    assert!(reads > least, "800 reads took {reads:?}");

    // They are a machine's own, over a restart.
    lab.run("machine restart a").ok();
    let shaped = lab.inside("tc qdisc show");
    assert!(
        shaped.contains("tbf") && shaped.contains("rate 8Mbit"),
        "{shaped}"
    );
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn limits_come_from_the_settings_and_are_numbers() {
    let mut lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run("config set bandwidth_mbps 100").ok();
    lab.set("SISTEMO_IOPS", "5000");
    lab.run(&format!("machine deploy {tiny} --name a --no-wait"))
        .ok();
    lab.run(&format!(
        "machine deploy {tiny} --name b --no-wait --bandwidth 0 --iops 0"
    ))
    .ok();
    let limits = |name: &str| {
        let status = lab.status(name);
        (status["bandwidth_mbps"].as_u64(), status["iops"].as_u64())
    };
    assert_eq!(limits("a"), (Some(100), Some(5000)));
    assert_eq!(limits("b"), (None, None));
    let said = lab.refuses(
        &[
            ("machine deploy tiny --bandwidth 1e3", 2, "invalid"),
            ("machine deploy tiny --iops=-1", 2, "-1 is not in"),
            (
                "machine deploy tiny --bandwidth 100001",
                2,
                "100001 is not in",
            ),
            ("config set iops many", 2, "from 0 to 10000000"),
        ],
        "machine list -o json",
    );
    insta::assert_snapshot!("refused_limits", said);
    lab.run("machine delete a b -y").ok();
    lab.has_nothing_left();
}
