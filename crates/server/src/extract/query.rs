//! Query strings of the admin API's lists: known parameters only, each once.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::reply::problem::Problem;

/// How many rows a page has, unless asked for more or fewer.
pub const DEFAULT_LIMIT: u32 = 50;
/// How many rows a page has at most.
pub const MAX_LIMIT: u32 = 200;

/// The parameters of a query, in order.
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs.iter().skip(index.saturating_add(1)).any(|(other, _)| other == name) {
                return Err(wrong(name, "stands there more than once"));
            }
        }
        Ok(Self(pairs))
    }
}

impl Query {
    /// Takes a parameter out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(index).1)
    }

    /// Takes a parameter out and parses it.
    pub fn parsed<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| wrong(name, &error.to_string()))
    }

    /// Takes the page size out: 1 to 200.
    pub fn limit(&mut self) -> Result<u32, Problem> {
        let Some(text) = self.take("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| wrong("limit", "is a number from 1 to 200"))
    }

    /// Refuses what was not taken.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(name, "is not expected here")),
        }
    }
}

fn wrong(name: &str, what: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    let detail = format!("the parameter `{name}` {what}");
    Problem::new(http::StatusCode::BAD_REQUEST, "invalid_parameter", detail)
}
