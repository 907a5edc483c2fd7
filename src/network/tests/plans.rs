//! Plans and rules as data.

use std::net::Ipv4Addr;

use super::lab::network;
use crate::network::{mac_for, plan_machine, plan_network, rules};
use crate::store::networks::Network;
use crate::value::MachineId;

#[test]
fn the_default_network() {
    let row = Network {
        name: "default".parse().unwrap(),
        subnet: "10.200.0.0/16".parse().unwrap(),
        bridge: "sistemo0".into(),
        created_at: "2026-01-01T00:00:00.000Z".into(),
    };
    insta::assert_debug_snapshot!(plan_network(&row, 1500, Some("eth0")));
}

#[test]
fn a_machine() {
    let id: MachineId = "1234abcd-0000-4000-8000-000000000001".parse().unwrap();
    let ip = Ipv4Addr::new(10, 7, 0, 2);
    let plan = plan_machine(
        &id,
        &network(7),
        ip,
        mac_for(ip),
        vec!["8080:80".parse().unwrap()],
    );
    insta::assert_debug_snapshot!(plan);
    // Linux IFNAMSIZ is 16 with the final NUL.
    for name in [&plan.port, &plan.tap, &plan.hub, &plan.peer, &plan.bridge] {
        assert!(name.len() <= 15, "{name}");
    }
    insta::assert_json_snapshot!("a_machines_rules", rules::machine_up(&plan));
}

#[test]
fn the_tables_of_a_home() {
    insta::assert_json_snapshot!(rules::network_up(&network(7)));
}

#[test]
fn an_uplink_narrows_the_masquerade() {
    let mut plan = network(7);
    plan.uplink = Some("eth0".into());
    let rules = rules::network_up(&plan).to_string();
    let rule = r#"{"match":{"left":{"meta":{"key":"oifname"}},"op":"==","right":"eth0"}},{"masquerade":null}"#;
    assert!(rules.contains(rule), "{rules}");
}
