//! What holds of the places at which volumes are mounted, whatever was typed.

use proptest::prelude::*;

use super::place::{Attachment, MountPath};

proptest! {
    #[test]
    fn what_is_read_leads_somewhere_below_the_root(text in "[/a-z.\\PC]{0,40}") {
        if let Ok(path) = text.parse::<MountPath>() {
            let path = path.as_str();
            prop_assert!(path.len() > 1 && path.starts_with('/') && !path.ends_with('/'));
            prop_assert!(path[1..].split('/').all(|part| !["", ".", ".."].contains(&part)));
            let again: MountPath = path.parse().unwrap();
            prop_assert_eq!(again.as_str(), path);
        }
    }

    #[test]
    fn a_volume_and_its_place_are_read_apart(name in "[a-z0-9-]{1,20}", parts in prop::collection::vec("[a-z]{1,8}", 1..4)) {
        let path = format!("/srv/{}", parts.join("/"));
        let read: Attachment = format!("{name}:{path}").parse().unwrap();
        prop_assert_eq!(read.volume, name);
        let place = read.path.unwrap();
        prop_assert_eq!(place.as_str(), path);
    }
}
