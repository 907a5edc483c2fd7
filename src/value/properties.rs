//! What holds for every text that people may type as a name, a size or a port.

use proptest::prelude::*;

use super::*;

/// What each unit stands for.
const UNITS: [(&str, u32); 12] = [
    ("", 20),
    ("B", 0),
    ("K", 10),
    ("kb", 10),
    ("KiB", 10),
    ("M", 20),
    ("mb", 20),
    ("MiB", 20),
    ("G", 30),
    ("GB", 30),
    ("gib", 30),
    ("T", 40),
];

proptest! {
    #[test]
    fn a_size_is_its_number_times_its_unit(
        whole in 0u64..5_000_000,
        fraction in proptest::option::of("[0-9]{1,9}"),
        unit in 0..UNITS.len(),
        blank in " ?",
    ) {
        let (unit, shift) = UNITS[unit];
        let dot = fraction.as_ref().map(|digits| format!(".{digits}")).unwrap_or_default();
        let text = format!("{whole}{dot}{blank}{unit}");
        // By hundredths of millionths, as nothing here is smaller.
        let digits = format!("{:0<9}", fraction.unwrap_or_default());
        let billionths = u128::from(whole) * 1_000_000_000 + digits.parse::<u128>().unwrap();
        let bytes = (billionths << shift) / 1_000_000_000;
        match text.parse::<ByteSize>() {
            Ok(size) => prop_assert_eq!(u128::from(size.as_u64()), bytes, "{}", text),
            Err(_) => prop_assert!(bytes == 0 || bytes > i64::MAX as u128, "{}", text),
        }
    }

    #[test]
    fn a_size_is_never_zero_and_never_too_large_whatever_is_typed(text in "[-+0-9.eEBKMGTibx ]{0,24}|.{0,12}") {
        match text.parse::<ByteSize>() {
            Ok(size) => prop_assert!(size.as_u64() > 0 && i64::try_from(size.as_u64()).is_ok()),
            Err(error) => prop_assert!(error.hint().unwrap().contains("512M")),
        }
    }

    #[test]
    fn a_size_that_is_written_is_read_as_about_the_same(bytes in 1u64..(1 << 50)) {
        let size = ByteSize::bytes(bytes);
        let again = size.to_string().parse::<ByteSize>().unwrap().as_u64();
        prop_assert!(again.abs_diff(bytes) as f64 <= bytes as f64 * 0.051, "{bytes}: {size}");
    }

    #[test]
    fn a_name_is_a_dns_label(good in "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?") {
        prop_assert_eq!(String::from(good.parse::<Name>().unwrap()), good);
    }

    #[test]
    fn nothing_else_is_a_name(text in "[-a-zA-Z0-9._/ ]{0,66}|.{0,20}") {
        let label = text.split('-').collect::<Vec<_>>();
        let plain = |part: &&str| part.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9'));
        let ends = |part: Option<&&str>| part.is_some_and(|part| !part.is_empty());
        let is_one = text.len() <= 63
            && label.iter().all(plain)
            && ends(label.first())
            && ends(label.last());
        prop_assert_eq!(text.parse::<Name>().is_ok(), is_one, "{}", text);
    }

    #[test]
    fn a_port_is_read_as_it_is_written(host in 1u16.., machine in 1u16.., udp: bool) {
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        let port = PortMapping { host, machine, protocol };
        prop_assert_eq!(port.to_string().parse::<PortMapping>().unwrap(), port);
        if !udp {
            let short = format!("{host}:{machine}").parse::<PortMapping>();
            prop_assert_eq!(short.unwrap(), port);
        }
    }

    #[test]
    fn what_is_read_as_a_port_is_one(text in "[-+0-9:/tcpud ]{0,16}|.{0,10}") {
        if let Ok(port) = text.parse::<PortMapping>() {
            prop_assert!(port.host > 0 && port.machine > 0);
            prop_assert_eq!(port.to_string().parse::<PortMapping>().unwrap(), port);
        }
    }
}
