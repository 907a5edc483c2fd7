//! Firecracker's own description of its API, where it is at hand: `SISTEMO_TEST_FIRECRACKER_API` names the file
//! (`src/firecracker/swagger/firecracker.yaml` of Firecracker's source). It is no part of this project.

use std::sync::OnceLock;

use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

use super::table::{self, Field, Kind, OPERATIONS, When};

/// The variable that names the file.
pub(super) const WHERE: &str = "SISTEMO_TEST_FIRECRACKER_API";

/// The description, if it is at hand.
pub(super) fn read() -> Option<&'static Value> {
    static READ: OnceLock<Option<Value>> = OnceLock::new();
    let read = || {
        let path = std::env::var_os(WHERE).filter(|path| !path.is_empty())?;
        let text = std::fs::read_to_string(path).unwrap();
        Some(json(&YamlLoader::load_from_str(&text).unwrap()[0]))
    };
    READ.get_or_init(read).as_ref()
}

fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => text.clone().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(flag) => (*flag).into(),
        Yaml::Array(all) => all.iter().map(json).collect(),
        Yaml::Hash(all) => {
            let word = |key: &Yaml| match key {
                Yaml::Integer(number) => number.to_string(),
                other => other.as_str().unwrap().to_string(),
            };
            let map: Map<_, _> = all.iter().map(|(k, v)| (word(k), json(v))).collect();
            map.into()
        }
        _ => Value::Null,
    }
}

/// The check of the stand-in: our table, and the description where it is at hand.
pub(super) fn check(method: &str, path: &str, body: &Value, now: When) -> Result<(), String> {
    table::check(method, path, body, now)?;
    let Some(description) = read() else {
        return Ok(());
    };
    let (operation, _) = operation(description, method, path)
        .ok_or_else(|| format!("the description has no {method} {path}"))?;
    let Some(schema) = body_schema(operation) else {
        return match body {
            Value::Null => Ok(()),
            body => Err(format!(
                "{method} {path} has no body, and is called with {body}"
            )),
        };
    };
    fits(description, schema, body, path)
}

/// The operation of a call, and its path as the description has it.
fn operation<'a>(
    description: &'a Value,
    method: &str,
    path: &str,
) -> Option<(&'a Value, &'a String)> {
    let paths = description["paths"].as_object()?;
    let same = |pattern: &str| {
        let (mut ours, mut theirs) = (path.split('/'), pattern.split('/'));
        let parts = ours.by_ref().zip(theirs.by_ref());
        let alike = parts.filter(|(a, b)| a != b && !b.starts_with('{')).count() == 0;
        alike && path.split('/').count() == pattern.split('/').count()
    };
    let (pattern, found) = paths.iter().find(|(pattern, _)| same(pattern))?;
    Some((found.get(method.to_lowercase())?, pattern))
}

fn body_schema(operation: &Value) -> Option<&Value> {
    let parameters = operation["parameters"].as_array()?;
    let body = parameters.iter().find(|one| one["in"] == "body")?;
    body.get("schema")
}

fn resolved<'a>(description: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => &description["definitions"][place.rsplit('/').next().unwrap()],
        None => schema,
    }
}

/// Whether a value is as a schema has it; fields that it does not have are refused, as Firecracker does.
fn fits(description: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolved(description, schema);
    let wrong = |what: &str| Err(format!("{at}: {value} {what}, says the description"));
    let of_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => return wrong("is of a type that is not known"),
    };
    if !of_type {
        return wrong("is of another type");
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return wrong("is none of the words");
    }
    let beyond = |name: &str, past: fn(i64, i64) -> bool| {
        let bound = schema[name].as_i64();
        bound.is_some_and(|bound| value.as_i64().is_some_and(|number| past(number, bound)))
    };
    if beyond("minimum", |a, b| a < b) || beyond("maximum", |a, b| a > b) {
        return wrong("is out of range");
    }
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap()) {
            return wrong(&format!("lacks {name}"));
        }
    }
    for (name, value) in object {
        let Some(property) = schema["properties"].get(name) else {
            return wrong(&format!("has no field {name}"));
        };
        fits(description, property, value, &format!("{at}.{name}"))?;
    }
    Ok(())
}

#[test]
#[cfg_attr(
    not(firecracker_api),
    ignore = "SISTEMO_TEST_FIRECRACKER_API names no description"
)]
fn our_table_agrees_with_the_description() {
    let description = read().unwrap();
    for ours in OPERATIONS {
        let (theirs, path) = operation(description, ours.method, ours.path).unwrap();
        assert_eq!(path, ours.path);
        let said = format!("{} {}", theirs["summary"], theirs["description"]);
        if said.contains("Pre-boot only") {
            assert!(!ours.when.contains(&When::After), "{path}");
        }
        if said.contains("Post-boot only") {
            assert!(!ours.when.contains(&When::Before), "{path}");
        }
        match body_schema(theirs) {
            Some(schema) => agree(description, ours.fields, schema, path),
            None => assert!(ours.fields.is_empty(), "{path}"),
        }
    }
}

fn agree(description: &Value, fields: &[Field], schema: &Value, at: &str) {
    let schema = resolved(description, schema);
    let required = |name: &str| {
        let all = schema["required"].as_array();
        all.is_some_and(|all| all.iter().any(|one| one == name))
    };
    let must = schema["required"].as_array().into_iter().flatten();
    for name in must {
        let known = fields
            .iter()
            .any(|field| field.name == name.as_str().unwrap());
        assert!(known, "{at} needs {name}");
    }
    for field in fields {
        let here = format!("{at}.{}", field.name);
        let theirs = schema["properties"].get(field.name);
        let theirs = resolved(description, theirs.unwrap_or_else(|| panic!("{here}")));
        assert_eq!(field.required, required(field.name), "{here}");
        let kind = theirs["type"].as_str().unwrap();
        match field.kind {
            Kind::Text => assert_eq!(kind, "string", "{here}"),
            Kind::Flag => assert_eq!(kind, "boolean", "{here}"),
            Kind::Number(least, most) => {
                assert_eq!(kind, "integer", "{here}");
                let bound = |name: &str, default| theirs[name].as_u64().unwrap_or(default);
                assert_eq!(
                    (least, most),
                    (bound("minimum", 0), bound("maximum", u64::MAX))
                );
            }
            Kind::Word(words) => {
                let theirs: Vec<_> = theirs["enum"].as_array().unwrap().iter().collect();
                let ours: Vec<Value> = words.iter().map(|word| (*word).into()).collect();
                assert_eq!(ours.iter().collect::<Vec<_>>(), theirs, "{here}");
            }
            Kind::Object(fields) => agree(description, fields, theirs, &here),
        }
    }
}
