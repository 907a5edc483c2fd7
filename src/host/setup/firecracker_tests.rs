//! Installing a release from a server on this computer, and all that may be wrong with it.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A release as the project packs it, with programs that say what they are.
fn archive(programs: &[&str]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    let architecture = std::env::consts::ARCH;
    let base = format!("release-v{VERSION}-{architecture}");
    let mut add = |name: String, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let path = format!("{base}/{name}");
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    };
    add(
        format!("firecracker-v{VERSION}-{architecture}.debug"),
        "symbols",
    );
    for program in programs {
        let text = format!("#!/bin/sh\necho '{program} v{VERSION}'\n");
        add(format!("{program}-v{VERSION}-{architecture}"), &text);
    }
    add("LICENSE".into(), "Apache");
    tar.into_inner().unwrap().finish().unwrap()
}

/// Answers every call with the same, after as many failures; counts them.
async fn serve(body: Vec<u8>, failures: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            let path = String::from_utf8_lossy(&head[..read]).into_owned();
            counted.fetch_add(1, Ordering::SeqCst);
            let known = path.contains(&format!("/v{VERSION}/firecracker-v{VERSION}-"));
            let status = match (asked.fetch_add(1, Ordering::SeqCst) < failures, known) {
                (true, _) => "503 Service Unavailable",
                (_, false) => "404 Not Found",
                _ => "200 OK",
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    (format!("http://{address}/mirror/"), seen)
}

fn release(mirror: &str, body: &[u8]) -> Release {
    Release {
        sha256: hex(&Sha256::digest(body)),
        ..Release::of_host(Some(mirror)).unwrap()
    }
}

fn left(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(data_dir.join("bin")).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_release_is_installed_whole_and_over_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let body = archive(&["firecracker", "jailer"]);
    let (mirror, asked) = serve(body.clone(), 1).await;
    // What one that was killed has left behind goes, and what is there is replaced.
    fs::create_dir_all(dir.path().join("bin/.new-killed")).unwrap();
    fs::write(dir.path().join("bin/firecracker"), "old").unwrap();
    let release = release(&mirror, &body);
    release
        .install(dir.path(), &Progress::silent())
        .await
        .unwrap();
    assert_eq!(
        asked.load(Ordering::SeqCst),
        2,
        "a server in trouble is asked again"
    );
    assert_eq!(left(dir.path()), ["firecracker"]);
    for program in PROGRAMS {
        let path = firecracker::place(dir.path(), program);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(fs::read_to_string(&path).unwrap().contains(program));
    }
}

#[tokio::test]
async fn what_is_not_the_release_is_refused_and_nothing_is_left() {
    let whole = archive(&["firecracker", "jailer"]);
    let part = archive(&["jailer"]);
    let torn = whole[..whole.len() / 2].to_vec();
    let pinned = |mirror: &str| Release::of_host(Some(mirror)).unwrap();
    type Make = fn(&str, &[u8]) -> Release;
    let cases: [(&[u8], Make, &str); 3] = [
        (
            &whole,
            |mirror, _| Release::of_host(Some(mirror)).unwrap(),
            "its SHA-256 is",
        ),
        (&part, release, "has no program firecracker"),
        (&torn, release, "cannot write"),
    ];
    for (body, make, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (mirror, asked) = serve(body.to_vec(), 0).await;
        let release = make(&mirror, body);
        let error = (release.install(dir.path(), &Progress::silent()).await).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{error}");
        assert_eq!(left(dir.path()), [""; 0], "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let nobody = pinned("http://127.0.0.1:1");
    let error = (nobody.install(dir.path(), &Progress::silent()).await).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot fetch http://127.0.0.1:1/v"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("firecracker_mirror"));
}

#[test]
fn releases_have_their_place() {
    let own = Release::of("x86_64", None).unwrap();
    assert_eq!(
        own.url,
        "https://github.com/firecracker-microvm/firecracker/releases/download/v1.17.0/firecracker-v1.17.0-x86_64.tgz"
    );
    let mirrored = Release::of("aarch64", Some("https://mirror.example/fc/")).unwrap();
    assert_eq!(
        mirrored.url,
        "https://mirror.example/fc/v1.17.0/firecracker-v1.17.0-aarch64.tgz"
    );
    assert_eq!(mirrored.sha256.len(), 64);
    assert!(matches!(
        Release::of("riscv64", None),
        Err(Error::Architecture("riscv64"))
    ));
}
