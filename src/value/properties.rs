//! What holds of every value, whatever was typed.

use proptest::prelude::*;

use super::{ByteSize, Name, PortMapping, Protocol};

proptest! {
    #[test]
    fn no_text_is_too_strange_to_be_told_from_a_value(text in any::<String>()) {
        // What is read is what was written, and anything else is an error, not a panic.
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.as_str(), &text);
        }
        if let Ok(size) = text.parse::<ByteSize>() {
            prop_assert!(size.as_u64() > 0);
        }
        if let Ok(port) = text.parse::<PortMapping>() {
            prop_assert!(port.host > 0 && port.machine > 0);
        }
    }

    #[test]
    fn a_name_is_what_its_definition_says(text in "[a-z0-9A-Z._ -]{0,70}") {
        let label = |text: &str| {
            let inner = text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
            let ends = [text.chars().next(), text.chars().next_back()];
            inner && text.len() <= 63 && ends.iter().all(|c| c.is_some_and(|c| c != '-'))
        };
        prop_assert_eq!(text.parse::<Name>().is_ok(), label(&text));
    }

    #[test]
    fn a_label_is_a_name_and_outlives_json(text in "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?") {
        let name: Name = text.parse().unwrap();
        let json = serde_json::to_string(&name).unwrap();
        prop_assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), name);
    }

    #[test]
    fn a_whole_number_and_its_unit_are_its_bytes(
        number in 1u64..1 << 23,
        (unit, shift) in prop::sample::select(vec![
            ("", 20), ("M", 20), ("mb", 20), ("MiB", 20), ("k", 10), ("G", 30), ("GB", 30),
            ("gib", 30), ("T", 40), ("b", 0),
        ]),
        blank in prop::sample::select(vec!["", " "]),
    ) {
        let size: ByteSize = format!("{number}{blank}{unit}").parse().unwrap();
        prop_assert_eq!(size.as_u64(), number << shift);
    }

    #[test]
    fn a_fraction_lies_between_its_whole_neighbours(whole in 0u64..1 << 20, fraction in 1u32..999_999_999) {
        let between: ByteSize = format!("{whole}.{fraction:09}G").parse().unwrap();
        prop_assert!(between.as_u64() >= whole << 30);
        prop_assert!(between.as_u64() < (whole + 1) << 30);
    }

    #[test]
    fn what_does_not_fit_is_refused(number in (1u64 << 43)..u64::MAX) {
        // 2^43 MB are 2^63 bytes.
        for text in [format!("{number}"), format!("{number}T"), format!("-{number}")] {
            prop_assert!(text.parse::<ByteSize>().is_err(), "{}", text);
        }
    }

    #[test]
    fn a_size_as_shown_is_read_as_nearly_the_same(bytes in 1u64..1 << 60) {
        let size = ByteSize::bytes(bytes);
        let read: ByteSize = size.to_string().parse().unwrap();
        // A tenth of the unit is shown, and from a hundred on the unit.
        let difference = read.as_u64().abs_diff(bytes);
        prop_assert!(difference as f64 <= bytes as f64 * 0.051, "{} is {}", bytes, size);
    }

    #[test]
    fn a_mapping_is_read_as_it_is_shown(
        host in 1u16..,
        machine in 1u16..,
        protocol in prop::sample::select(vec![Protocol::Tcp, Protocol::Udp]),
    ) {
        let mapping = PortMapping { host, machine, protocol };
        prop_assert_eq!(mapping.to_string().parse::<PortMapping>().unwrap(), mapping);
        let short: PortMapping = format!("{machine}/{protocol}").parse().unwrap();
        prop_assert_eq!(short, PortMapping { host: machine, machine, protocol });
    }

    #[test]
    fn a_number_that_is_no_port_is_none(number in 65536u64.., port in 1u16..) {
        for text in [format!("{number}"), format!("{number}:{port}"), format!("{port}:{number}/udp")] {
            prop_assert!(text.parse::<PortMapping>().is_err(), "{}", text);
        }
    }
}
