//! What one request costs beside a bare hello: documents, tokens, refresh, introspection, UserInfo.

use serde_json::Value;

use crate::child::{Child, ISSUER};
use crate::load::Place;
use crate::load::client::{Caller, Connection, basic, planner};
use crate::load::figure::{Figure, Goal};
use crate::load::measure::{Beside, Bound, Measure};
use crate::statistics::Spread;

const HELLO_GET: &str = "/";
const FORM: &str = "grant_type=client_credentials&scope=events%3Aread+events%3Awrite";

/// Hello itself (it shows the noise), JWKS and discovery.
pub async fn documents(measure: &mut Measure) -> Vec<Figure> {
    let (mut hello, mut again) = (measure.hello(), measure.hello());
    let mut served = measure.hello_served_as_ours();
    let place = Place::sqlite();
    let mut server = measure.server(&["--database", &place.url]);
    let bound = Bound { signatures: 0.0, rows: 0.0, factor: 1.15 };
    let mut figures = Vec::new();
    for connections in measure.connections.clone() {
        let greeting = Caller::get(HELLO_GET, None);
        let others = [
            ("hello beside hello", false, HELLO_GET),
            ("hello with a document", false, "/document"),
            ("hello served as ours", true, HELLO_GET),
        ];
        for (name, is_as_ours, path) in others {
            let beside = Beside {
                name: format!("{name}, {connections}"),
                hello: &mut hello,
                greeting: greeting.clone(),
                server: if is_as_ours { &mut served } else { &mut again },
                callers: vec![Caller::get(path, None); connections],
                bound,
            };
            figures.push(measure.beside(beside).await.0.goal(Goal::None));
        }
        for (name, path) in [
            ("liveness", "/livez"),
            ("JWKS", "/.well-known/jwks.json"),
            ("discovery", "/.well-known/openid-configuration"),
        ] {
            let beside = Beside {
                name: format!("{name}, {connections}"),
                hello: &mut hello,
                greeting: greeting.clone(),
                server: &mut server,
                callers: vec![Caller::get(path, None); connections],
                bound,
            };
            figures.push(measure.beside(beside).await.0);
        }
    }
    figures
}

/// `client_credentials` with a secret in the header and ES256.
pub async fn client_credentials(measure: &mut Measure) -> Vec<Figure> {
    let (mut hello, place) = (measure.hello(), Place::sqlite());
    let mut server = measure.server(&["--database", &place.url]);
    let credentials = credentials(&server);
    let mut figures = Vec::new();
    for connections in measure.connections.clone() {
        let caller = Caller::form("/oauth2/token", Some(&credentials), FORM);
        let beside = Beside {
            name: format!("client_credentials, {connections}"),
            hello: &mut hello,
            greeting: greeting(),
            server: &mut server,
            callers: vec![caller; connections],
            bound: Bound { signatures: 1.0, rows: 0.0, factor: 1.6 },
        };
        let (figure, sum) = measure.beside(beside).await;
        let writes = sum.report.writes;
        assert_eq!((writes, sum.report.commits), (0, 0), "a grant without a user wrote something");
        let note = format!("{}; {writes} writes", figure.note);
        figures.push(figure.note(note));
    }
    figures
}

/// Introspection of one access token by the API that it is for.
pub async fn introspection(measure: &mut Measure) -> Vec<Figure> {
    let place = Place::sqlite();
    let mut server = measure.server(&["--database", &place.url]);
    let credentials = credentials(&server);
    let body = format!("{}&resource={}", password_form("events%3Aread"), planner());
    let token = access_token(&server, &body).await;
    let body = format!("token={token}");
    let caller = Caller::form("/oauth2/introspect", Some(&credentials), &body);
    let shown = Connection::open(server.address).await.json(&caller).await;
    assert_eq!(shown["active"], true, "{shown}");
    warm(measure, &mut server, "introspection", (greeting(), caller)).await
}

