//! A file of settings: whatever is in it, it is taken or refused with the line that is wrong; and a setting that is
//! taken from the command line is read again as it was, with all others as they were.
//!
//! The input is a byte that says which setting, its value, a byte that is no UTF-8, and the file.

#![no_main]

use std::cell::LazyCell;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use sistemo::config::{Config, Origin};
use sistemo::error::Advice;

thread_local! {
    static FOLDER: LazyCell<tempfile::TempDir> =
        LazyCell::new(|| tempfile::tempdir_in("/dev/shm").expect("room in memory"));
}

fuzz_target!(|data: &[u8]| {
    let Some((key, value, text)) = parts(data) else {
        return;
    };
    let folder = FOLDER.with(|folder| folder.path().to_path_buf());
    let file = folder.join("config.toml");
    std::fs::write(&file, text).expect("a file");
    let config = match load(&folder) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.hint().is_some(), "{error}");
            return;
        }
    };
    let lines: Vec<&str> = text.split('\n').collect();
    for setting in config.shown() {
        if let Origin::File(path, line) = &setting.origin
            && *path == file
        {
            let line = lines.get(line - 1).expect("a line of the file");
            let plain = !line.contains('\\');
            assert!(!plain || line.contains(setting.key), "{line:?}");
        }
    }
    let keys: Vec<&str> = Config::keys().map(|(key, _)| key).collect();
    let key = keys[usize::from(key) % keys.len()];
    if let Err(error) = config.set(key, Some(value)) {
        assert!(error.hint().is_some(), "{error}");
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);
        return;
    }
    let now = load(&folder).unwrap_or_else(|error| panic!("{key} = {value:?}: {error}"));
    for (old, new) in config.shown().iter().zip(now.shown()) {
        let wanted = if new.key == key { value } else { &old.value };
        let list = new.key == "registry_mirrors";
        assert!(
            new.value == wanted || list && words(&new.value) == words(wanted),
            "{key} = {value:?}: {} was {:?} and is {:?}",
            new.key,
            old.value,
            new.value
        );
    }
    config.set(key, None).expect("the key out of the file");
    let now = load(&folder).expect("what it was without the key");
    let is_file = |config: &Config| {
        let setting = config.shown().iter().find(|setting| setting.key == key);
        matches!(setting.expect("a key").origin, Origin::File(..))
    };
    assert!(!is_file(&now));
});

fn parts(data: &[u8]) -> Option<(u8, &str, &str)> {
    let (key, rest) = data.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0xff)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some((*key, text(&rest[..end])?, text(&rest[end + 1..])?))
}

fn load(folder: &std::path::Path) -> Result<Config, sistemo::config::Error> {
    Config::load(Some(PathBuf::from(folder)), &|_| None)
}

fn words(list: &str) -> Vec<&str> {
    let words = list.split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).collect()
}
