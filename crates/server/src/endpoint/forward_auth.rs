//! `/forward-auth`: a proxy asks whether a request may pass, before it lets it through (nginx
//! `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`, Envoy `ext_authz`). RFC 6750 for
//! what the client is told.
//!
//! What has to be there stands in the address that the proxy was configured with. Nothing else of
//! the request decides but the token: no header of it, no cookie, no method, and nothing behind
//! `uri=`, which is the client's.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use munjigi_token::Error as TokenError;
use munjigi_verify::{Principal, Refusal, Requirement, any_role, permission, scope};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::form_urlencoded;
use uuid::Uuid;

use crate::app::App;
use crate::context::Context;
use crate::reply;
use crate::reply::problem::Problem;

/// How many things an address may ask for.
const MAX_ASKED: usize = 32;

/// Every header about the caller. All of them are always set, empty where there is nothing to say,
/// so that a proxy that copies them overwrites what a client sent under the same name.
const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
const SCOPE: HeaderName = HeaderName::from_static("x-auth-scope");
const ROLES: HeaderName = HeaderName::from_static("x-auth-roles");
const GROUPS: HeaderName = HeaderName::from_static("x-auth-groups");

/// What would end a header, an item of a list, or the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b',').add(b';').add(b'"').add(b'%').add(b'\\');

/// Says whether a request may pass, and whose it is.
pub async fn forward_auth(
    State(app): State<App>,
    context: Context,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::read(&app, uri.query().unwrap_or_default())?;
    // A node that is cut off from the database does not hear what has ended: nobody passes.
    app.be_recent().await?;

    match admit(&app, &headers, &asked) {
        Ok(principal) => Ok(admitted(&principal)?),
        Err(refusal) => {
            let id = Uuid::from_bytes(*context.request_id.as_bytes()).to_string();
            Ok(refusal.answer(None, Some(&id)))
        }
    }
}

/// What the place asks of a caller.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// The token has to be for every one of these.
    audiences: Vec<String>,
    requirement: Requirement,
}

impl Asked {
    /// Reads the query that the proxy was configured with. Whatever is wrong with it is a mistake
    /// of the configuration: nobody passes then.
    fn read(app: &App, query: &str) -> Result<Self, Problem> {
        let asked = Self::parse(query).map_err(misconfigured)?;
        let apis = &app.snapshot().apis;
        let is_known =
            |audience: &String| *audience == app.config.issuer || apis.contains_key(audience);
        match asked.audiences.iter().find(|audience| !is_known(audience)) {
            None => Ok(asked),
            Some(_) => Err(misconfigured("`audience` names no API that is registered")),
        }
    }

    fn parse(query: &str) -> Result<Self, &'static str> {
        let mut asked = Self::default();
        let pairs = form_urlencoded::parse(own(query).as_bytes());
        for (count, (name, value)) in pairs.enumerate() {
            if count >= MAX_ASKED {
                return Err("too much is asked for");
            }
            // An empty one is a template that was not filled in: it must not ask for nothing.
            let values: Vec<&str> = value.split([' ', ',']).filter(|it| !it.is_empty()).collect();
            let Some(first) = values.first() else {
                return Err("a parameter is empty");
            };
            let requirement = match (&*name, values.len()) {
                ("scope", _) => scope(&values.join(" ")),
                ("role", _) => any_role(values.iter().copied()),
                ("permission", 1) => permission(first),
                ("audience", 1) => {
                    asked.audiences.push((*first).to_owned());
                    continue;
                }
                ("permission" | "audience", _) => return Err("one value at a time, please"),
                _ => return Err("there is a parameter that is none of ours"),
            };
            asked.requirement = std::mem::take(&mut asked.requirement).and(requirement);
        }
        if asked.audiences.is_empty() {
            // Otherwise a token that somebody got for another place would open this one.
            return Err("`audience` is missing");
        }
        Ok(asked)
    }
}

/// The part of a query that is the proxy's own. Envoy appends the path and the query of the client
/// to what it was configured with, which therefore ends with `uri=`.
fn own(query: &str) -> &str {
    let end = if query.starts_with("uri=") { Some(0) } else { query.find("&uri=") };
    end.and_then(|end| query.get(..end)).unwrap_or(query)
}

fn misconfigured(why: &'static str) -> Problem {
    tracing::debug!(why, "a proxy asks wrongly");
    let detail = format!("the proxy is configured wrongly: {why}");
    Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail)
}

