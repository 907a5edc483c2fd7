//! Addresses as they may be shown.

/// The URL without the name and the password in it, as it may be shown, logged and kept; any other text as it is.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.into();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match host.rsplit_once('@') {
        Some((who, _)) => format!("{scheme}://{}", &rest[who.len() + 1..]),
        None => url.into(),
    }
}
