//! `/events`: what changes, as it changes, whoever changes it.
//!
//! ```text
//!  database's log ─► one watcher ─► differences ─► the last thousand ─┬─► listener
//!  (any process)     (from the first listener on)                     └─► listener …
//! ```
//!
//! Events are `machine`, `volume`, `image` and `network`. A stream begins with `ready`, or with `resync` when events were
//! missed that are no longer known: then the lists are to be read again. Each has an identifier; whoever comes back with it
//! in `Last-Event-ID` gets what came after.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::Stream;
use serde::Serialize;
use serde_json::{Value, json};
use sistemo::image::Image;
use sistemo::machine::{Changes, Machine, Network};
use sistemo::volume::Volume;
use tokio::sync::{OnceCell, watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::machines::{Kept, machines};
use super::operations::value;
use super::problem::Answer;
use super::{blocking, stream};
use crate::web::Web;

/// How many events are known.
const KEPT: usize = 1024;
/// How long after the watch has failed it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default().routes(routes!(follow))
}

/// The events that are known, and who tells of new ones.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    started: OnceCell<()>,
    ring: Mutex<Ring>,
    /// The number of the last event.
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    /// Another daemon's numbers mean nothing to this one.
    epoch: String,
    number: u64,
    events: VecDeque<(u64, &'static str, Arc<Value>)>,
}

impl Default for Ring {
    fn default() -> Self {
        Ring {
            epoch: uuid::Uuid::new_v4().simple().to_string(),
            number: 0,
            events: VecDeque::new(),
        }
    }
}

impl Ring {
    /// Whether everything after this number is known.
    fn reaches(&self, number: u64) -> bool {
        let oldest = self
            .events
            .front()
            .map_or(self.number, |(number, ..)| number - 1);
        (oldest..=self.number).contains(&number)
    }

    /// The number in an identifier, if it is one of this daemon's from which one can go on.
    fn number_of(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.split_once('-')?;
        let number = number.parse().ok().filter(|_| epoch == self.epoch)?;
        self.reaches(number).then_some(number)
    }
}

impl Watch {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, changes: Vec<(&'static str, Value)>) {
        let mut ring = self.ring();
        for (kind, change) in changes {
            ring.number += 1;
            let number = ring.number;
            ring.events.push_back((number, kind, Arc::new(change)));
            if ring.events.len() > KEPT {
                ring.events.pop_front();
            }
        }
        let number = ring.number;
        drop(ring);
        self.changed.send_replace(number);
    }
}

/// Everything there is, as it was read at one time.
struct Snapshot {
    version: i64,
    machines: Arc<Kept>,
    volumes: Vec<Volume>,
    images: Vec<Image>,
    networks: Vec<Network>,
}

impl Snapshot {
    async fn read(web: &Web) -> Answer<Snapshot> {
        let engine = web.engine();
        // What is committed while it is read is seen the next time.
        let version = web.api().lists.version(&engine)?;
        let machines = machines(web).await?;
        blocking(move || {
            Ok(Snapshot {
                version,
                machines,
                volumes: engine.machines().volumes()?,
                images: engine.images().list()?,
                networks: engine.machines().networks()?,
            })
        })
        .await
    }

