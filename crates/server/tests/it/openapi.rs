//! The document of `/openapi.json` is written by hand, and held here: it and the server know the
//! same routes, its examples work, and what the server answers is what it says.

mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use munjigi_server::endpoint::docs::OPENAPI;
use munjigi_server::{Mode, Route, routes};
use serde_json::{Value, json};

use self::play::Play;
use crate::harness::{ISSUER, TestApp};

/// Checks by a validator that is not ours.
const CHECK: &str = include_str!("openapi/check.py");
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// An operation of the document.
#[derive(Clone)]
struct Operation {
    method: String,
    path: String,
    body: Value,
}

impl Operation {
    fn id(&self) -> &str {
        self.body["operationId"].as_str().unwrap_or_default()
    }

    fn route(&self) -> (String, String) {
        (self.method.to_uppercase(), self.path.clone())
    }

    /// Whether it needs an access token.
    fn is_guarded(&self) -> bool {
        self.body["security"].as_array().unwrap().iter().any(|it| it.get("bearer").is_some())
    }

    /// Whether a client calls it about its own registration.
    fn is_registration(&self) -> bool {
        self.path.starts_with("/oauth2/register")
    }

    fn takes(&self, media_type: &str) -> bool {
        !self.body["requestBody"]["content"][media_type].is_null()
    }

    /// What it takes, unless it takes no body.
    fn media_type(&self) -> Option<&'static str> {
        [JSON, FORM].into_iter().find(|it| self.takes(it))
    }

    /// The examples of its body that need nothing put in.
    fn examples(&self) -> BTreeMap<String, Value> {
        let content = &self.body["requestBody"]["content"];
        let media_type = self.media_type().unwrap_or_else(|| panic!("{} has no body", self.id()));
        let examples = content[media_type]["examples"].as_object().unwrap().iter();
        let examples = examples.map(|(name, example)| (name.clone(), example["value"].clone()));
        examples.filter(|(_, value)| !value.to_string().contains('…')).collect()
    }
}

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, body) in item.as_object().unwrap() {
            let (method, path) = (method.clone(), path.clone());
            all.push(Operation { method, path, body: body.clone() });
        }
    }
    all
}

/// The routes that the document speaks of: not the pages that show it.
fn documented_routes(mode: Mode) -> BTreeSet<(String, String)> {
    let pages = |route: &Route| {
        route.path.starts_with("/docs") || ["/", "/openapi.json"].contains(&route.path)
    };
    let routes = routes(mode).into_iter().filter(|route| !pages(route));
    routes.map(|route| (route.method.to_owned(), route.path.replace("{*", "{"))).collect()
}

#[test]
fn every_route_is_in_the_document_and_every_operation_is_a_route() {
    let written: BTreeSet<_> = operations(&document()).iter().map(Operation::route).collect();
    let served = documented_routes(Mode::Dev);
    let forgotten: Vec<_> = served.difference(&written).collect();
    let invented: Vec<_> = written.difference(&served).collect();
    assert!(forgotten.is_empty(), "routes that the document does not know: {forgotten:?}");
    assert!(invented.is_empty(), "operations that are no routes: {invented:?}");
}

#[test]
fn what_exists_in_dev_alone_is_marked_and_nothing_else_is() {
    let served = documented_routes(Mode::Serve);
    for operation in operations(&document()) {
        let is_marked = operation.body["x-dev-only"] == json!(true);
        assert_eq!(is_marked, !served.contains(&operation.route()), "{}", operation.id());
    }
}

#[test]
fn every_operation_has_its_own_id_a_summary_a_known_tag_and_a_success() {
    let document = document();
    let named = |tag: &Value| tag["name"].clone();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(named).collect();
    let mut ids = BTreeSet::new();
    for operation in operations(&document) {
        let (body, id) = (&operation.body, operation.id());
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{:?}: {id:?}", operation.route());
        assert!(body["summary"].as_str().is_some_and(|it| !it.is_empty()), "{id}");
        assert!(body["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag)), "{id}");
        let responses = body["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{id}");
    }
}

#[test]
fn every_reference_resolves_and_no_component_is_left_over() {
    let document = document();
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    for reference in &used {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "nothing refers to {reference}");
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Requests are closed, so that a typo is never passed over in silence.
#[test]
fn every_json_body_names_all_of_its_members() {
    let document = document();
    // RFC 7591 §2: what a client says of itself and is not known is ignored.
    let is_closed = |it: &&Operation| it.takes(JSON) && !it.is_registration();
    for operation in operations(&document).iter().filter(is_closed) {
        let schema = &operation.body["requestBody"]["content"][JSON]["schema"];
        let reference = schema["$ref"].as_str().unwrap().trim_start_matches('#');
        let schema = document.pointer(reference).unwrap();
        assert_eq!(schema["additionalProperties"], json!(false), "{reference}");
    }
}

#[tokio::test]
async fn the_served_document_names_this_server_and_its_version() {
    let app = TestApp::start().await;
    let answer = app.get("/openapi.json").await.expect(200);
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("{issuer}"));
    let served = answer.json();
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(served["servers"][0]["url"], ISSUER);
    let flow = &served["components"]["securitySchemes"]["password"]["flows"]["password"];
    assert_eq!(flow["tokenUrl"], format!("{ISSUER}/oauth2/token"));
    let known = app.get("/.well-known/openid-configuration").await.expect(200).json();
    for scope in flow["scopes"].as_object().unwrap().keys() {
        let supported = known["scopes_supported"].as_array().unwrap();
        assert!(supported.contains(&json!(scope)), "{scope}");
    }
}

/// Plays every operation with its own examples, and the refusals that all operations of a kind
/// share. A status that the document does not name fails at once; bodies and headers are judged by
/// the validator at the end.
#[tokio::test]
async fn the_document_is_valid_its_examples_work_and_answers_are_as_it_says() {
    let mut play = Play::start().await;
    play.open_routes().await;
    play.oauth().await;
    play.accounts().await;
    play.people().await;
    play.clients().await;
    play.registration().await;
    play.apis().await;
    play.keys().await;
    play.roles().await;
    play.feed().await;
    play.refusals().await;
    play.send("move_clock").await;

    for operation in operations(&play.document) {
        assert!(play.succeeded.contains(operation.id()), "{} was not played", operation.id());
    }
    judge(&play.document, &play.exchanges);
}

/// Gives everything to the validator.
fn judge(document: &Value, exchanges: &[Value]) {
    let Some(python) = python() else { return };
    let given = json!({"document": document, "exchanges": exchanges}).to_string();
    let command = &mut Command::new(python);
    command.args(["-c", CHECK]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The Python that has the validator: what is not there is said loudly, and fails where `CI` is
/// set.
#[expect(clippy::disallowed_methods, reason = "CI is how a machine says that it is one")]
fn python() -> Option<PathBuf> {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/e2e-python/bin/python");
    let import = Command::new(python).args(["-c", "import openapi_spec_validator"]).output();
    if import.is_ok_and(|output| output.status.success()) {
        return Some(python.into());
    }
    // Not `eprintln!`: the test harness swallows that of tests that pass.
    let message = "SKIPPED: no openapi-spec-validator, so nobody else judged /openapi.json\n";
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    assert!(std::env::var_os("CI").is_none(), "openapi-spec-validator has to be installed in CI");
    None
}
