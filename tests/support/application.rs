//! Images for applications, made by the test that needs them: busybox, a program, and a configuration, as an archive in
//! the form of `docker save`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Lab;
use super::cache::busybox;

/// An image in the making.
pub struct Application {
    config: Value,
    layer: tar::Builder<Vec<u8>>,
}

impl Application {
    /// An image with busybox and three users, whose configuration is `config` (OCI image-spec, config.md).
    pub fn new(config: Value) -> Application {
        let mut application = Application {
            config,
            layer: tar::Builder::new(Vec::new()),
        };
        for name in ["bin", "etc", "root", "home", "proc", "sys", "dev", "run"] {
            application.folder(name, (0, 0), 0o755);
        }
        application.folder("tmp", (0, 0), 0o1777);
        application.folder("home/app", (1000, 1000), 0o755);
        let program = busybox();
        application.file("bin/busybox", &std::fs::read(&program).unwrap(), 0o755);
        let applets = Command::new(&program).arg("--list").output().unwrap();
        for applet in String::from_utf8(applets.stdout).unwrap().lines() {
            if applet != "busybox" && applet != "init" {
                application.link(&format!("bin/{applet}"), "busybox");
            }
        }
        let passwd = "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\nother:x:7:7::/:/bin/sh\n";
        application.file("etc/passwd", passwd.as_bytes(), 0o644);
        let group = "root:x:0:\napp:x:1000:\nother:x:7:\naudio:x:29:app\nwheel:x:10:\n";
        application.file("etc/group", group.as_bytes(), 0o644);
        application
    }

    /// The same with a shell script.
    pub fn script(mut self, path: &str, text: &str) -> Application {
        self.file(path, format!("#!/bin/sh\n{text}").as_bytes(), 0o755);
        self
    }

    /// The same with a folder that belongs to a user and a group.
    pub fn with_folder(mut self, path: &str, owner: (u64, u64), mode: u32) -> Application {
        self.folder(path, owner, mode);
        self
    }

    /// Takes it into a lab under a name, which it gives back.
    pub fn import(mut self, lab: &Lab, name: &str) -> String {
        self.layer.finish().unwrap();
        let layer = self.layer.into_inner().unwrap();
        let digest: String = Sha256::digest(&layer)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        });
        let manifest =
            json!([{"Config": "config.json", "RepoTags": null, "Layers": ["layer.tar"]}]);
        let mut archive = tar::Builder::new(Vec::new());
        let entries = [
            ("manifest.json", manifest.to_string().into_bytes()),
            ("config.json", config.to_string().into_bytes()),
            ("layer.tar", layer),
        ];
        for (name, bytes) in entries {
            let mut header = header(tar::EntryType::Regular, (0, 0), 0o644);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        let path: PathBuf = lab.folder().join(format!("{name}.tar"));
        std::fs::write(&path, archive.into_inner().unwrap()).unwrap();
        lab.run(&format!("image import {} --name {name}", path.display()))
            .ok();
        name.into()
    }

    fn folder(&mut self, path: &str, owner: (u64, u64), mode: u32) {
        let mut header = header(tar::EntryType::Directory, owner, mode);
        self.layer.append_data(&mut header, path, &[][..]).unwrap();
    }

    fn file(&mut self, path: &str, bytes: &[u8], mode: u32) {
        let mut header = header(tar::EntryType::Regular, (0, 0), mode);
        header.set_size(bytes.len() as u64);
        self.layer.append_data(&mut header, path, bytes).unwrap();
    }

    fn link(&mut self, path: &str, target: &str) {
        let mut header = header(tar::EntryType::Symlink, (0, 0), 0o777);
        self.layer.append_link(&mut header, path, target).unwrap();
    }
}

fn header(kind: tar::EntryType, owner: (u64, u64), mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner.0);
    header.set_gid(owner.1);
    header.set_size(0);
    header
}
