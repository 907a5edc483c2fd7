//! What holds of references, whatever was typed.

use oci_client::Reference;
use proptest::prelude::*;

use crate::image::recipe::Recipe;
use crate::image::resolve::{own_name, short};
use crate::image::url;

/// A name as registries allow it (OCI distribution-spec, "Pulling manifests").
fn repository() -> impl Strategy<Value = String> {
    let part = "[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?";
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

fn registry() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "docker.io/",
        "localhost:5000/",
        "registry.example/",
        "10.0.0.1:80/",
    ])
    .prop_map(Into::into)
}

fn tag() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(":latest".to_string()),
        "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}".prop_map(|tag| format!(":{tag}")),
        "[a-f0-9]{64}".prop_map(|hex| format!("@sha256:{hex}")),
    ]
}

proptest! {
    #[test]
    fn no_text_is_too_strange_for_a_reference(text in any::<String>()) {
        let name = short(&text);
        // Asked for by the name that it has, it has that name.
        prop_assert_eq!(short(&name), name.clone());
        let _ = own_name(&text);
        let shown = url::shown(&text);
        prop_assert_eq!(url::shown(&shown), shown.clone());
    }

    #[test]
    fn the_short_name_means_the_same_image(
        registry in registry(), repository in repository(), tag in tag(),
    ) {
        let asked = format!("{registry}{repository}{tag}");
        let Ok(reference) = asked.parse::<Reference>() else {
            return Ok(());
        };
        let name = short(&asked);
        if Recipe::named(&asked).is_none() {
            let meant: Reference = name.parse().unwrap();
            prop_assert_eq!(meant.whole(), reference.whole(), "{} is kept as {}", asked, name);
            prop_assert!(Recipe::named(&name).is_none(), "{} would be taken for a recipe", name);
        }
        prop_assert_eq!(short(&reference.whole()), short(&asked));
    }

    #[test]
    fn every_way_to_ask_for_an_official_image_gives_one_name(image in "[a-z0-9]{1,12}") {
        // What a recipe is called means that recipe.
        prop_assume!(Recipe::named(&image).is_none());
        for asked in ["{}", "{}:latest", "library/{}", "docker.io/library/{}:latest", "docker.io/{}"] {
            let asked = asked.replace("{}", &image);
            prop_assert_eq!(short(&asked), image.clone(), "{}", asked);
        }
    }

    #[test]
    fn a_password_in_a_url_is_never_shown(
        user in "[a-z]{1,8}",
        password in "[A-Z0-9@:!]{8,20}",
        host in "[a-z]{1,8}\\.example(:[0-9]{2,4})?",
        path in "(/[a-z0-9@]{1,8}){0,3}",
    ) {
        let shown = url::shown(&format!("https://{user}:{password}@{host}{path}"));
        prop_assert!(!shown.contains(&password), "{}", shown);
        prop_assert_eq!(shown, format!("https://{host}{path}"));
        let plain = format!("https://{host}{path}");
        prop_assert_eq!(url::shown(&plain), plain);
    }
}
