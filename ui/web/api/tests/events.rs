//! The stream of changes.

use serde_json::{Value, json};

use super::resources::put_machine;
use super::{Room, Stream};

#[tokio::test]
async fn changes_are_told_to_everybody_and_from_where_they_were_left() {
    let room = Room::new();
    let mut one = Stream::open(&room, "/api/v1/events", None).await;
    let mut two = Stream::open(&room, "/api/v1/events", None).await;
    assert_eq!(one.next().await.unwrap().event, "ready");
    assert_eq!(two.next().await.unwrap().event, "ready");
    put_machine(&room, 1);
    let created = one.next().await.unwrap();
    assert_eq!(created.event, "machine");
    assert_eq!(created.data["change"], "created");
    assert_eq!(
        created.data["now"],
        room.get("/api/v1/machines/machine-1").await
    );
    assert_eq!(two.next().await.unwrap().data, created.data);
    drop(two);

    room.finish(
        "POST",
        "/api/v1/volumes",
        Some(json!({"size": "8M", "name": "data"})),
    )
    .await;
    // It may be told of while it is made, too.
    let volume = loop {
        let heard = one.next().await.unwrap();
        assert_eq!(
            (heard.event.as_str(), &heard.data["name"]),
            ("volume", &json!("data"))
        );
        if heard.data["now"] == room.get("/api/v1/volumes/data").await {
            break heard;
        }
    };
    room.finish("DELETE", "/api/v1/volumes/data", None).await;
    let gone = loop {
        let heard = one.next().await.unwrap();
        if heard.data["change"] == "deleted" {
            break heard;
        }
    };
    assert_eq!(gone.data["now"], Value::Null);

    // Whoever comes back hears what came after; whoever is a stranger reads the lists again.
    let mut back = Stream::open(&room, "/api/v1/events", Some(&volume.id)).await;
    assert_eq!(back.next().await.unwrap().event, "ready");
    assert_eq!(back.next().await.unwrap().event, "volume");
    let mut stranger = Stream::open(&room, "/api/v1/events", Some("0-1")).await;
    assert_eq!(stranger.next().await.unwrap().event, "resync");
    room.web.stop().cancel();
    assert!(stranger.next().await.is_none());
}
