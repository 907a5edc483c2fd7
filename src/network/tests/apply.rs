//! Networks and machines come and go, from any state, any number of times.

use super::lab::{Guest, Lab, inside, network, sh};
use crate::network::{Home, MachinePlan, SeenMachine, namespace};

const WHOLE: SeenMachine = SeenMachine {
    namespace: true,
    port: true,
    rules: true,
};

fn short(namespace: &str) -> String {
    namespace.strip_prefix("sistemo-").unwrap().into()
}

/// All that a namespace's links, addresses, routes and rules say, without what counts packets.
fn state() -> String {
    sh(
        "ip -o link | sed 's/ state [A-Z]*//'; ip -o address; ip route; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward",
    )
}

#[tokio::test]
async fn it_comes_and_goes_and_the_host_never_notices() {
    let before = state();
    let lab = Lab::new();
    let empty = lab.sh("nft list ruleset; ip -o link");
    let net = network(70);
    let (a, b) = (lab.machine(&net, 2), lab.machine(&net, 3));
    for _ in 0..2 {
        lab.home.up(&net).await.unwrap();
        lab.home.attach(&a).await.unwrap();
        lab.home.attach(&b).await.unwrap();
    }
    let seen = lab.home.seen().await.unwrap();
    assert_eq!(seen.bridges, ["sistemo70"]);
    let both = [(short(&a.namespace), WHOLE), (short(&b.namespace), WHOLE)];
    assert_eq!(seen.machines, both.into());
    assert!(
        sh("ip netns list").contains(&a.namespace),
        "ip netns sees it"
    );
    assert_eq!(lab.sh("cat /proc/sys/net/ipv4/ip_forward").trim(), "1");

    let rules = lab.sh("nft list ruleset");
    insta::with_settings!({ filters => vec![
        (a.port.as_str(), "veth-aaaaaaaa"), (b.port.as_str(), "veth-bbbbbbbb"),
        // nft lists elements in the order of its hash table.
        (r"elements = \{[^}]*\}", "elements = { … }"),
    ]}, { insta::assert_snapshot!("the_kernels_rules", rules) });
    for element in ["10.70.0.2 : \"veth-", ". 06:00:0a:46:00:03 . 10.70.0.3"] {
        assert!(rules.contains(element), "{rules}");
    }

    lab.home.detach(&a).await.unwrap();
    lab.home.detach(&a).await.unwrap();
    let seen = lab.home.seen().await.unwrap();
    assert_eq!(seen.machines, [(short(&b.namespace), WHOLE)].into());
    lab.home.detach(&b).await.unwrap();
    assert_eq!(
        lab.sh("ip -o link | grep -cE 'veth|tap' || true").trim(),
        "0"
    );
    lab.home.down(&net).await.unwrap();
    lab.home.down(&net).await.unwrap();
    let seen = lab.home.seen().await.unwrap();
    assert!(
        seen.bridges.is_empty() && seen.machines.is_empty(),
        "{seen:?}"
    );
    assert_eq!(lab.sh("nft list ruleset; ip -o link"), empty);
    assert!(!namespace::path(&a.namespace).exists());
    assert_eq!(state(), before, "nothing of the host's own changed");
}

#[tokio::test]
async fn a_guest_is_met_alone_before_it_has_a_place() {
    let lab = Lab::new();
    let net = network(76);
    lab.home.up(&net).await.unwrap();
    let neighbour = lab.machine(&net, 2);
    lab.home.attach(&neighbour).await.unwrap();
    let plan = lab.machine(&net, 3);
    let gateway = format!("{}/16", net.gateway).parse().unwrap();
    for _ in 0..2 {
        lab.home.meet(&plan, gateway).await.unwrap();
    }
    // The guest has an address that another machine has by now.
    let was = MachinePlan {
        ip: neighbour.ip,
        mac: neighbour.mac,
        ..plan.clone()
    };
    let guest = Guest::boot(&was);
    let listener = guest
        .lab
        .home
        .run(|| std::net::TcpListener::bind(("0.0.0.0", 7)).unwrap())
        .unwrap();
    let patience = std::time::Duration::from_secs(10);
    let stream = lab.home.connect_inside(&plan, was.at(7), patience).await;
    let (_, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), std::net::IpAddr::from(net.gateway));
    assert_eq!(
        guest.lab.sh("ip neighbour").split(' ').nth(4),
        Some(&*net.mac.to_string())
    );
    drop(stream.unwrap());
    let links = inside(&plan)
        .run(|| sh("ip -o link | grep -v ' lo:'"))
        .unwrap();
    assert_eq!(links.lines().count(), 1, "{links}");
    assert!(!lab.sh("nft list ruleset").contains(&plan.port));

    for _ in 0..2 {
        lab.home.part(&plan).await.unwrap();
    }
    let inside_now = inside(&plan)
        .run(|| sh("ip -4 -o address; ip -o link"))
        .unwrap();
    assert!(
        !inside_now.contains(&net.gateway.to_string()),
        "{inside_now}"
    );
    assert!(!inside_now.contains(&net.mac.to_string()), "{inside_now}");
    let (mac, ip) = (plan.mac, plan.ip);
    guest.lab.sh(&format!(
        "ip link set eth0 address {mac} && ip address flush dev eth0 && ip address add {ip}/16 dev eth0"
    ));
    lab.home.attach(&plan).await.unwrap();
    let seen = lab.home.seen().await.unwrap();
    assert_eq!(seen.machines[&short(&plan.namespace)], WHOLE);
    lab.ping(plan.ip);
    lab.home.detach(&plan).await.unwrap();
    assert!(!namespace::path(&plan.namespace).exists());
    // One that was only ever met goes as well.
    let met = lab.machine(&net, 4);
    lab.home.meet(&met, gateway).await.unwrap();
    lab.home.detach(&met).await.unwrap();
    assert!(!namespace::path(&met.namespace).exists());
    assert!(lab.home.part(&met).await.is_err());
}

