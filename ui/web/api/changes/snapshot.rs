//! Everything there is at one time, and what has become otherwise since another.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use sistemo::image::Image;
use sistemo::machine::{Machine, Network};
use sistemo::volume::Volume;

use crate::web::Web;
use crate::web::api::blocking;
use crate::web::api::machines::{Kept, machines};
use crate::web::api::operations::value;
use crate::web::api::problem::Answer;

/// Everything there is, as it was read at one time.
pub(super) struct Snapshot {
    pub(super) version: i64,
    machines: Arc<Kept>,
    volumes: Vec<Volume>,
    images: Vec<Image>,
    networks: Vec<Network>,
}

impl Snapshot {
    pub(super) async fn read(web: &Web) -> Answer<Snapshot> {
        let engine = web.engine();
        // What is committed while it is read is seen the next time, at the latest.
        let version = web.api().lists.version(&engine)?;
        let (volumes, images, networks) = blocking(move || {
            let volumes = engine.machines().volumes()?;
            Ok((
                volumes,
                engine.images().list()?,
                engine.machines().networks()?,
            ))
        })
        .await?;
        Ok(Snapshot {
            version,
            // Last, so that a machine comes before the volumes that came with it.
            machines: machines(web).await?,
            volumes,
            images,
            networks,
        })
    }

    /// What has become otherwise since `before`.
    pub(super) fn since(&self, before: &Snapshot) -> Vec<(&'static str, Value)> {
        let machines = (&before.machines.machines[..], &self.machines.machines[..]);
        let mut changes = difference("machine", machines, |it| (&it.id, &it.name), same_machine);
        let volumes = (&before.volumes[..], &self.volumes[..]);
        changes.extend(difference(
            "volume",
            volumes,
            |it| (&it.id, &it.name),
            same_volume,
        ));
        let images = (&before.images[..], &self.images[..]);
        changes.extend(difference(
            "image",
            images,
            |it| (&it.digest, &it.name),
            PartialEq::eq,
        ));
        let networks = (&before.networks[..], &self.networks[..]);
        changes.extend(difference(
            "network",
            networks,
            |it| (&it.name, &it.name),
            PartialEq::eq,
        ));
        changes
    }
}

/// The space that disks take changes all the time, and is no event.
fn same_volume(a: &Volume, b: &Volume) -> bool {
    let used_bytes = b.used_bytes;
    a == b
        || Volume {
            used_bytes,
            ..a.clone()
        } == *b
}

fn same_machine(a: &Machine, b: &Machine) -> bool {
    if a == b {
        return true;
    }
    let volumes = a.volumes.len() == b.volumes.len()
        && a.volumes
            .iter()
            .zip(&b.volumes)
            .all(|(a, b)| same_volume(a, b));
    let bare = |machine: &Machine| Machine {
        volumes: Vec::new(),
        ..machine.clone()
    };
    volumes && bare(a) == bare(b)
}

/// What has come, changed and gone.
fn difference<T: Serialize>(
    kind: &'static str,
    (before, now): (&[T], &[T]),
    key: fn(&T) -> (&String, &String),
    same: fn(&T, &T) -> bool,
) -> Vec<(&'static str, Value)> {
    let mut known: HashMap<&String, &T> =
        before.iter().map(|thing| (key(thing).0, thing)).collect();
    let mut changes = Vec::new();
    let mut add = |change, thing, now: Option<Value>| {
        let (id, name) = key(thing);
        let change = json!({"change": change, "id": id, "name": name, "now": now});
        changes.push((kind, change));
    };
    for thing in now {
        match known.remove(key(thing).0) {
            None => add("created", thing, Some(value(thing))),
            Some(before) if !same(before, thing) => add("changed", thing, Some(value(thing))),
            Some(_) => {}
        }
    }
    for thing in before {
        if known.contains_key(key(thing).0) {
            add("deleted", thing, None);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_change_and_go() {
        let things = |words: &[(&str, &str)]| -> Vec<(String, String)> {
            words
                .iter()
                .map(|(id, name)| ((*id).into(), (*name).into()))
                .collect()
        };
        let before = things(&[("1", "a"), ("2", "b"), ("3", "c")]);
        let now = things(&[("1", "a"), ("2", "B"), ("4", "d")]);
        let changes = difference("thing", (&before, &now), |it| (&it.0, &it.1), PartialEq::eq);
        let told: Vec<_> = changes
            .iter()
            .map(|(_, change)| (&change["change"], &change["name"]))
            .collect();
        let expected = [("changed", "B"), ("created", "d"), ("deleted", "c")];
        assert_eq!(told.len(), expected.len());
        for (told, expected) in told.iter().zip(expected) {
            assert_eq!(
                (told.0.as_str(), told.1.as_str()),
                (Some(expected.0), Some(expected.1))
            );
        }
        assert_eq!(changes[2].1["now"], Value::Null);
    }
}
