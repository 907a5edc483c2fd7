//! What a request brings to prove who sends it.

use axum::http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderName};

use super::refusal::Refusal;

/// The header with a session's key.
pub(super) const KEY: HeaderName = HeaderName::from_static("sistemo-session-key");
/// What stands before the key in a WebSocket's subprotocol, the only thing that a page can say there.
const KEY_PROTOCOL: &str = "sistemo.key.";

/// The bearer token (RFC 6750, section 2.1), if there is an `Authorization`.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bad = Refusal::Malformed("there is another Authorization than one bearer token");
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match (token, values.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim()))
        }
        _ => Err(bad),
    }
}

/// The values of all cookies of that name: another server of the same host may have set some, too.
pub(super) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The session's key; of a WebSocket it may be a subprotocol.
pub(super) fn key(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get(KEY) {
        return key.to_str().ok();
    }
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(KEY_PROTOCOL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let pairs = lines.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn one_bearer_token_or_none() {
        assert_eq!(bearer(&headers(&[])), Ok(None));
        let of = |value| headers(&[("authorization", value)]);
        assert_eq!(bearer(&of("Bearer abc")), Ok(Some("abc")));
        assert_eq!(bearer(&of("bearer  abc")), Ok(Some("abc")));
        for bad in ["Basic abc", "Bearer", "abc", ""] {
            assert!(bearer(&of(bad)).is_err(), "{bad}");
        }
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert!(bearer(&twice).is_err());
    }

    #[test]
    fn cookies_and_keys_wherever_they_stand() {
        let headers = headers(&[
            ("cookie", "a=1; sistemo-7777=x;sistemo-7777=y"),
            ("cookie", "sistemo-77770=z; xsistemo-7777=z; sistemo-7777=w"),
            (
                "sec-websocket-protocol",
                "sistemo.terminal.v1, sistemo.key.k1",
            ),
        ]);
        let found: Vec<_> = cookies(&headers, "sistemo-7777").collect();
        assert_eq!(found, ["x", "y", "w"]);
        assert_eq!(key(&headers), Some("k1"));
        let mut both = headers.clone();
        both.insert(KEY, "k2".parse().unwrap());
        assert_eq!(key(&both), Some("k2"));
        assert_eq!(key(&HeaderMap::new()), None);
    }
}
