//! Answers on standard output: tables for people, JSON for programs. No colours.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::stop::Stop;

/// How an answer is written: for people, or as one JSON value on one line, whose members stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    // Without documentation, or else every page of help doubles its length.
    Table,
    Json,
}

/// Writes text to standard output. A reader who has seen enough is no failure.
pub fn text(text: &str) -> Result<(), Stop> {
    written(text).map(drop)
}

/// Whether somebody still reads.
fn written(text: &str) -> Result<bool, Stop> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Stop::file("standard output", &error)),
    }
}

/// Writes some of a series that has no end of its own, a line each; false when nobody reads it any
/// more.
pub fn json_lines(values: &[Value]) -> Result<bool, Stop> {
    for value in values {
        if !written(&format!("{value}\n"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes one JSON value on one line.
pub fn json_line(value: &Value) -> Result<(), Stop> {
    text(&format!("{value}\n"))
}

/// Writes one thing: its members, in this order, and then those that stand nowhere in it.
pub fn one(output: Output, order: &[&str], value: &Value) -> Result<(), Stop> {
    if output == Output::Json {
        return json_line(value);
    }
    let Some(members) = value.as_object() else { return text(&format!("{}\n", cell(value))) };
    let first = order.iter().filter_map(|name| members.get_key_value(*name));
    let rest = members.iter().filter(|(name, _)| !order.contains(&name.as_str()));
    let rows: Vec<Vec<String>> =
        first.chain(rest).map(|(name, value)| vec![name.clone(), cell(value)]).collect();
    text(&table(&rows))
}

/// Writes a list: in JSON `{"items": […], "next": …}`, for people these columns.
pub fn list(
    output: Output,
    columns: &[&str],
    items: Vec<Value>,
    next: Option<String>,
) -> Result<(), Stop> {
    if output == Output::Json {
        return json_line(&json!({ "items": items, "next": next }));
    }
    let mut rows = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    for item in &items {
        let row = columns.iter().map(|name| item.get(*name).map_or_else(nothing, cell));
        rows.push(row.collect());
    }
    text(&table(&rows))?;
    match next {
        Some(cursor) => text(&format!("\nThere are more: --after {cursor}\n")),
        None => Ok(()),
    }
}

fn nothing() -> String {
    "-".to_owned()
}

/// A value as people read it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => nothing(),
        Value::String(text) if text.is_empty() => nothing(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) if items.is_empty() => nothing(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// Columns side by side, two spaces apart.
pub fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            match widths.get_mut(column) {
                Some(known) => *known = (*known).max(width(cell)),
                None => widths.push(width(cell)),
            }
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, wanted) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(wanted.saturating_sub(width(cell)).saturating_add(2)));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// How many columns of a terminal a text takes: Hangul and its neighbours take two each.
fn width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}')
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_in_every_script() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = vec![row(&["name", "role"]), row(&["김민지", "user"])];
        assert_eq!(table(&rows), "name    role\n김민지  user\n");
    }

    #[test]
    fn what_is_not_there_is_a_dash() {
        for empty in [json!(null), json!(""), json!([])] {
            assert_eq!(cell(&empty), "-");
        }
        assert_eq!(cell(&json!(["a", "b"])), "a b");
        assert_eq!(cell(&json!(true)), "yes");
    }
}