#[tokio::test]
async fn links_have_the_mtu_and_no_ipv6() {
    let lab = Lab::new();
    let mut net = network(71);
    net.mtu = 1420;
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    lab.home.attach(&plan).await.unwrap();
    let within = inside(&plan);
    let links = within
        .run(|| sh("ip -o link | grep -v ' lo:'; ip -6 address"))
        .unwrap();
    let outside = lab.sh("ip -o link | grep -v ' lo:'; ip -6 address show dev sistemo71");
    for line in links
        .lines()
        .chain(outside.lines())
        .filter(|line| line.contains("mtu"))
    {
        assert!(line.contains("mtu 1420"), "{line}");
        assert!(line.contains("UP"), "{line}");
    }
    assert_eq!(
        links
            .lines()
            .filter(|line| line.contains("mtu 1420"))
            .count(),
        3,
        "{links}"
    );
    assert!(
        !links.contains("inet6 fe80") && !outside.contains("inet6"),
        "{links}{outside}"
    );
    lab.home.detach(&plan).await.unwrap();
}

#[tokio::test]
async fn the_mtu_is_that_of_the_way_out() {
    let lab = Lab::new();
    assert_eq!(lab.home.uplink_mtu(None).await.unwrap(), 1500);
    let other = Lab::new();
    lab.link("out", &other, "in");
    lab.sh("ip link set out mtu 1380 && ip address add 198.51.100.2/24 dev out && ip route add default via 198.51.100.1");
    assert_eq!(lab.home.uplink_mtu(None).await.unwrap(), 1380);
    assert_eq!(lab.home.uplink_mtu(Some("lo")).await.unwrap(), 65536);
    assert!(lab.home.uplink_mtu(Some("none")).await.is_err());
}