fn admit(app: &App, headers: &HeaderMap, asked: &Asked) -> Result<Arc<Principal>, Refusal> {
    let token = bearer(headers)?;
    // Signature, issuer, time, revocations; refuses what is bound to a key (RFC 9449 §7.1): a proof
    // is made for the client's own request, which nobody here can vouch for.
    let principal = app.introspector.verify_now(token)?;
    let snapshot = app.snapshot();
    let is_for = |audience: &String| {
        let is_closed = snapshot.apis.get(audience).is_some_and(|api| api.disabled_at.is_some());
        principal.claims().aud.contains(audience) && !is_closed
    };
    if !asked.audiences.iter().all(is_for) {
        return Err(TokenError::WrongAudience.into());
    }
    asked.requirement.check(&principal)?;
    Ok(principal)
}

/// RFC 6750 §2.1: the token, in the one header where it belongs.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Err(Refusal::NoCredentials),
        (Some(line), None) => line,
        // RFC 9110 §11.6.2: with two, the proxy's upstream might see another caller than we do.
        (Some(_), Some(_)) => {
            return Err(Refusal::InvalidRequest("there is more than one Authorization header"));
        }
    };
    let line = line.to_str().map_err(|_| TokenError::Malformed)?;
    let (scheme, token) = line.split_once(' ').unwrap_or((line, ""));
    match scheme {
        bearer if bearer.eq_ignore_ascii_case("Bearer") => Ok(token.trim_matches(' ')),
        bound if bound.eq_ignore_ascii_case("DPoP") => Err(Refusal::SenderConstrained),
        _ => Err(Refusal::NoCredentials),
    }
}

/// 200 and nothing else: Envoy takes no other status for a yes.
fn admitted(principal: &Principal) -> Result<Response, Problem> {
    let mut response = reply::nothing();
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        (SUBJECT, list([principal.sub()], ",")),
        (CLIENT, list([principal.client_id()], ",")),
        (SCOPE, list(principal.scopes(), " ")),
        (ROLES, list(principal.roles().iter().map(String::as_str), ",")),
        (GROUPS, list(principal.groups().iter().map(String::as_str), ",")),
    ] {
        let value = HeaderValue::from_str(&value);
        headers.insert(name, value.map_err(|_| misconfigured("the token cannot be told"))?);
    }
    Ok(response)
}

/// The items as a header: ASCII, and each of them one item, whatever stands in it.
fn list<'i>(items: impl IntoIterator<Item = &'i str>, separator: &str) -> String {
    let items = items.into_iter().map(|item| utf8_percent_encode(item, ESCAPED).to_string());
    items.collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_appended_asks_for_nothing_and_names_no_audience() {
        let asked = |query: &str| Asked::parse(query);
        let plain = asked("audience=https://a.example&scope=a:read").unwrap();
        assert_eq!(plain.audiences, ["https://a.example"]);
        assert_eq!(plain.requirement, scope("a:read"));
        let appended = "audience=https://a.example&scope=a:read&uri=/x?audience=b&role=&y&uri=";
        assert_eq!(asked(appended).unwrap(), plain);
        for wrong in [
            "",
            "scope=a",
            "audience=",
            "audience=%20",
            "uri=/x?audience=a",
            "scope=a&uri=&audience=a",
            "audience=a&scope=",
            "audience=a&role=,",
            "audience=a%20b",
            "audience=a&scopes=b",
            "audience=a&Scope=b",
            "audience=a&permission=a,b",
        ] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
        let many = "&scope=a".repeat(MAX_ASKED);
        assert!(asked(&format!("audience=a{many}")).is_err());
    }

    #[test]
    fn parameters_add_up_and_values_of_a_role_are_alternatives() {
        let asked = Asked::parse("audience=a&audience=b&scope=x+y&role=p,q&role=r&permission=z");
        let asked = asked.unwrap();
        assert_eq!(asked.audiences, ["a", "b"]);
        let all = scope("x y").and(any_role(["p", "q"])).and(any_role(["r"]));
        assert_eq!(asked.requirement, all.and(permission("z")));
    }

    #[test]
    fn no_item_of_a_header_ends_the_header_or_becomes_two() {
        let items = ["plain", "a,b", "문", "x\r\nX-Auth-Roles: admin", "100%", ""];
        let told = list(items, ",");
        assert_eq!(told, "plain,a%2Cb,%EB%AC%B8,x%0D%0AX-Auth-Roles:%20admin,100%25,");
        assert_eq!(list([], ","), "");
    }
}
