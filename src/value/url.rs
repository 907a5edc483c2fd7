//! Addresses as they may be shown.

/// How long the value of a parameter may be that is taken for nothing but what it seems.
const PLAIN: usize = 15;
/// What is in the names of parameters that carry secrets, in small letters.
const SECRET: [&str; 8] = [
    "auth", "cred", "key", "pass", "pwd", "secret", "sig", "token",
];
/// What stands for a value that is not shown.
const HIDDEN: &str = "…";

/// The URL as it may be shown, logged and kept: without the name and the password in it, and without the values of
/// parameters that may be secrets, such as the signatures that object stores give out. Any other text as it is.
pub fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.into();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let rest = host
        .rsplit_once('@')
        .map_or(rest, |(who, _)| &rest[who.len() + 1..]);
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let mut shown = format!("{scheme}://");
    match rest.split_once('?') {
        None => shown += rest,
        Some((path, query)) => {
            let parameters: Vec<_> = query.split('&').map(parameter).collect();
            shown += path;
            shown += "?";
            shown += &parameters.join("&");
        }
    }
    if let Some(fragment) = fragment {
        shown += "#";
        shown += fragment;
    }
    shown
}

/// One parameter of a query, `name=value`.
fn parameter(text: &str) -> String {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (Some(name), value),
        None => (None, text),
    };
    let small = name.unwrap_or_default().to_ascii_lowercase();
    let is_secret =
        value.chars().count() > PLAIN || SECRET.iter().any(|secret| small.contains(secret));
    match (name, is_secret && !value.is_empty()) {
        (_, false) => text.into(),
        (Some(name), true) => format!("{name}={HIDDEN}"),
        (None, true) => HIDDEN.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for (url, without) in [
            ("https://user:s@cret@host/a@b?c#d", "https://host/a@b?c#d"),
            ("https://host/a@b", "https://host/a@b"),
            ("http://u@host:80", "http://host:80"),
            (
                "https://host/disk.raw?v=2&arch=amd64",
                "https://host/disk.raw?v=2&arch=amd64",
            ),
            (
                "https://host/disk?v=2&X-Amz-Signature=0a1b&se=2026-11-25T10%3A00Z&token=#top",
                "https://host/disk?v=2&X-Amz-Signature=…&se=…&token=#top",
            ),
            ("https://host/disk?0123456789abcdef", "https://host/disk?…"),
            ("registry/name:tag", "registry/name:tag"),
        ] {
            assert_eq!(without_secrets(url), without);
            assert_eq!(without_secrets(without), without);
        }
    }
}
