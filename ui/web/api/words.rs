//! Words of requests, by the same grammar as the command line's.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sistemo::error::{Advice, Kind};
use sistemo::value::ByteSize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{Answer, Problem};

/// A size: a number of bytes, or text such as `512M` or `2G`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Size {
    Bytes(u64),
    Text(String),
}

impl PartialSchema for Size {
    fn schema() -> RefOr<Schema> {
        let bytes = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1u64))
            .maximum(Some(i64::MAX as u64));
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(
            r"^([1-9][0-9]{0,4}(\.[0-9]{1,9})?|0\.[0-9]{0,2}[1-9]) ?[mMgGtT]([iI]?[bB])?$",
        ));
        OneOfBuilder::new()
            .description(Some("A number of bytes, or text such as `512M` or `2G`"))
            .item(bytes)
            .item(text)
            .into()
    }
}

impl ToSchema for Size {}

impl Size {
    pub(super) fn parse(&self, field: &str) -> Answer<ByteSize> {
        match self {
            Size::Bytes(bytes) if (1..=i64::MAX as u64).contains(bytes) => {
                Ok(ByteSize::bytes(*bytes))
            }
            Size::Bytes(bytes) => word(field, &format!("{bytes}b")),
            Size::Text(text) => word(field, text),
        }
    }
}

/// Reads a word.
pub(super) fn word<T>(field: &str, text: &str) -> Answer<T>
where
    T: FromStr<Err: Advice>,
{
    text.parse().map_err(|error: T::Err| {
        let problem = Problem::usage(format!("{field}: {error}"));
        debug_assert!(error.kind() == Kind::Usage);
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    })
}

/// The same of one that says in its error all that there is to say.
pub(super) fn plain<T>(field: &str, text: &str) -> Answer<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse()
        .map_err(|error: T::Err| Problem::usage(format!("{field}: {error}")))
}

/// Reads one that may be absent.
pub(super) fn maybe<T>(field: &str, text: Option<&String>) -> Answer<Option<T>>
where
    T: FromStr<Err: Advice>,
{
    text.map(|text| word(field, text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_bytes_or_text() {
        let size = |json: &str| serde_json::from_str::<Size>(json).unwrap().parse("memory");
        assert_eq!(size("1073741824").unwrap(), ByteSize::gib(1));
        assert_eq!(size("\"1G\"").unwrap(), ByteSize::gib(1));
        assert_eq!(size("\"512\"").unwrap(), ByteSize::mib(512));
        for wrong in ["0", "18446744073709551615", "\"\"", "\"-1G\"", "\"1Q\""] {
            let problem = size(wrong).unwrap_err();
            assert_eq!(problem.status(), axum::http::StatusCode::BAD_REQUEST);
        }
        assert!(serde_json::from_str::<Size>("-1").is_err());
    }
}
