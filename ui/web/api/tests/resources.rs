//! Resources on an engine without machines: what can be asked of it is asked.

use serde_json::{Value, json};

use super::{Room, bytes, json, of, request};

#[tokio::test]
async fn volumes_are_made_grown_renamed_and_deleted() {
    let room = Room::new();
    let made = room
        .finish(
            "POST",
            "/api/v1/volumes",
            Some(json!({"size": "8M", "name": "data"})),
        )
        .await;
    assert_eq!(made["state"], "done", "{made}");
    assert_eq!(made["kind"], "volume.create");
    assert_eq!(made["result"]["size_bytes"], 8 << 20);
    let volume = room.get("/api/v1/volumes/data").await;
    assert_eq!(volume["id"], made["result"]["id"]);
    let size = json!({"size": 16 << 20});
    let grown = room
        .finish("POST", "/api/v1/volumes/data/resize", Some(size))
        .await;
    assert_eq!(grown["result"]["size_bytes"], 16 << 20, "{grown}");
    let shrunk = room
        .finish(
            "POST",
            "/api/v1/volumes/data/resize",
            Some(json!({"size": "8M"})),
        )
        .await;
    assert_eq!(
        (&shrunk["state"], &shrunk["problem"]["status"]),
        (&json!("failed"), &json!(400))
    );
    let (status, renamed) = room
        .ask(
            "POST",
            "/api/v1/volumes/data/rename",
            Some(json!({"name": "d"})),
        )
        .await;
    assert_eq!((status, &renamed["name"]), (200, &json!("d")));
    let gone = room.finish("DELETE", "/api/v1/volumes/d", None).await;
    assert_eq!(gone["result"], json!({"id": volume["id"], "name": "d"}));
    assert_eq!(room.get("/api/v1/volumes").await, json!([]));
    let (status, _) = room.ask("DELETE", "/api/v1/volumes/d", None).await;
    assert_eq!(status, 404);
    // Sizes and names as on the command line.
    for body in [
        json!({"size": "much"}),
        json!({"size": 0}),
        json!({"size": "8M", "name": "D"}),
    ] {
        let (status, problem) = room.ask("POST", "/api/v1/volumes", Some(body)).await;
        assert_eq!(
            (status, problem["hint"].is_string()),
            (400, true),
            "{problem}"
        );
    }
    let history = room.get("/api/v1/history?limit=2").await;
    let actions: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].clone())
        .collect();
    assert_eq!(actions, [json!("rename"), json!("delete")]);
}

#[tokio::test]
async fn the_list_of_machines_is_that_of_now_and_is_sent_once() {
    let room = Room::new();
    let first = room.send(request("GET", "/api/v1/machines", None)).await;
    let tag = of(first.headers(), "etag");
    assert_eq!(json(first).await, json!([]));
    let mut again = request("GET", "/api/v1/machines", None);
    again
        .headers_mut()
        .insert("if-none-match", tag.parse().unwrap());
    let again = room.send(again).await;
    assert_eq!(again.status(), 304);
    assert!(bytes(again).await.is_empty());
    assert_eq!(room.get("/api/v1/machines?all=true").await, json!([]));

    // Another process deploys.
    for number in 0..20 {
        put_machine(&room, number);
        let now = room.get("/api/v1/machines").await;
        assert_eq!(now.as_array().unwrap().len(), number + 1);
    }
    let list = room.get("/api/v1/machines").await;
    assert_eq!(list[0], room.get("/api/v1/machines/machine-0").await);
    let mut small = request("GET", "/api/v1/machines", None);
    small
        .headers_mut()
        .insert("accept-encoding", "br, gzip".parse().unwrap());
    let small = room.send(small).await;
    assert_eq!(of(small.headers(), "content-encoding"), "gzip");
    let small = bytes(small).await;
    let plain: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&small[..])).unwrap();
    assert_eq!(plain, list);
}

/// A machine as another process would write it down.
pub(super) fn put_machine(room: &Room, number: usize) {
    let path = room.web.engine().paths().database();
    let database = rusqlite::Connection::open(path).unwrap();
    let id = uuid::Uuid::new_v4().to_string();
    let spec = json!({"vcpus": 1, "memory": 134217728, "command": null}).to_string();
    let insert = "INSERT INTO machines (id, name, status, spec, created_at) VALUES (?, ?, 'stopped', ?, '2026-01-01T00:00:00.000Z')";
    database
        .execute(insert, (id, format!("machine-{number}"), spec))
        .unwrap();
}

