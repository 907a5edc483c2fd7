//! What a client has already, and how it takes what it has not (RFC 9110).

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};

/// Whether `If-None-Match` has this entity tag, weak or not (section 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = bare(tag);
    listed(headers, &IF_NONE_MATCH).any(|known| known.trim() == "*" || bare(known) == tag)
}

/// Whether `Accept-Encoding` has this coding (section 12.5.3).
pub(super) fn takes(headers: &HeaderMap, coding: &str) -> bool {
    listed(headers, &ACCEPT_ENCODING).any(|listed| {
        let mut parts = listed.split(';').map(str::trim);
        let is_it = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(Ok(1.0), str::parse::<f32>);
        is_it && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The members of a header that is a list.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_gets_a_coding_only_if_it_takes_it() {
        for (value, is_taken) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("x-gzip", false),
            ("gzip;level=1;q=0", false),
            ("gzip;q=much", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(takes(&headers, "gzip"), is_taken, "{value}");
        }
        assert!(!takes(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn a_tag_is_known_whether_weak_or_not() {
        for (value, known) in [
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
            assert_eq!(is_known(&headers, "W/\"a\""), known, "{value}");
        }
    }
}
