//! Which of several values counts, and what is said of one that does not do.

use super::*;

fn load(dir: &Path, environment: &[(&str, &str)]) -> Result<Config, Error> {
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    Config::load(Some(dir.into()), &|key| environment.get(key).cloned())
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "default_memory = \"1G\"\ndefault_vcpus = 4\n").unwrap();
    let config = load(dir.path(), &[("SISTEMO_DEFAULT_VCPUS", "8")]).unwrap();
    assert_eq!(config.default_memory, ByteSize::gib(1));
    assert_eq!(config.default_vcpus, 8);
    assert_eq!(config.default_storage, ByteSize::gib(2));
    let origin = |key| {
        config
            .shown()
            .iter()
            .find(|s| s.key == key)
            .unwrap()
            .origin
            .clone()
    };
    assert_eq!(origin("default_memory"), Origin::File(file, 1));
    assert_eq!(
        origin("default_vcpus"),
        Origin::Environment("SISTEMO_DEFAULT_VCPUS".into())
    );
    assert_eq!(origin("default_storage"), Origin::Default);
}

#[test]
fn an_empty_variable_says_nothing() {
    let config = Config::load(None, &|_| Some(String::new()));
    // Whatever the host's own file says, the data directory is not the one that the program was started in.
    if let Ok(config) = config {
        assert_eq!(config.shown()[0].origin, Origin::Default);
        assert_ne!(config.data_dir, Path::new(""));
    }
}

#[test]
fn nonsense_names_the_key_and_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    for (key, value) in [
        ("SISTEMO_DEFAULT_MEMORY", "lots"),
        ("SISTEMO_DEFAULT_VCPUS", "0"),
        ("SISTEMO_SSH_TIMEOUT", "-1"),
        ("SISTEMO_BRIDGE_SUBNET", "10.0.0.0"),
        ("SISTEMO_ACCELERATOR", "warp"),
        ("SISTEMO_VMM", "bochs"),
    ] {
        let error = load(dir.path(), &[(key, value)]).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
        assert!(error.hint().is_some());
    }
    std::fs::write(dir.path().join("config.toml"), "colour = 1\n").unwrap();
    assert!(matches!(load(dir.path(), &[]), Err(Error::Unknown { .. })));
    std::fs::write(
        dir.path().join("config.toml"),
        "# mine\n\ndefault_memmory = \"1G\"\n",
    )
    .unwrap();
    let error = load(dir.path(), &[]).unwrap_err();
    assert!(error.to_string().contains("config.toml:3 "), "{error}");
    assert_eq!(error.hint().unwrap(), "did you mean default_memory?");
    for table in [
        "[uplink]\nx = 1\n",
        "uplink.x = 1\n",
        "uplink = { x = 1 }\n",
    ] {
        std::fs::write(dir.path().join("config.toml"), table).unwrap();
        let error = load(dir.path(), &[]).unwrap_err();
        assert!(
            error.to_string().contains("uplink is a table"),
            "{table}: {error}"
        );
    }
    std::fs::write(dir.path().join("config.toml"), "default_vcpus = 0x4\n").unwrap();
    assert_eq!(load(dir.path(), &[]).unwrap().default_vcpus, 4);
    std::fs::write(dir.path().join("config.toml"), "= =\n").unwrap();
    assert!(matches!(load(dir.path(), &[]), Err(Error::Toml { .. })));
}

#[test]
fn a_setting_is_checked_before_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let config = load(dir.path(), &[]).unwrap();
    config.set("default_memory", Some("1G")).unwrap();
    config.set("stop_timeout", Some("5")).unwrap();
    assert!(matches!(
        config.set("default_vcpus", Some("0")),
        Err(Error::Value { .. })
    ));
    assert!(matches!(
        config.set("default_vcpu", Some("4")),
        Err(Error::NoSuchKey(_))
    ));
    let config = load(dir.path(), &[]).unwrap();
    assert_eq!(config.default_memory, ByteSize::gib(1));
    assert_eq!(config.stop_timeout, std::time::Duration::from_secs(5));
    assert_eq!(config.default_vcpus, 2);
    config.set("default_memory", None).unwrap();
    assert_eq!(
        load(dir.path(), &[]).unwrap().default_memory,
        ByteSize::mib(512)
    );
}

#[test]
fn what_a_later_reading_has_otherwise_is_told_without_secretss() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    let older = load(dir.path(), &[]).unwrap();
    std::fs::write(
        &file,
        "stop_timeout = 60\nregistry_url = \"https://me:secret@images.example/a@b\"\n",
    )
    .unwrap();
    let newer = load(dir.path(), &[]).unwrap();
    let told: Vec<_> = older
        .changes(&newer)
        .iter()
        .map(ToString::to_string)
        .collect();
    let at = |line: usize| format!("({}:{line})", file.display());
    assert_eq!(
        told,
        [
            format!(
                "registry_url was none and is https://images.example/a@b now {}",
                at(2)
            ),
            format!("stop_timeout was 30 and is 60 now {}", at(1)),
        ]
    );
    assert!(newer.changes(&newer).is_empty());
}

#[test]
fn the_hosts_own_file_says_where_the_data_is_unless_somebody_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let (system, data) = (dir.path().join("system.toml"), dir.path().join("data"));
    let text = format!("iops = 5\ndata_dir = \"{}\"\n", data.display());
    std::fs::write(&system, text).unwrap();
    let nothing = |_: &str| None;
    let config = Config::load_with(&system, None, &nothing).unwrap();
    assert_eq!((config.data_dir.as_path(), config.iops), (&*data, 5));
    assert_eq!(config.shown()[0].origin, Origin::File(system.clone(), 2));
    let other = dir.path().join("other");
    let config = Config::load_with(&system, Some(other.clone()), &nothing).unwrap();
    assert_eq!((config.data_dir.as_path(), config.iops), (&*other, 5));
    // In its own file it would come too late.
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("config.toml"), "data_dir = \"/x\"\n").unwrap();
    let error = Config::load_with(&system, None, &nothing).unwrap_err();
    assert!(matches!(error, Error::Misplaced(_)), "{error}");
    let error = config.set("data_dir", Some("/x")).unwrap_err();
    for error in [error, Error::Misplaced(Origin::Default)] {
        assert!(error.hint().unwrap().contains("--data-dir"), "{error}");
    }
}

#[test]
fn the_table_of_the_console_is_left_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(
        &file,
        "[console]\nrefresh = 5\n[console.keys]\n\"quit\" = \"Q\"\n",
    )
    .unwrap();
    let config = load(dir.path(), &[]).unwrap();
    assert_eq!(config.theme, "auto");
    assert_eq!(
        load(dir.path(), &[("SISTEMO_THEME", "nord")])
            .unwrap()
            .theme,
        "nord"
    );
    config.set("theme", Some("gruvbox-dark")).unwrap();
    assert_eq!(load(dir.path(), &[]).unwrap().theme, "gruvbox-dark");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("theme = \"gruvbox-dark\"\n[console]\nrefresh = 5\n"),
        "{text}"
    );
    assert!(matches!(
        config.set("console", Some("x")),
        Err(Error::NoSuchKey(_))
    ));
}
