use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::facts::lists_old;
use super::*;
use crate::error::Advice;
use crate::event::{Event, Progress};
use crate::guest::kernel::{Kernels, Needs};
use crate::vmm::Choice;

fn bare() -> Facts {
    Facts {
        root: true,
        manager: Some(PackageManager::Apt),
        lists_old: true,
        missing: Tool::ALL.to_vec(),
        data_dir: "/var/lib/sistemo".into(),
        data_dir_exists: false,
        data_dir_writable: true,
        firecracker: Firecracker::NotWanted,
        kernel_origin: None,
        kernel_setting: None,
        host_kernel: true,
        key_file: "/var/lib/sistemo/ssh/id_ed25519".into(),
        has_keys: false,
    }
}

fn complete() -> Facts {
    Facts {
        lists_old: false,
        missing: Vec::new(),
        data_dir_exists: true,
        kernel_origin: Some("linux-image.deb".into()),
        has_keys: true,
        ..bare()
    }
}

fn written(actions: &[Action]) -> String {
    let mut text = String::new();
    for action in actions {
        let root = if action.needs_root { " [root]" } else { "" };
        text.push_str(&format!("{}{root}\n", action.says));
        for command in &action.commands {
            text.push_str(&format!("    {command}\n"));
        }
    }
    text
}

#[test]
fn a_bare_debian_gets_everything() {
    insta::assert_snapshot!(written(&plan(&bare())));
}

