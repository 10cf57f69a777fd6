//! The routes and the shapes of `openapi.json`, written out for a page.

use std::fmt::Write;

use munjigi_server::endpoint::docs::OPENAPI;
use serde_json::Value;

/// What stands on the page.
pub fn page() -> String {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut out = String::new();
    for tag in document["tags"].as_array().unwrap() {
        let (name, about) = (text(&tag["name"]), text(&tag["description"]));
        write!(out, "\n## {name}\n\n{about}\n").unwrap();
        let all = operations(&document).into_iter();
        for (method, path, operation) in all.filter(|it| it.2["tags"][0] == *name) {
            route(&mut out, &document, &method, path, operation);
        }
    }
    refusals(&mut out, &document);
    out.push_str("\n## Shapes\n\nMembers with a star have to be there, or always are.\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        shape(&mut out, name, schema);
    }
    out.push('\n');
    out
}

fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let paths = members(&document["paths"]).into_iter();
    let all = paths.flat_map(|(path, item)| {
        let named = members(item).into_iter();
        named.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    all.collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn route(out: &mut String, document: &Value, method: &str, path: &str, operation: &Value) {
    let (summary, about) = (text(&operation["summary"]), text(&operation["description"]));
    write!(out, "\n### `{method} {path}`\n\n{summary}. {about}\n\n").unwrap();
    writeln!(out, "- Who: {}", who(operation)).unwrap();
    for written in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolved(document, written);
        let must = if parameter["required"] == true { ", required" } else { "" };
        writeln!(
            out,
            "- `{}` in the {}{must}: {} ({})",
            text(&parameter["name"]),
            text(&parameter["in"]),
            text(&parameter["description"]),
            kind(&parameter["schema"]),
        )
        .unwrap();
    }
    for (media_type, body) in members(&operation["requestBody"]["content"]) {
        writeln!(out, "- Request: `{media_type}`, {}", kind(&body["schema"])).unwrap();
    }
    let mut shared = Vec::new();
    for (status, written) in members(&operation["responses"]) {
        match written["$ref"].as_str() {
            Some(reference) => shared.push(format!("{status} {}", last(reference))),
            None => writeln!(out, "- {status}: {}", answer(written)).unwrap(),
        }
    }
    if !shared.is_empty() {
        writeln!(out, "- [Shared](#shared-answers): {}", shared.join(", ")).unwrap();
    }
}

fn who(operation: &Value) -> String {
    let all = operation["security"].as_array().unwrap();
    let has = |name: &str| all.iter().any(|one| one.get(name).is_some());
    let scope = all.iter().find_map(|one| one.get("password")?.get(0)).map(text);
    if has("registration") {
        let free = if all.len() > 1 { ", or anybody, by the setting" } else { "" };
        return format!("whoever has the token for it{free}");
    }
    let who = match (has("bearer"), has("client"), scope) {
        (true, _, Some(scope)) => format!("whoever has an access token with the scope `{scope}`"),
        (true, _, None) => "whoever has an access token".to_owned(),
        (false, true, _) => {
            "a client: HTTP Basic, or `client_id` and `client_secret` in the form".to_owned()
        }
        (false, false, _) => "anybody".to_owned(),
    };
    if operation["x-dev-only"] == true { format!("{who}; in `munjigi dev` alone") } else { who }
}

fn answer(response: &Value) -> String {
    let about = text(&response["description"]);
    let content = members(&response["content"]);
    let bodies = content.into_iter().map(|(media_type, body)| {
        let schema = &body["schema"];
        let shape = if schema.is_null() { String::new() } else { kind(schema) };
        if shape.is_empty() { media_type.to_owned() } else { shape }
    });
    let bodies: Vec<String> = bodies.collect();
    if bodies.is_empty() { about.to_owned() } else { format!("{about} {}", bodies.join(", ")) }
}

fn refusals(out: &mut String, document: &Value) {
    out.push_str("\n## Shared answers\n\n| name | what it means | shape |\n|---|---|---|\n");
    for (name, response) in members(&document["components"]["responses"]) {
        let about = cell(text(&response["description"]));
        let content = members(&response["content"]);
        let shapes = content.into_iter().map(|(_, body)| kind(&body["schema"]));
        let shapes: Vec<String> = shapes.collect();
        writeln!(out, "| {name} | {about} | {} |", shapes.join(", ")).unwrap();
    }
}

fn shape(out: &mut String, name: &str, schema: &Value) {
    write!(out, "\n### {name}\n\n{}\n", text(&schema["description"])).unwrap();
    if schema["properties"].is_null() {
        write!(out, "\nIt is {}.\n", kind(schema)).unwrap();
        return;
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().map(text).collect();
    out.push_str("\n| member | kind | what it is |\n|---|---|---|\n");
    for (member, schema) in members(&schema["properties"]) {
        let star = if required.contains(&member) { " \\*" } else { "" };
        let about = cell(text(&schema["description"]));
        writeln!(out, "| `{member}`{star} | {} | {about} |", cell(&kind(schema))).unwrap();
    }
}

/// The members of an object by name, whatever order it keeps them in; none of anything else.
fn members(value: &Value) -> Vec<(&str, &Value)> {
    let all = value.as_object().into_iter().flatten();
    let mut all: Vec<_> = all.map(|(name, value)| (name.as_str(), value)).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap()
}

/// What kind of value it is, in words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = last(reference);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let (base, is_nullable) = match &schema["type"] {
        Value::Array(types) => (text(&types[0]), true),
        one => (text(one), false),
    };
    let mut kind = match schema["enum"].as_array() {
        Some(values) => {
            let values = values.iter().filter(|value| !value.is_null());
            values.map(|value| format!("`{}`", text(value))).collect::<Vec<_>>().join(", ")
        }
        None if base == "array" => format!("list of {}", kind_of_items(schema)),
        None => base.to_owned(),
    };
    let mut bounds = Vec::new();
    if let Some(format) = schema["format"].as_str() {
        bounds.push(format.to_owned());
    }
    for (least, most, what) in [
        ("minLength", "maxLength", " characters"),
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " entries"),
    ] {
        match (schema[least].as_i64(), schema[most].as_i64()) {
            (Some(least), Some(most)) => bounds.push(format!("{least} to {most}{what}")),
            (Some(least), None) => bounds.push(format!("at least {least}{what}")),
            (None, Some(most)) => bounds.push(format!("at most {most}{what}")),
            (None, None) => {}
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        bounds.push(format!("`{pattern}`"));
    }
    if !bounds.is_empty() {
        write!(kind, ", {}", bounds.join(", ")).unwrap();
    }
    let parts = members(&schema["properties"]);
    if !parts.is_empty() {
        let parts: Vec<String> = parts.iter().map(|(name, _)| format!("`{name}`")).collect();
        write!(kind, " of {}", parts.join(", ")).unwrap();
    }
    if is_nullable { format!("{kind}; or null") } else { kind }
}

fn kind_of_items(schema: &Value) -> String {
    kind(&schema["items"])
}
