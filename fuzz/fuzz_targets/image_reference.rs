//! What a user may type, or a Dockerfile say, as an image: it has one name in the cache however it is asked for, a
//! password in it is not kept, and a machine can be named after it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sistemo::image::Image;
use sistemo::image::fuzzing::name_in_cache;
use sistemo::value::{ByteSize, Name};

fuzz_target!(|reference: &str| {
    let named = Image {
        name: reference.into(),
        names: Vec::new(),
        digest: String::new(),
        size: ByteSize::bytes(0),
        used: ByteSize::bytes(0),
        source: String::new(),
        path: Default::default(),
        config: None,
        created_at: String::new(),
    }
    .default_machine_name();
    assert!(named.parse::<Name>().is_ok(), "{named:?}");

    let Some(name) = name_in_cache(reference) else {
        return;
    };
    // The name that is listed means the same image.
    if let Some(again) = name_in_cache(&name) {
        assert_eq!(again, name, "{reference:?}");
    }
    if let Some((scheme, rest)) = reference.split_once("://")
        && ["http", "https"].contains(&scheme)
    {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (_, kept) = name.split_once("://").expect("still an address");
        let kept = kept.split(['/', '?', '#']).next().unwrap_or_default();
        assert!(!kept.contains('@') && host.ends_with(kept), "{name:?}");
    }
});
