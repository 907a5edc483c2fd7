//! `/api/docs`: the document of the API as a page to read. It has no script, and nothing of anybody's machines.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::openapi::DOCUMENT;

static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut page = String::new();
    // Writing to memory cannot fail.
    let _ = write_page(&mut page, &DOCUMENT);
    page.into()
});

/// `GET /api/docs`.
pub(super) async fn page() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (kind, PAGE.clone()).into_response()
}

/// `GET /assets/docs.css`.
pub(super) async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("docs.css")).into_response()
}

/// Text that is only text to a browser.
struct Plain<'a>(&'a str);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Plain<'a> {
    Plain(value[key].as_str().unwrap_or_default())
}

type Written = std::fmt::Result;

fn write_page(out: &mut String, document: &Value) -> Written {
    let info = &document["info"];
    let title = text(info, "title");
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}: API</title>\n\
         <link rel=\"stylesheet\" href=\"/assets/docs.css\">\n<main>\n\
         <h1>{title} <small>{}</small></h1>\n<p>{}</p>\n\
         <p><a href=\"/api/v1/openapi.json\">openapi.json</a> is the same for programs (it wants a login).</p>",
        text(info, "version"),
        text(info, "description"),
    )?;
    for tag in document["tags"].as_array().into_iter().flatten() {
        writeln!(
            out,
            "<h2>{}</h2>\n<p>{}</p>",
            text(tag, "name"),
            text(tag, "description")
        )?;
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"][0] == tag["name"] {
                    write_operation(out, path, method, operation)?;
                }
            }
        }
    }
    out.push_str("<h2>Shapes</h2>\n");
    let schemas = &document["components"]["schemas"];
    for (name, schema) in schemas.as_object().into_iter().flatten() {
        let name = Plain(name);
        writeln!(
            out,
            "<details id=\"{name}\"><summary><code>{name}</code></summary>\n<p>{}</p>",
            text(schema, "description")
        )?;
        write_fields(out, schema)?;
        out.push_str("</details>\n");
    }
    out.push_str("</main>\n</html>\n");
    Ok(())
}

fn write_operation(out: &mut String, path: &str, method: &str, operation: &Value) -> Written {
    writeln!(
        out,
        "<details id=\"{}\"><summary><b class=\"{method}\">{}</b> <code>{}</code> {}</summary>\n<p>{}</p>",
        text(operation, "operationId"),
        method.to_uppercase(),
        Plain(path),
        text(operation, "summary"),
        text(operation, "description"),
    )?;
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut rows = String::new();
    for parameter in parameters {
        writeln!(
            rows,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            text(parameter, "name"),
            text(parameter, "in"),
            text(parameter, "description")
        )?;
    }
    if !rows.is_empty() {
        writeln!(out, "<table>\n{rows}</table>")?;
    }
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        out.push_str("<p>Takes ");
        write_content(out, content)?;
        out.push_str("</p>\n");
    }
    out.push_str("<ul>\n");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let reference = response["$ref"].as_str();
        if reference.is_some() && status != "default" {
            continue;
        }
        let status = if status == "default" { "else" } else { status };
        write!(out, "<li><code>{}</code> ", Plain(status))?;
        match (reference, response["content"].as_object()) {
            (Some(_), _) => out.push_str("a <a href=\"#Problem\">problem</a>"),
            (None, Some(content)) => {
                write!(out, "{}: ", text(response, "description"))?;
                write_content(out, content)?;
            }
            (None, None) => write!(out, "{}", text(response, "description"))?,
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n</details>\n");
    Ok(())
}

fn write_content(out: &mut String, content: &serde_json::Map<String, Value>) -> Written {
    for (index, (kind, media)) in content.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(out, "{comma}{} ", Plain(kind))?;
        write_type(out, &media["schema"])?;
    }
    Ok(())
}

fn write_fields(out: &mut String, schema: &Value) -> Written {
    let Some(fields) = schema["properties"].as_object() else {
        out.push_str("<p>");
        write_type(out, schema)?;
        out.push_str("</p>\n");
        return Ok(());
    };
    out.push_str("<table>\n");
    for (name, field) in fields {
        write!(out, "<tr><td><code>{}</code></td><td>", Plain(name))?;
        write_type(out, field)?;
        writeln!(out, "</td><td>{}</td></tr>", text(field, "description"))?;
    }
    out.push_str("</table>\n");
    Ok(())
}

/// A type in words, with links to the shapes that it is made of.
fn write_type(out: &mut String, schema: &Value) -> Written {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = Plain(reference.rsplit('/').next().unwrap_or_default());
        return write!(out, "<a href=\"#{name}\">{name}</a>");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[key].as_array() {
            for (index, choice) in choices.iter().enumerate() {
                out.push_str(if index > 0 { " or " } else { "" });
                write_type(out, choice)?;
            }
            return Ok(());
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return write!(out, "{}", Plain(&words.join(" | ")));
    }
    let types = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let words: Vec<_> = several.iter().filter_map(Value::as_str).collect();
            words.join(" or ")
        }
        _ => "anything".into(),
    };
    write!(out, "{}", Plain(&types))?;
    if schema["items"].is_object() {
        out.push_str(" of ");
        write_type(out, &schema["items"])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_on_the_page_and_nothing_of_it_runs() {
        let page = std::str::from_utf8(&PAGE).unwrap();
        for item in DOCUMENT["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(page.contains(&format!("<details id=\"{id}\">")), "{id}");
            }
        }
        assert!(page.contains("<details id=\"Machine\">"));
        // What the strict policy would refuse.
        for wrong in ["<script", " style=", " onclick=", " onload=", "href=\"http"] {
            assert!(!page.contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_said_is_no_markup() {
        assert_eq!(
            Plain("<a href='x'>&\"").to_string(),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
