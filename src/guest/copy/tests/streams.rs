//! Standard input and output, and files that do not say how long they are.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tokio::io::{AsyncReadExt, duplex};

use super::*;

#[tokio::test]
async fn streams_and_files_without_a_size() {
    let lab = Lab::new().await;
    let content = noise(1 << 20);
    let input: Input = Box::pin(std::io::Cursor::new(content.clone()));
    put(vec![From::Stream(input)], lab.side.clone(), lab.path("x"))
        .await
        .unwrap();
    assert!(std::fs::read(lab.path("x")).unwrap() == content);
    let (ours, mut theirs) = duplex(1 << 16);
    let from = paths(lab.side.clone(), lab.path("x"));
    let none = CancellationToken::new();
    let reading = async {
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let silent = Progress::silent();
    let copying = copy(from, To::Stream(Box::pin(ours)), false, &silent, &none);
    let (heard, copied) = tokio::join!(reading, copying);
    assert!(heard == content);
    assert_eq!(copied.unwrap().bytes, 1 << 20);
    let from = paths(lab.side.clone(), "/proc/cpuinfo".into());
    put(from, Side::Host, lab.path("cpuinfo")).await.unwrap();
    assert!(
        std::fs::read_to_string(lab.path("cpuinfo"))
            .unwrap()
            .contains("processor")
    );
    assert_eq!(
        lab.path("cpuinfo").metadata().unwrap().mode() & 0o777,
        0o444
    );
    std::fs::set_permissions(lab.path("x"), PermissionsExt::from_mode(0o6755)).unwrap();
    lab.out("x", "unowned").await.unwrap();
    assert_eq!(
        lab.path("unowned").metadata().unwrap().mode() & 0o7777,
        0o755
    );
}