#[tokio::test]
async fn networks_are_made_and_deleted() {
    let room = Room::new();
    let networks = room.get("/api/v1/networks").await;
    assert_eq!(networks[0]["name"], "default");
    let (status, problem) = room.ask("DELETE", "/api/v1/networks/default", None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("refused")));
    let (status, problem) = room
        .ask(
            "POST",
            "/api/v1/networks",
            Some(json!({"name": "lab", "subnet": "10.7"})),
        )
        .await;
    assert_eq!((status, problem["hint"].is_string()), (400, true));
    let (status, problem) = room.ask("GET", "/api/v1/networks/lab", None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn settings_are_shown_set_and_unset() {
    let room = Room::new();
    let all = room.get("/api/v1/config").await;
    assert_eq!(all[0]["key"], "data_dir");
    let path = "/api/v1/config/default_vcpus";
    let (status, set) = room.ask("PUT", path, Some(json!({"value": 3}))).await;
    assert_eq!((status, &set["value"]), (200, &json!("3")));
    let file = std::fs::read_to_string(room.folder().join("data/config.toml")).unwrap();
    assert!(
        set["origin"].as_str().unwrap().ends_with("config.toml:1"),
        "{set}"
    );
    assert!(file.contains("default_vcpus"), "{file}");
    let (status, wrong) = room.ask("PUT", path, Some(json!({"value": "many"}))).await;
    assert_eq!((status, wrong["hint"].is_string()), (400, true));
    let (status, unset) = room.ask("DELETE", path, None).await;
    assert_eq!((status, &unset["origin"]), (200, &json!("default")));
    let (status, unknown) = room
        .ask(
            "PUT",
            "/api/v1/config/default_vcpu",
            Some(json!({"value": 3})),
        )
        .await;
    assert_eq!(
        (status, &unknown["hint"]),
        (404, &json!("did you mean default_vcpus?"))
    );
}

#[tokio::test]
async fn what_the_daemon_is_and_what_it_counts() {
    let room = Room::new();
    let info = room.get("/api/v1/info").await;
    assert_eq!(
        (&info["product"], &info["networks"]),
        (&json!("sistemo"), &json!(1))
    );
    room.finish("POST", "/api/v1/images/prune", None).await;
    let answer = room.send(request("GET", "/metrics", None)).await;
    assert_eq!(answer.status(), 200);
    let text = String::from_utf8(bytes(answer).await).unwrap();
    for line in [
        concat!(
            "sistemo_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
        "sistemo_machines{status=\"running\"} 0",
        "sistemo_operations_total{kind=\"image.prune\",outcome=\"done\"} 1",
        "sistemo_http_requests_total{method=\"GET\",route=\"/api/v1/info\",status=\"200\"} 1",
        "sistemo_http_request_duration_seconds_count{method=\"GET\",route=\"/api/v1/info\"} 1",
        "sistemo_terminals_open 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_begun() {
    let room = Room::new();
    for (path, body, status) in [
        (
            "/api/v1/machines",
            json!({"image": "debian", "network": "nowhere"}),
            404,
        ),
        (
            "/api/v1/machines",
            json!({"image": "debian", "volume": "data"}),
            400,
        ),
        (
            "/api/v1/machines",
            json!({"image": "debian", "memory": "1M"}),
            400,
        ),
        (
            "/api/v1/machines",
            json!({"image": "debian", "vmm": "xen"}),
            400,
        ),
        ("/api/v1/machines", json!({"volume": "nothing"}), 404),
        (
            "/api/v1/images/import",
            json!({"path": "relative.tar"}),
            400,
        ),
        (
            "/api/v1/images/build",
            json!({"reference": "debian", "recipe": "debian"}),
            400,
        ),
        ("/api/v1/machines/web/exec", json!({"command": "true"}), 404),
        ("/api/v1/machines/web/exec", json!({"command": []}), 400),
        (
            "/api/v1/machines/web/exec",
            json!({"command": "a", "stdin": "", "stdin_base64": ""}),
            400,
        ),
    ] {
        let (found, problem) = room.ask("POST", path, Some(body.clone())).await;
        assert_eq!(found, status, "{path} {body}: {problem}");
    }
    assert_eq!(room.get("/api/v1/operations").await, json!([]));
}
