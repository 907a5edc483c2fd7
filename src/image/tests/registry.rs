//! A real registry on loopback, and container images made to hurt, built with `umoci`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{run, text};

/// Password of `user`: `secret`.
const HTPASSWD: &str = "user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// `docker-registry` on a port of its own; it ends with this.
pub struct Registry {
    child: Child,
    dir: TempDir,
    pub port: u16,
}

impl Registry {
    pub fn start() -> Registry {
        Registry::with("")
    }

    /// One that asks for a password.
    pub fn closed() -> Registry {
        Registry::with("auth: {htpasswd: {realm: test, path: DIR/htpasswd}}\n")
    }

    fn with(more: &str) -> Registry {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::write(dir.path().join("htpasswd"), HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: DIR/data}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n{more}"
        );
        let path = dir.path().join("config.yml");
        std::fs::write(&path, config.replace("DIR", text(dir.path()))).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
                rest.split(|c: char| !c.is_ascii_digit())
                    .next()?
                    .parse()
                    .ok()
            })
            .expect("the registry says where it listens");
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Registry { child, dir, port }
    }

    /// The full name of an image in it.
    pub fn name(&self, image: &str) -> String {
        format!("127.0.0.1:{}/{image}", self.port)
    }

    /// Copies an image from a layout to it, with more options of `skopeo copy`.
    pub fn push(&self, layout: &Path, image: &str, options: &[&str]) {
        let from = format!("oci:{}", text(layout));
        let to = format!("docker://{}", self.name(image));
        let mut all = vec!["--insecure-policy", "copy", "--dest-tls-verify=false"];
        all.extend(options);
        all.extend([from.as_str(), to.as_str()]);
        run("skopeo", &all);
    }

    /// The file in which it keeps a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.dir.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// Digests of the layers of an image in it.
    pub fn layers(&self, image: &str) -> Vec<String> {
        let of = format!("docker://{}", self.name(image));
        let out = run("skopeo", &["inspect", "--tls-verify=false", "--raw", &of]);
        let manifest: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter();
        layers
            .map(|layer| layer["digest"].as_str().unwrap().to_string())
            .collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An OCI layout with one image, tagged `latest`.
pub struct Layout {
    dir: TempDir,
    layers: usize,
}

impl Layout {
    pub fn new() -> Layout {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let layout = Layout { dir, layers: 0 };
        run("umoci", &["init", "--layout", text(&layout.path())]);
        run("umoci", &["new", "--image", &layout.image()]);
        layout
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("layout")
    }

    fn image(&self) -> String {
        format!("{}:latest", text(&self.path()))
    }

    /// Adds an archive as it is as the next layer.
    pub fn add(&mut self, archive: &[u8]) {
        let path = self.dir.path().join(format!("layer-{}.tar", self.layers));
        std::fs::write(&path, archive).unwrap();
        run(
            "umoci",
            &["raw", "add-layer", "--image", &self.image(), text(&path)],
        );
        self.layers += 1;
    }

    /// Sets something in its configuration.
    pub fn config(&self, options: &[&str]) {
        let image = self.image();
        let mut all = vec!["config", "--image", &image];
        all.extend(options);
        run("umoci", &all);
    }

    /// What `umoci` makes of it.
    pub fn unpacked(&self) -> PathBuf {
        let bundle = self.dir.path().join("bundle");
        run(
            "umoci",
            &["unpack", "--image", &self.image(), text(&bundle)],
        );
        bundle.join("rootfs")
    }
}

/// An archive made entry by entry.
pub struct Tar(tar::Builder<Vec<u8>>);

/// What most entries of a test need not say.
pub fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(1000);
    header.set_gid(1001);
    header.set_mtime(1_600_000_000);
    header.set_size(0);
    header
}

impl Tar {
    pub fn new() -> Tar {
        Tar(tar::Builder::new(Vec::new()))
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    pub fn builder(&mut self) -> &mut tar::Builder<Vec<u8>> {
        &mut self.0
    }

    /// An entry with any bytes as its name, which the crate's own functions would refuse.
    pub fn raw(
        &mut self,
        header: &mut tar::Header,
        name: &[u8],
        link: &[u8],
        data: &[u8],
    ) -> &mut Tar {
        use tar::EntryType::{GNULongLink, GNULongName};
        for (kind, text) in [(GNULongName, name), (GNULongLink, link)] {
            if text.len() >= 100 {
                let mut long = tar::Header::new_gnu();
                long.set_entry_type(kind);
                long.set_size(text.len() as u64 + 1);
                long.set_cksum();
                self.0
                    .append(&long, [text, b"\0"].concat().as_slice())
                    .unwrap();
            }
        }
        let old = header.as_old_mut();
        let put = |field: &mut [u8; 100], text: &[u8]| {
            *field = [0; 100];
            let length = text.len().min(100);
            field[..length].copy_from_slice(&text[..length]);
        };
        put(&mut old.name, name);
        put(&mut old.linkname, link);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.append(header, data).unwrap();
        self
    }

    pub fn file(&mut self, name: &str, data: &[u8]) -> &mut Tar {
        self.raw(
            &mut header(tar::EntryType::Regular, 0o644),
            name.as_bytes(),
            b"",
            data,
        )
    }

    pub fn dir(&mut self, name: &str, mode: u32) -> &mut Tar {
        self.raw(
            &mut header(tar::EntryType::Directory, mode),
            name.as_bytes(),
            b"",
            b"",
        )
    }

    pub fn symlink(&mut self, name: &str, target: &str) -> &mut Tar {
        self.raw(
            &mut header(tar::EntryType::Symlink, 0o777),
            name.as_bytes(),
            target.as_bytes(),
            b"",
        )
    }

    pub fn hard_link(&mut self, name: &str, target: &str) -> &mut Tar {
        self.raw(
            &mut header(tar::EntryType::Link, 0o644),
            name.as_bytes(),
            target.as_bytes(),
            b"",
        )
    }
}
