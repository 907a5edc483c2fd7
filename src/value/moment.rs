//! Points in time as users type them: `10m`, `2026-01-31T08:00:00Z`, `1769846400`.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};

use super::BadValue;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let found = at(text, &ZonedDateTime::now()).ok_or_else(|| BadValue::Moment(text.into()))?;
        Ok(Moment(found))
    }
}

/// What `text` means at `now`: so long ago, an instant, a date or time of day where the user is, or seconds since 1970.
fn at(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    let zone = now.time_zone();
    seconds(text)
        .or_else(|| text.parse().ok())
        .or_else(|| local(text, zone))
        .or_else(|| ago(text, now))
}

fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let nanos: String = part.chars().chain(std::iter::repeat('0')).take(9).collect();
    Timestamp::new(whole.parse().ok()?, nanos.parse().ok()?).ok()
}

fn local(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let time = match text.parse::<DateTime>() {
        Ok(time) => time,
        Err(_) => text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
    };
    Some(time.to_zoned_datetime(zone.clone()).ok()?.timestamp())
}

fn ago(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    // Words such as "ago", signs and blanks are of the same grammar, and nobody's habit.
    let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'.';
    if !text.bytes().all(plain) || text.ends_with("ago") {
        return None;
    }
    let span: Span = text.parse().ok()?;
    Some(now.checked_sub(span).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_several_ways() {
        let now: ZonedDateTime = "2026-03-10T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let found = |text: &str| at(text, &now).map(|time| time.to_string());
        for (text, time) in [
            ("10m", "2026-03-10T10:50:00Z"),
            ("1h30m", "2026-03-10T09:30:00Z"),
            ("90s", "2026-03-10T10:58:30Z"),
            ("1.5h", "2026-03-10T09:30:00Z"),
            ("2d", "2026-03-08T11:00:00Z"),
            ("1w", "2026-03-03T11:00:00Z"),
            ("0s", "2026-03-10T11:00:00Z"),
            ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),
            ("2026-01-31T08:00:00.25+02:00", "2026-01-31T06:00:00.25Z"),
            ("2026-01-31T08:00:00", "2026-01-31T07:00:00Z"),
            ("2026-01-31T08:00", "2026-01-31T07:00:00Z"),
            ("2026-01-31 08:00", "2026-01-31T07:00:00Z"),
            ("2026-01-31", "2026-01-30T23:00:00Z"),
            ("1769846400", "2026-01-31T08:00:00Z"),
            ("1769846400.5", "2026-01-31T08:00:00.5Z"),
        ] {
            assert_eq!(found(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            " ",
            "soon",
            "10x",
            "-10m",
            "10m ago",
            "m",
            "1h-30m",
            "2026-13-01",
            "2026-02-30",
            "99999999999999999999",
            "1.",
            ".5",
            "99999999y",
            "25:00",
            "1e3",
        ] {
            let found = text.parse::<Moment>();
            assert_eq!(found, Err(BadValue::Moment(text.into())), "{text}");
        }
    }
}