/// UserInfo with one access token.
pub async fn userinfo(measure: &mut Measure) -> Vec<Figure> {
    let place = Place::sqlite();
    let mut server = measure.server(&["--database", &place.url]);
    let resource = ISSUER.replace(':', "%3A").replace('/', "%2F");
    let body = format!("{}&resource={resource}", password_form("openid+profile+email+roles"));
    let token = access_token(&server, &body).await;
    let caller = Caller::get("/oauth2/userinfo", Some(&token));
    warm(measure, &mut server, "UserInfo", (Caller::get(HELLO_GET, None), caller)).await
}

/// Refresh: every connection has a grant of its own and presents its newest token.
pub async fn refresh(measure: &mut Measure, place: Place) -> Vec<Figure> {
    let mut hello = measure.hello();
    let most = measure.connections.iter().copied().max().unwrap();
    let grants = (most * 2).to_string();
    let mut server =
        measure.server(&["--database", &place.url, "--users", "1000", "--grants", &grants]);
    let credentials = credentials(&server);
    let tokens = server.ready["refresh_tokens"].as_array().unwrap().clone();
    let mut tokens = tokens.iter().map(|token| token.as_str().unwrap().to_owned());
    let mut figures = Vec::new();
    for connections in measure.connections.clone() {
        let callers = tokens.by_ref().take(connections);
        let callers: Vec<_> = callers
            .map(|token| Caller::Refresh { credentials: credentials.clone(), token })
            .collect();
        assert_eq!(callers.len(), connections);
        let beside = Beside {
            name: format!("refresh on {}, {connections}", place.kind),
            hello: &mut hello,
            greeting: greeting(),
            server: &mut server,
            callers,
            bound: Bound { signatures: 1.0, rows: 2.0, factor: 1.6 },
        };
        let (figure, sum) = measure.beside(beside).await;
        let in_commit = sum.report.writes as f64 / sum.report.commits as f64;
        let retries = sum.report.retries;
        let note = format!("{}; {in_commit:.1} rotations a commit, {retries} retries", figure.note);
        figures.push(figure.note(note));
        if connections == 64 && place.kind == "sqlite" {
            let value = Spread { median: in_commit, low: in_commit, high: in_commit };
            let grouped = Figure::plain("rotations in a commit, 64", value, "");
            figures.push(grouped.goal(Goal::AtLeast(8.0)));
        }
    }
    figures
}

/// One token again and again, beside H.
async fn warm(
    measure: &mut Measure,
    server: &mut Child,
    name: &str,
    (greeting, caller): (Caller, Caller),
) -> Vec<Figure> {
    let mut hello = measure.hello();
    let mut figures = Vec::new();
    for connections in measure.connections.clone() {
        let beside = Beside {
            name: format!("{name}, {connections}"),
            hello: &mut hello,
            greeting: greeting.clone(),
            server: &mut *server,
            callers: vec![caller.clone(); connections],
            bound: Bound { signatures: 0.0, rows: 0.0, factor: 2.0 },
        };
        figures.push(measure.beside(beside).await.0);
    }
    figures
}

/// The hello's form, of the length of a real one.
fn greeting() -> Caller {
    Caller::form(HELLO_GET, None, FORM)
}

/// The confidential demo client.
pub fn credentials(server: &Child) -> String {
    basic("web", server.ready["secret"].as_str().unwrap())
}

/// A request for a token of the confidential demo client.
pub fn token_request(server: &Child) -> Caller {
    Caller::form("/oauth2/token", Some(&credentials(server)), FORM)
}

fn password_form(scope: &str) -> String {
    format!(
        "grant_type=password&client_id=first-party&username=minji&password=demo-minji&scope={scope}"
    )
}

async fn access_token(server: &Child, body: &str) -> String {
    let caller = Caller::form("/oauth2/token", None, body);
    let answer: Value = Connection::open(server.address).await.json(&caller).await;
    answer["access_token"].as_str().unwrap().to_owned()
}
