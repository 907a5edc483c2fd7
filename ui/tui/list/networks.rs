//! The columns of networks.

use sistemo::machine::Network;

use super::{Column, part, plain};
use crate::tui::model::Model;
use crate::tui::view::text::{age, harmless};

pub(super) const COLUMNS: &[Column] = &[
    Column {
        id: "name",
        title: "NAME",
        weight: 255,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(harmless(&network(model, row).name)),
        order: |model, one, other| network(model, one).name.cmp(&network(model, other).name),
    },
    Column {
        id: "subnet",
        title: "SUBNET",
        weight: 240,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(network(model, row).subnet.to_string()),
        order: |model, one, other| {
            network(model, one)
                .subnet
                .cmp(&network(model, other).subnet)
        },
    },
    Column {
        id: "gateway",
        title: "GATEWAY",
        weight: 180,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(network(model, row).gateway.to_string()),
        order: |model, one, other| {
            network(model, one)
                .gateway
                .cmp(&network(model, other).gateway)
        },
    },
    Column {
        id: "bridge",
        title: "BRIDGE",
        weight: 120,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(network(model, row).bridge.clone()),
        order: |model, one, other| {
            network(model, one)
                .bridge
                .cmp(&network(model, other).bridge)
        },
    },
    Column {
        id: "machines",
        title: "MACHINES",
        weight: 200,
        right: true,
        drawn: false,
        cell: |model, row, _| match network(model, row).machines.len() {
            0 => vec![part("-", "text.dim")],
            count => plain(count.to_string()),
        },
        order: |model, one, other| {
            let count = |row| network(model, row).machines.len();
            count(one).cmp(&count(other))
        },
    },
    Column {
        id: "age",
        title: "AGE",
        weight: 100,
        right: true,
        drawn: false,
        cell: |model, row, _| plain(age(&network(model, row).created_at, model.clock.now)),
        order: |model, one, other| {
            network(model, other)
                .created_at
                .cmp(&network(model, one).created_at)
        },
    },
];

fn network(model: &Model, row: usize) -> &Network {
    &model.world.networks[row]
}
