//! A container registry with one image, made by hand: a layer with one file. It answers what the distribution
//! specification has for pulling, on the loopback interface.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

/// An image as registries and layouts hold it: its documents and layer by digest.
#[derive(Clone, Debug)]
pub struct Container {
    blobs: HashMap<String, Vec<u8>>,
    manifest: String,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Container {
    /// An image with a file of that many bytes, which no compression makes smaller.
    pub fn new(bytes: usize) -> Container {
        let noise: Vec<u8> = (0..bytes.div_ceil(32))
            .flat_map(|number| Sha256::digest(number.to_le_bytes()))
            .collect();
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "noise", &noise[..bytes])
            .unwrap();
        let layer = tar.into_inner().unwrap();
        let mut blobs = HashMap::new();
        let mut put = |bytes: Vec<u8>, kind: &str| {
            let hex: String = Sha256::digest(&bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            let digest = format!("sha256:{hex}");
            let described = json!({"mediaType": kind, "digest": digest, "size": bytes.len()});
            blobs.insert(digest, bytes);
            described
        };
        let layer = put(layer, "application/vnd.oci.image.layer.v1.tar");
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/app"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = put(
            config.to_string().into(),
            "application/vnd.oci.image.config.v1+json",
        );
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        let manifest = put(manifest.to_string().into(), MANIFEST);
        Container {
            manifest: manifest["digest"].as_str().unwrap().into(),
            blobs,
        }
    }

    /// Writes it as an archived OCI layout.
    pub fn archive(&self, path: &Path) {
        let mut tar = tar::Builder::new(std::fs::File::create(path).unwrap());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        let size = self.blobs[&self.manifest].len();
        let index = json!({"schemaVersion": 2, "manifests": [
            {"mediaType": MANIFEST, "digest": self.manifest, "size": size},
        ]});
        add("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#);
        add("index.json", index.to_string().as_bytes());
        for (digest, bytes) in &self.blobs {
            add(&format!("blobs/{}", digest.replace(':', "/")), bytes);
        }
        tar.finish().unwrap();
    }

    /// Serves it as `app`, and gives the reference to pull it by. It goes on as long as the test program.
    pub fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, own) = (stream.unwrap(), self.clone());
                std::thread::spawn(move || own.answer(stream));
            }
        });
        format!("{address}/app")
    }

    fn answer(&self, mut stream: std::net::TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let Some(Ok(request)) = lines.next() else {
            return;
        };
        // The rest of the request says nothing that changes the answer.
        for line in lines.by_ref() {
            if line.unwrap_or_default().is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let digest = path.rsplit('/').next().unwrap_or_default();
        let digest = if digest == "latest" {
            &self.manifest
        } else {
            digest
        };
        let (status, kind, body) = match (path, self.blobs.get(digest)) {
            ("/v2/", _) => ("200 OK", "application/json", &b"{}"[..]),
            (_, Some(bytes)) if path.contains("/manifests/") => ("200 OK", MANIFEST, &bytes[..]),
            (_, Some(bytes)) => ("200 OK", "application/octet-stream", &bytes[..]),
            _ => ("404 Not Found", "text/plain", &b""[..]),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Docker-Content-Digest: {digest}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // Who asked may be gone: its disk is full.
        let _ = stream.write_all(head.as_bytes());
        if !request.starts_with("HEAD") {
            let _ = stream.write_all(body);
        }
    }
}