    /// What has become otherwise since `before`.
    fn since(&self, before: &Snapshot) -> Vec<(&'static str, Value)> {
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

/// Begins to watch, if nobody has yet.
async fn ensure(web: &Web) -> Answer<()> {
    let start = || async {
        let changes = web.engine().machines().changes()?;
        let snapshot = Snapshot::read(web).await?;
        tokio::spawn(keep_watching(web.clone(), changes, snapshot));
        Ok(())
    };
    web.api()
        .watch
        .started
        .get_or_try_init(start)
        .await
        .map(|_: &()| ())
}

/// Watches until the daemon ends.
async fn keep_watching(web: Web, mut changes: Changes, mut snapshot: Snapshot) {
    let stop = web.stop().clone();
    while !stop.is_cancelled() {
        let watched = tokio::select! {
            watched = changes.next() => watched,
            () = stop.cancelled() => return,
        };
        let looked = match watched {
            Ok(()) => look(&web, &mut snapshot).await,
            Err(error) => Err(error.into()),
        };
        if let Err(problem) = looked {
            tracing::warn!(?problem, "cannot watch what changes");
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stop.cancelled() => return,
            }
            if let Ok(anew) = web.engine().machines().changes() {
                changes = anew;
            }
        }
    }
}

/// Tells what has changed since.
async fn look(web: &Web, snapshot: &mut Snapshot) -> Answer<()> {
    if web.api().lists.version(&web.engine())? == snapshot.version {
        return Ok(());
    }
    let now = Snapshot::read(web).await?;
    let changes = now.since(snapshot);
    *snapshot = now;
    if !changes.is_empty() {
        web.api().watch.tell(changes);
    }
    Ok(())
}

/// Follow what changes
///
/// Server-sent events `machine`, `volume`, `image` and `network`, whose data is
/// `{"change": "created" | "changed" | "deleted", "id", "name", "now"}`: `now` is the thing as it is, `null` of one that
/// is gone. A stream begins with `ready`. `resync` says that events were missed: the lists are to be read again. Each event
/// has an identifier, from which `Last-Event-ID` goes on as long as this daemon knows it.
#[utoipa::path(get, path = "/events", operation_id = "followChanges", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The identifier of the last event that was heard")),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream")))]
async fn follow(State(web): State<Web>, headers: HeaderMap) -> Answer<Response> {
    ensure(&web).await?;
    let changed = web.api().watch.changed.subscribe();
    let listener = Listener::begin(web, stream::last_event(&headers), changed);
    Ok(stream::answer(listener.stream()))
}

struct Listener {
    web: Web,
    changed: watch::Receiver<u64>,
    /// The number of the last event that is in the queue.
    told: u64,
    queue: VecDeque<Event>,
}

impl Listener {
    fn begin(web: Web, last: Option<&str>, changed: watch::Receiver<u64>) -> Listener {
        let (told, greeting) = {
            let ring = web.api().watch.ring();
            let known = last.map(|id| ring.number_of(id));
            let (told, name) = match known {
                Some(Some(number)) => (number, "ready"),
                Some(None) => (ring.number, "resync"),
                None => (ring.number, "ready"),
            };
            let id = format!("{}-{told}", ring.epoch);
            (told, stream::event(name, id, &json!({})))
        };
        Listener {
            web,
            changed,
            told,
            queue: VecDeque::from([greeting]),
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, |mut listener| async move {
            let event = listener.next().await?;
            Some((Ok(event), listener))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            self.changed.borrow_and_update();
            self.gather();
            if self.queue.is_empty() {
                tokio::select! {
                    changed = self.changed.changed() => changed.ok()?,
                    () = self.web.stop().cancelled() => return None,
                }
            }
        }
    }

    /// Takes what is new into the queue.
    fn gather(&mut self) {
        let ring = self.web.api().watch.ring();
        if !ring.reaches(self.told) {
            // It was too slow.
            let id = format!("{}-{}", ring.epoch, ring.number);
            self.queue
                .push_back(stream::event("resync", id, &json!({})));
            self.told = ring.number;
        }
        for (number, kind, change) in &ring.events {
            if *number > self.told {
                let id = format!("{}-{number}", ring.epoch);
                self.queue.push_back(stream::event(kind, id, &**change));
                self.told = *number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_missed_too_much_is_told() {
        let watch = Watch::default();
        let epoch = watch.ring().epoch.clone();
        let known = |number: u64| watch.ring().number_of(&format!("{epoch}-{number}"));
        assert_eq!(known(0), Some(0));
        assert_eq!(known(1), None, "what has not been");
        for _ in 0..=KEPT {
            watch.tell(vec![("machine", json!({}))]);
        }
        assert_eq!(known(0), None, "the first has made room");
        assert_eq!(known(1), Some(1));
        assert_eq!(known(KEPT as u64 + 1), Some(KEPT as u64 + 1));
        assert_eq!(watch.ring().number_of("0-1"), None, "another daemon's");
    }

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
