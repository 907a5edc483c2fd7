//! The line that `ls -l` would print, which version 3 sends with each name of a folder.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Mode, links, owner and group as numbers, size, time in UTC, name. The name's bytes are kept.
pub fn line(name: &[u8], meta: &Metadata) -> Vec<u8> {
    let (mode, time) = (mode(meta.mode()), time(meta.mtime()));
    let (links, uid, gid, size) = (meta.nlink(), meta.uid(), meta.gid(), meta.size());
    let mut line = format!("{mode} {links:>4} {uid:<8} {gid:<8} {size:>8} {time} ").into_bytes();
    line.extend(name);
    line
}

fn mode(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let mut text = String::from(kind);
    // Set-user-id, set-group-id and sticky take the place of an execute bit: small with it, large without.
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: i64 = 86_400;

/// `Nov 24  2026`: the form of `ls` for a time far from now, which holds at any distance.
fn time(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    format!("{} {day:>2}  {year}", MONTHS[month])
}

/// The day that lies `days` after 1970-01-01: year, month from 0, day from 1 (H. Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, usize, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    (year, usize::try_from(month).unwrap_or_default(), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_in_ls() {
        assert_eq!(mode(0o100_644), "-rw-r--r--");
        assert_eq!(mode(0o041_777), "drwxrwxrwt");
        assert_eq!(mode(0o104_755), "-rwsr-xr-x");
        assert_eq!(mode(0o102_640), "-rw-r-S---");
        assert_eq!(mode(0o120_777), "lrwxrwxrwx");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(time(0), "Jan  1  1970");
        assert_eq!(time(951_782_400), "Feb 29  2000");
        assert_eq!(time(1_795_478_400), "Nov 24  2026");
        assert_eq!(time(-1), "Dec 31  1969");
    }
}
