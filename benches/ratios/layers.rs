//! A container image of 500 MB in eight layers, and a registry on the loopback interface that has it.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::lab::{Lab, cache, noise, run};

const LAYERS: u64 = 8;
/// Bytes of the files in one layer.
const LAYER_BYTES: usize = 500_000_000 / LAYERS as usize;
/// How long the registry may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A running registry with the image. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Registry {
    server: Child,
    port: u16,
}

impl Registry {
    pub(crate) fn serve(lab: &Lab) -> Outcome<Registry> {
        let layout = layout()?;
        let folder = lab.scratch().join("registry");
        std::fs::create_dir(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = folder.join("config.yml");
        std::fs::write(
            &settings,
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
                 http: {{addr: \"127.0.0.1:{port}\"}}\n",
                folder.join("data").display()
            ),
        )?;
        let server = Command::new("docker-registry")
            .arg("serve")
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("log"))?)
            .spawn()
            .map_err(|error| format!("docker-registry: {error}"))?;
        let registry = Registry { server, port };
        registry.await_answer()?;
        run(Command::new("skopeo")
            .args(["copy", "--quiet", "--dest-tls-verify=false"])
            .arg(format!("oci:{}:image", layout.display()))
            .arg(format!("docker://{}", registry.reference())))?;
        Ok(registry)
    }

    pub(crate) fn reference(&self) -> String {
        format!("localhost:{}/bench/eight:1", self.port)
    }

    fn await_answer(&self) -> Outcome<()> {
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if began.elapsed() > LIMIT {
                return Err("the registry does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The image as a folder with an OCI layout (image-spec, image-layout.md), made once.
fn layout() -> Outcome<PathBuf> {
    let kept = cache()?.join("bench-layers");
    if kept.exists() {
        return Ok(kept);
    }
    eprintln!("  making an image of 500 MB (once) …");
    let partial = kept.with_extension(format!("partial-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&partial);
    let blobs = partial.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for number in 0..LAYERS {
        let (descriptor, diff_id) = layer(number, &blobs)?;
        layers.push(descriptor);
        diff_ids.push(diff_id);
    }
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": { "Cmd": ["/bin/busybox", "sleep", "infinity"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = blob(&blobs, &config, "application/vnd.oci.image.config.v1+json")?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": layers,
    });
    let mut manifest = blob(
        &blobs,
        &manifest,
        "application/vnd.oci.image.manifest.v1+json",
    )?;
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "image" });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    std::fs::write(partial.join("index.json"), index.to_string())?;
    std::fs::write(
        partial.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    if std::fs::rename(&partial, &kept).is_err() {
        // Another run was faster.
        std::fs::remove_dir_all(&partial)?;
    }
    Ok(kept)
}

/// Writes one layer and gives its descriptor and the digest of what is in it. As in images of programs, small files are
/// many and large ones hold most bytes; about half of it is noise, so that it compresses to about half. Each layer but
/// the first also removes a file of the one before.
fn layer(number: u64, blobs: &Path) -> Outcome<(Value, String)> {
    let path = blobs.join(format!("layer-{number}"));
    let packed = Hashing::new(BufWriter::new(File::create(&path)?));
    let plain = Hashing::new(GzEncoder::new(packed, Compression::default()));
    let mut archive = tar::Builder::new(plain);
    if number == 0 {
        add(
            &mut archive,
            "bin/busybox",
            0o755,
            &std::fs::read("/bin/busybox")?,
        )?;
    } else {
        add(
            &mut archive,
            &format!("data/{}/.wh.0", number - 1),
            0o644,
            &[],
        )?;
    }
    let mut data = Vec::new();
    let mut left = LAYER_BYTES;
    for file in 0_u64.. {
        let wanted = match file % 16 {
            15 => 1 << 20,
            3 | 7 | 11 => 128 << 10,
            small => 1 << (10 + small % 5),
        };
        let length = left.min(wanted);
        if length == 0 {
            break;
        }
        data.clear();
        noise(number << 32 | file << 1, length / 2, &mut data)?;
        let text = format!("file {file} of layer {number}\n");
        data.extend(text.bytes().cycle().take(length - length / 2));
        add(&mut archive, &format!("data/{number}/{file}"), 0o644, &data)?;
        left -= length;
    }
    let (packed, diff_id, _) = archive.into_inner()?.finish();
    let (mut file, digest, size) = packed.finish()?.finish();
    file.flush()?;
    std::fs::rename(&path, blobs.join(&digest))?;
    let descriptor = json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": format!("sha256:{digest}"),
        "size": size,
    });
    Ok((descriptor, format!("sha256:{diff_id}")))
}

fn add(
    archive: &mut tar::Builder<impl Write>,
    path: &str,
    mode: u32,
    data: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    header.set_size(data.len() as u64);
    archive.append_data(&mut header, path, data.take(data.len() as u64))
}

/// Writes a document as a blob and gives its descriptor.
fn blob(blobs: &Path, document: &Value, media_type: &str) -> Outcome<Value> {
    let text = document.to_string();
    let digest = hex(&Sha256::digest(&text));
    std::fs::write(blobs.join(&digest), &text)?;
    Ok(json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": text.len() }))
}

/// Hashes and counts what goes through.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    count: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Hashing {
            inner,
            hash: Sha256::new(),
            count: 0,
        }
    }

    /// The writer, the digest in hexadecimal, and how many bytes there were.
    fn finish(self) -> (W, String, u64) {
        (self.inner, hex(&self.hash.finalize()), self.count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(data)?;
        self.hash.update(&data[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