/// Each part that can be lost while the others stay, as a crash or somebody's hand leaves it.
#[tokio::test]
async fn whatever_is_missing_attach_makes_and_detach_does_not_mind() {
    let lab = Lab::new();
    let net = network(72);
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    let (port, name) = (&plan.port, &plan.namespace);
    let damages = [
        (true, format!("ip link del {port}")),
        (true, "nft flush set bridge sistemo guests".into()),
        (true, "nft delete table bridge sistemo".into()),
        (true, format!("ip netns del {name}")),
        (true, format!("umount /run/netns/{name}")),
        (false, "ip link del tap0".into()),
        (false, "ip link del br0".into()),
        (false, "ip link set uplink nomaster".into()),
        (false, "ip link set tap0 down".into()),
        (false, "ip link del uplink".into()),
    ];
    for (at_home, damage) in damages {
        for mend in [true, false] {
            lab.home.attach(&plan).await.unwrap();
            let command = damage.clone();
            if at_home {
                lab.sh(&command);
            } else {
                inside(&plan).run(move || sh(&command)).unwrap();
            }
            if mend {
                lab.home.up(&net).await.unwrap();
                lab.home.attach(&plan).await.unwrap();
                let guest = Guest::boot(&plan);
                guest.lab.serve(80);
                assert_eq!(
                    lab.ask(plan.ip, 80).unwrap(),
                    net.gateway.to_string(),
                    "{damage}"
                );
            }
            lab.home.detach(&plan).await.unwrap();
            let left = lab.home.seen().await.unwrap().machines;
            assert!(left.is_empty(), "{damage}: {left:?}");
            lab.home.up(&net).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_namespace_that_was_never_mounted_is_seen_and_removed() {
    let lab = Lab::new();
    let plan = lab.machine(&network(73), 2);
    std::fs::create_dir_all("/run/netns").unwrap();
    std::fs::write(namespace::path(&plan.namespace), "").unwrap();
    let seen = lab.home.seen().await.unwrap();
    assert!(seen.torn.contains(&short(&plan.namespace)), "{seen:?}");
    assert!(seen.machines.is_empty());
    lab.home.detach(&plan).await.unwrap();
    assert!(!namespace::path(&plan.namespace).exists());
}

#[tokio::test]
async fn another_homes_machines_are_none_of_ours() {
    let (mine, theirs) = (Lab::new(), Lab::new());
    let net = network(74);
    theirs.home.up(&net).await.unwrap();
    let plan = theirs.machine(&net, 2);
    theirs.home.attach(&plan).await.unwrap();
    let seen = mine.home.seen().await.unwrap();
    assert!(
        !seen.machines.contains_key(&short(&plan.namespace)),
        "{seen:?}"
    );
    theirs.home.detach(&plan).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once() {
    let lab = Lab::new();
    let net = network(75);
    let plans: Vec<_> = (2..10).map(|last| lab.machine(&net, last)).collect();
    let deploy = |plan| {
        let (home, net) = (lab.home.clone(), net.clone());
        tokio::spawn(async move {
            home.up(&net).await.unwrap();
            home.attach(&plan).await.unwrap();
            plan
        })
    };
    let tasks: Vec<_> = plans.iter().cloned().map(deploy).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seen = lab.home.seen().await.unwrap();
    assert_eq!(seen.machines.len(), plans.len());
    assert!(
        seen.machines.values().all(|machine| *machine == WHOLE),
        "{seen:?}"
    );
    let remove = |plan| {
        let home = lab.home.clone();
        tokio::spawn(async move { home.detach(&plan).await.unwrap() })
    };
    for task in plans.into_iter().map(remove).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert!(lab.home.seen().await.unwrap().machines.is_empty());
}

/// A caller that is dropped in the middle (Ctrl-C) leaves a state that detach removes.
#[tokio::test]
async fn a_dropped_attach_is_undone_like_any_other() {
    let lab = Lab::new();
    let net = network(76);
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    for polls in 0..4 {
        let mut attach = Box::pin(lab.home.attach(&plan));
        for _ in 0..polls {
            let once = tokio::time::timeout(std::time::Duration::from_millis(3), &mut attach);
            if once.await.is_ok() {
                break; // it was quicker than the clock
            }
        }
        drop(attach);
        // What the dropped call had begun goes on to its end in its own thread; recovery is another process's, later.
        lab.home.attach(&plan).await.unwrap();
        lab.home.detach(&plan).await.unwrap();
        assert!(lab.home.seen().await.unwrap().machines.is_empty());
    }
}

/// The tap is one that QEMU opens, with its default headers and a queue.
#[tokio::test]
async fn qemu_opens_the_tap() {
    let lab = Lab::new();
    let net = network(77);
    lab.home.up(&net).await.unwrap();
    let plan = lab.machine(&net, 2);
    lab.home.attach(&plan).await.unwrap();
    let qemu = "echo quit | qemu-system-x86_64 -M none -nodefaults -display none -monitor stdio \
                -netdev tap,id=n,ifname=tap0,script=no,downscript=no 2>&1";
    let said = inside(&plan).run(move || sh(qemu)).unwrap();
    assert!(!said.contains("could not"), "{said}");
    assert!(said.contains("(qemu)"), "{said}");
    lab.home.detach(&plan).await.unwrap();
}

#[test]
fn a_home_may_be_where_the_process_is() {
    let lab = Lab::new();
    let net = network(79);
    let plan = lab.machine(&net, 2);
    // Threads that begin in the lab are there, as those of a process are on its host.
    let work = move || {
        let home = Home::open("host").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            home.up(&net).await.unwrap();
            home.attach(&plan).await.unwrap();
            let seen = home.seen().await.unwrap();
            assert_eq!(seen.machines, [(short(&plan.namespace), WHOLE)].into());
            home.attach(&plan).await.unwrap();
            home.detach(&plan).await.unwrap();
            home.down(&net).await.unwrap();
            assert!(home.seen().await.unwrap().machines.is_empty());
        });
    };
    lab.home.run(work).unwrap();
}
