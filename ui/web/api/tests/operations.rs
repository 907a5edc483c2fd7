//! Operations: their life, keys, events and end.

use serde_json::json;
use sistemo::error::Result;
use sistemo::machine::Error;

use super::{Room, Stream, json, of, request};
use crate::web::api::extract::{Key, Waiting};
use crate::web::api::operations::{Job, Order, begin};
use crate::web::api::problem::Answer;

/// Begins an operation whose work the test writes.
async fn start<W>(
    room: &Room,
    key: Option<&str>,
    work: impl FnOnce(Job) -> W,
) -> (u16, serde_json::Value)
where
    W: Future<Output = Result<serde_json::Value>> + Send + 'static,
{
    let key = Key(key.map(str::to_owned));
    let order = Order::new("test", "it", &(), key, Waiting::default()).unwrap();
    let answer = begin(&room.web, order, async { Ok(()) }, work).await;
    let answer = answer.unwrap();
    (answer.status().as_u16(), json(answer).await)
}

/// Work that waits to be taken back.
async fn until_cancelled(job: Job) -> Result<serde_json::Value> {
    job.progress.step("waiting");
    job.cancel.cancelled().await;
    job.progress.note("undone");
    Err(Error::Cancelled.into())
}

fn place(operation: &serde_json::Value) -> String {
    format!("/api/v1/operations/{}", operation["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_operation_is_taken_back_and_says_so() {
    let room = Room::new();
    let (status, operation) = start(&room, None, until_cancelled).await;
    assert_eq!((status, &operation["state"]), (202, &json!("running")));
    let path = place(&operation);
    let mut events = Stream::open(&room, &format!("{path}/events"), None).await;
    assert_eq!(
        events.next().await.unwrap().data,
        json!({"step": "waiting"})
    );
    let (status, ended) = room.ask("DELETE", &format!("{path}?wait=60"), None).await;
    assert_eq!((status, &ended["state"]), (200, &json!("cancelled")));
    assert_eq!(ended["problem"]["code"], "cancelled");
    assert_eq!(ended["notes"], json!(["undone"]));
    let note = events.next().await.unwrap();
    assert_eq!(
        (note.event.as_str(), &note.data),
        ("note", &json!({"note": "undone"}))
    );
    let done = events.next().await.unwrap();
    assert_eq!((done.event.as_str(), &done.data), ("done", &ended));
    assert!(events.next().await.is_none());
    // Whoever comes back with the note's number hears only the end.
    let mut again = Stream::open(&room, &format!("{path}/events"), Some(&note.id)).await;
    assert_eq!(again.next().await.unwrap().event, "done");
    let (status, same) = room.ask("DELETE", &path, None).await;
    assert_eq!(
        (status, same),
        (200, ended),
        "what has ended stays as it is"
    );
}

#[tokio::test]
async fn transfers_are_told_as_they_stand_and_not_each() {
    let room = Room::new();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let (_, operation) = start(&room, None, |job: Job| async move {
        for done in 0..=1000u64 {
            job.progress.transfer("a", "layer", done, Some(1000));
        }
        let _ = receive.await;
        for done in 0..=1000u64 {
            job.progress.transfer("b", "other layer", done, None);
        }
        Ok(json!({"name": "it"}))
    })
    .await;
    let path = place(&operation);
    let mut events = Stream::open(&room, &format!("{path}/events"), None).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.event, "transfer");
    send.send(()).unwrap();
    let mut heard = vec![first];
    while let Some(event) = events.next().await {
        heard.push(event);
    }
    assert!(heard.len() < 20, "{heard:?}");
    let last = heard.pop().unwrap();
    assert_eq!(last.event, "done");
    let layers = json!([
        {"what": "layer", "done_bytes": 1000, "total_bytes": 1000},
        {"what": "other layer", "done_bytes": 1000, "total_bytes": null},
    ]);
    assert_eq!(last.data["transfers"], layers);
    assert_eq!(last.data["result"], json!({"name": "it"}));
}

#[tokio::test]
async fn the_same_key_begins_nothing_twice() {
    let room = Room::new();
    let send = async |body: serde_json::Value, key: &str| {
        let mut asked = request("POST", "/api/v1/volumes?wait=60", Some(body));
        asked
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        let answer = room.send(asked).await;
        let place = of(answer.headers(), "location");
        (answer.status().as_u16(), place, json(answer).await)
    };
    let body = json!({"size": "8M", "name": "data"});
    let (first, second) = tokio::join!(send(body.clone(), "k"), send(body.clone(), "k"));
    assert_eq!((first.0, second.0), (200, 200));
    assert_eq!(first.1, second.1);
    assert_eq!(first.2["state"], "done");
    assert_eq!(
        room.get("/api/v1/volumes").await.as_array().unwrap().len(),
        1
    );
    let (status, _, problem) = send(json!({"size": "9M"}), "k").await;
    assert_eq!((status, &problem["code"]), (422, &json!("key_reused")));
    let (status, _, again) = send(body, "other").await;
    assert_eq!(
        (status, &again["problem"]["status"]),
        (200, &json!(409)),
        "the name is taken"
    );
    let (status, _, _) = send(json!({"size": "8M"}), "").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn the_daemons_end_takes_operations_back_and_begins_none() -> Answer<()> {
    let room = Room::new();
    let (_, operation) = start(&room, None, until_cancelled).await;
    room.web.stop().cancel();
    room.web.operations().settled().await;
    let ended = room.get(&place(&operation)).await;
    assert_eq!(ended["state"], "cancelled");
    let (status, problem) = room.ask("POST", "/api/v1/images/prune", None).await;
    assert_eq!((status, &problem["code"]), (503, &json!("ending")));
    Ok(())
}

#[tokio::test]
async fn only_so_many_are_kept_and_only_so_many_run() {
    let room = Room::new();
    let (_, first) = start(&room, None, |_| async { Ok(json!(1)) }).await;
    for _ in 0..200 {
        let (_, last) = start(&room, None, |_| async { Ok(json!(2)) }).await;
        room.finish("GET", &place(&last), None).await;
    }
    let list = room.get("/api/v1/operations").await;
    assert_eq!(list.as_array().unwrap().len(), 200);
    let (status, problem) = room.ask("GET", &place(&first), None).await;
    assert_eq!((status, problem["hint"].is_string()), (404, true));
    for _ in 0..256 {
        start(&room, None, until_cancelled).await;
    }
    let (status, problem) = room.ask("POST", "/api/v1/images/prune", None).await;
    assert_eq!((status, &problem["code"]), (503, &json!("busy")));
}

#[tokio::test]
async fn what_goes_wrong_in_the_daemon_itself_ends_the_operation() {
    let room = Room::new();
    let (_, operation) = start(&room, None, |_| async { panic!("a test") }).await;
    let ended = room.finish("GET", &place(&operation), None).await;
    assert_eq!(
        (&ended["state"], &ended["problem"]["status"]),
        (&json!("failed"), &json!(500))
    );
}