#[test]
fn a_bare_host_of_each_kind_gets_everything() {
    use PackageManager::{Apk, Dnf, Pacman, Zypper};
    let all: Vec<String> = [Dnf, Pacman, Zypper, Apk]
        .into_iter()
        .map(|manager| {
            let facts = Facts {
                manager: Some(manager),
                data_dir_exists: true,
                has_keys: true,
                ..bare()
            };
            format!("# {}\n{}", manager.program(), written(&plan(&facts)))
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_host_that_has_all_gets_nothing() {
    assert_eq!(plan(&complete()), []);
}

#[test]
fn an_unknown_distribution_is_told_what_to_install() {
    let facts = Facts {
        manager: None,
        missing: vec![Tool::Qemu, Tool::Mmdebstrap],
        kernel_origin: None,
        ..complete()
    };
    let acts: Vec<Act> = plan(&facts).into_iter().map(|action| action.act).collect();
    let missing = vec![Tool::Qemu];
    assert_eq!(
        acts,
        [Act::ByHand { missing }, Act::Kernel(KernelSource::Host)]
    );
}

#[test]
fn a_configured_kernel_replaces_the_one_that_is_there() {
    let mut facts = Facts {
        kernel_setting: Some("/srv/vmlinuz".into()),
        ..complete()
    };
    let source = KernelSource::Path("/srv/vmlinuz".into());
    assert_eq!(plan(&facts)[0].act, Act::Kernel(source));
    facts.kernel_origin = Some("/srv/vmlinuz".into());
    assert_eq!(plan(&facts), []);
}

#[test]
fn lists_of_packages_grow_old() {
    let dir = tempfile::tempdir().unwrap();
    assert!(lists_old(PackageManager::Apt, dir.path()));
    assert!(!lists_old(PackageManager::Dnf, dir.path()));
    let lists = dir.path().join("var/lib/apt/lists");
    std::fs::create_dir_all(&lists).unwrap();
    assert!(lists_old(PackageManager::Apt, dir.path()));
    std::fs::write(lists.join("mirror_main_binary-amd64_Packages"), "").unwrap();
    assert!(!lists_old(PackageManager::Apt, dir.path()));
}

fn no_keys(_: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err("no keys here".into())
}

/// The whole of it on this host, except packages that the tests need anyway: a kernel from the distribution, keys.
#[tokio::test]
async fn setup_fills_an_empty_data_directory_and_then_has_nothing_to_do() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let (data, keys) = (dir.path().join("data"), dir.path().join("data/ssh/id"));
    let qemu = Hypervisors {
        choice: "qemu".parse().unwrap(),
        ..Hypervisors::default()
    };
    let facts = Facts::gather(&data, None, &keys, &qemu);
    let actions = plan(&facts);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let progress = {
        let heard = heard.clone();
        Progress::new(move |event| heard.lock().unwrap().push(event))
    };
    let make_keys = |path: &Path| {
        std::fs::create_dir_all(path.parent().unwrap())?;
        std::fs::write(path, "key")?;
        Ok(())
    };
    // Something that a killed setup left behind.
    std::fs::create_dir_all(data.join("kernels/.new-killed/tree")).unwrap();
    carry_out(
        &actions,
        &data,
        &keys,
        &make_keys,
        &progress,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    let steps: Vec<Event> = (actions.iter())
        .map(|action| Event::Step {
            step: action.says.clone(),
        })
        .collect();
    assert_eq!(*heard.lock().unwrap(), steps);
    let kernel = Kernels::new(&data).current().unwrap();
    assert!(kernel.elf().exists() && kernel.modules_image().is_some());
    // The distribution's kernel runs under both, and says so.
    assert!(kernel.dir().join("config").exists());
    for needs in [Needs::Qemu, Needs::Firecracker] {
        kernel.check(needs).unwrap();
    }
    assert!(Kernels::new(&data).leftovers().is_empty());
    assert!(
        std::fs::read_to_string(data.join("logs/setup.log"))
            .unwrap()
            .contains("apt-get")
    );

    let begun = Instant::now();
    assert_eq!(plan(&Facts::gather(&data, None, &keys, &qemu)), []);
    assert!(begun.elapsed().as_millis() < 200, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_first_failure_stops_setup_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let action = |act| Action {
        says: "try".into(),
        commands: Vec::new(),
        needs_root: false,
        act,
    };
    let run = async |act| {
        let actions = [action(act), action(Act::KeyPair)];
        let key = dir.path().join("key");
        carry_out(
            &actions,
            dir.path(),
            &key,
            &no_keys,
            &Progress::silent(),
            &CancellationToken::new(),
        )
        .await
        .unwrap_err()
    };
    let missing = run(Act::ByHand {
        missing: vec![Tool::Qemu],
    })
    .await;
    assert!(
        missing.hint().unwrap().contains("qemu-system-x86_64"),
        "{missing}"
    );
    let kernel = run(Act::Kernel(KernelSource::Path("/no/such".into()))).await;
    assert!(matches!(kernel, Error::Kernel(_)), "{kernel}");
    let keys = run(Act::DataDirectory).await;
    assert!(matches!(keys, Error::Keys { .. }), "{keys}");
}

/// A host whose KVM works and that has no Firecracker; the release comes from nowhere.
fn without_firecracker(required: bool) -> Facts {
    let release = firecracker::Release::of_host(Some("http://127.0.0.1:1")).unwrap();
    Facts {
        firecracker: Firecracker::Lacking { release, required },
        ..complete()
    }
}

#[test]
fn a_host_with_kvm_gets_firecracker() {
    let actions = plan(&without_firecracker(false));
    insta::assert_snapshot!(written(&actions));
    let there = Facts {
        firecracker: Firecracker::There,
        ..complete()
    };
    assert_eq!(plan(&there), []);
}

#[tokio::test]
async fn without_firecracker_machines_run_under_qemu_unless_it_is_required() {
    let dir = tempfile::tempdir().unwrap();
    let notes = Arc::new(Mutex::new(Vec::new()));
    let noted = notes.clone();
    let progress = Progress::new(move |event| {
        if let Event::Note { text } = event {
            noted.lock().unwrap().push(text);
        }
    });
    let cancel = CancellationToken::new();
    let keys = dir.path().join("key");
    let set_up = async |required| {
        let actions = plan(&without_firecracker(required));
        carry_out(&actions, dir.path(), &keys, &|_| Ok(()), &progress, &cancel).await
    };
    set_up(false).await.unwrap();
    let said = notes.lock().unwrap().join("\n");
    assert!(
        said.contains("cannot fetch http://127.0.0.1:1/v1.17.0/"),
        "{said}"
    );
    assert!(said.ends_with("machines run under QEMU"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let error = set_up(true).await.unwrap_err();
    assert!(
        error.to_string().contains("cannot install Firecracker"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("firecracker_mirror"));
}

#[test]
fn what_is_set_otherwise_is_not_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let wanted = |hypervisors: Hypervisors| hypervisors.firecracker(dir.path());
    let qemu = Hypervisors {
        choice: "qemu".parse().unwrap(),
        accelerator: Choice::Kvm,
        ..Hypervisors::default()
    };
    assert_eq!(wanted(qemu), Firecracker::NotWanted);
    let own = Hypervisors {
        accelerator: Choice::Kvm,
        program: Some("/opt/firecracker".into()),
        ..Hypervisors::default()
    };
    assert_eq!(wanted(own), Firecracker::NotWanted);
    let emulated = Hypervisors {
        accelerator: Choice::Tcg,
        ..Hypervisors::default()
    };
    assert_eq!(wanted(emulated), Firecracker::NotWanted);
    let asked = Hypervisors {
        choice: "firecracker".parse().unwrap(),
        accelerator: Choice::Kvm,
        ..Hypervisors::default()
    };
    assert!(matches!(
        wanted(asked),
        Firecracker::There | Firecracker::Lacking { required: true, .. }
    ));
}
