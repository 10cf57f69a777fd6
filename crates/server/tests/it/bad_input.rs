//! Bad input, generated: every route with a body, every OAuth form, every path and token. Whatever
//! comes, it is refused by name, nothing is written, and nothing fails.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::{Method, Request};
use munjigi_server::{Mode, routes};
use munjigi_store::each_backend;
use munjigi_store::testing::contents;
use serde_json::{Value, json};

use crate::cast::subject;
use crate::harness::{Answer, JUN, MINJI, TestApp};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// The OAuth endpoints that take forms of clients.
const FORMS: [&str; 5] = [
    "/oauth2/token",
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/oauth2/par",
    "/oauth2/device_authorization",
];

/// What a member of a body is.
#[derive(Clone, Copy, PartialEq)]
enum Is {
    Text,
    /// It may be anything as a text: what it cannot be is nobody's.
    Guess,
    Texts,
    Number,
    Flag,
    Object,
}

/// A route with a JSON body, and every member that it takes.
struct Route {
    method: &'static str,
    path: &'static str,
    members: &'static [(&'static str, Is)],
}

const CLIENT: &[(&str, Is)] = &[
    ("name", Is::Text),
    ("grant_types", Is::Texts),
    ("redirect_uris", Is::Texts),
    ("scope", Is::Text),
    ("audiences", Is::Texts),
    ("pkce", Is::Text),
    ("first_party", Is::Flag),
    ("metadata", Is::Object),
    ("token_endpoint_auth_method", Is::Text),
    ("client_id", Is::Text),
];

const BODIES: &[Route] = &[
    Route {
        method: "POST",
        path: "/api/v1/users/signup",
        members: &[
            ("email", Is::Text),
            ("password", Is::Text),
            ("username", Is::Text),
            ("name", Is::Text),
            ("locale", Is::Text),
        ],
    },
    Route {
        method: "POST",
        path: "/api/v1/users/signin",
        members: &[
            ("email", Is::Guess),
            ("username", Is::Guess),
            ("password", Is::Guess),
            ("scope", Is::Guess),
        ],
    },
    Route {
        method: "PATCH",
        path: "/api/v1/users/me",
        members: &[("username", Is::Text), ("name", Is::Text), ("locale", Is::Text)],
    },
    Route {
        method: "POST",
        path: "/api/v1/users/me/password",
        members: &[("current_password", Is::Guess), ("new_password", Is::Text)],
    },
    Route { method: "POST", path: "/dev/clock", members: &[("advance_seconds", Is::Number)] },
    Route {
        method: "POST",
        path: "/api/v1/admin/users",
        members: &[
            ("email", Is::Text),
            ("password", Is::Text),
            ("username", Is::Text),
            ("name", Is::Text),
            ("locale", Is::Text),
            ("roles", Is::Texts),
        ],
    },
    Route {
        method: "PATCH",
        path: "/api/v1/admin/users/{id}",
        members: &[
            ("email", Is::Text),
            ("username", Is::Text),
            ("name", Is::Text),
            ("locale", Is::Text),
        ],
    },
    Route {
        method: "PUT",
        path: "/api/v1/admin/users/{id}/roles",
        members: &[("roles", Is::Texts)],
    },
    Route { method: "POST", path: "/api/v1/admin/clients", members: CLIENT },
    Route {
        method: "PATCH",
        path: "/api/v1/admin/clients/{id}",
        members: CLIENT.split_at(CLIENT.len() - 1).0,
    },
    Route {
        method: "POST",
        path: "/api/v1/admin/apis",
        members: &[
            ("audience", Is::Text),
            ("name", Is::Text),
            ("access_ttl_seconds", Is::Number),
            ("algorithm", Is::Text),
            ("client_id", Is::Text),
        ],
    },
    Route {
        method: "PATCH",
        path: "/api/v1/admin/apis/{audience}",
        members: &[
            ("name", Is::Text),
            ("access_ttl_seconds", Is::Number),
            ("algorithm", Is::Text),
            ("client_id", Is::Text),
        ],
    },
    Route {
        method: "POST",
        path: "/api/v1/admin/registration-tokens",
        members: &[("registrations", Is::Number), ("ttl_seconds", Is::Number)],
    },
    Route {
        method: "POST",
        path: "/api/v1/admin/apis/{audience}/secrets",
        members: &[("at_once", Is::Flag)],
    },
    Route {
        method: "POST",
        path: "/api/v1/admin/keys/rotate",
        members: &[("algorithm", Is::Text), ("at_once", Is::Flag)],
    },
    Route {
        method: "POST",
        path: "/api/v1/admin/roles",
        members: &[
            ("name", Is::Text),
            ("description", Is::Text),
            ("permissions", Is::Texts),
            ("scope", Is::Text),
        ],
    },
    Route {
        method: "PATCH",
        path: "/api/v1/admin/roles/{name}",
        members: &[("description", Is::Text), ("permissions", Is::Texts), ("scope", Is::Text)],
    },
];

/// The routes that change something and take no JSON.
const WITHOUT_JSON: &[&str] = &[
    "/oauth2/token",
    "/oauth2/par",
    "/oauth2/device_authorization",
    "/oauth2/introspect",
    "/oauth2/revoke",
    // JSON indeed, in which what is not known is ignored (RFC 7591 §2): `registration.rs`.
    "/oauth2/register",
    "/oauth2/register/{client_id}",
    "/oauth2/userinfo",
    "/api/v1/users/signout",
    "/api/v1/admin/users/{id}/disable",
    "/api/v1/admin/users/{id}/enable",
    "/api/v1/admin/clients/{id}/disable",
    "/api/v1/admin/clients/{id}/enable",
    "/api/v1/admin/clients/{id}/rotate-secret",
    "/api/v1/admin/apis/{audience}/disable",
    "/api/v1/admin/apis/{audience}/enable",
    "/api/v1/admin/keys/{kid}/withdraw",
    "/api/v1/admin/roles/{name}/disable",
    "/api/v1/admin/roles/{name}/enable",
];

/// One bad body: what it is sent as, the status that it has to get, and where the error points.
struct Bad {
    content_type: Option<&'static str>,
    body: Vec<u8>,
    statuses: &'static [u16],
    pointer: Option<String>,
}

impl Bad {
    fn malformed(body: impl Into<Vec<u8>>) -> Self {
        Self { content_type: Some(JSON), body: body.into(), statuses: &[400], pointer: None }
    }

    fn member(name: &str, value: &Value) -> Self {
        let body = json!({ name: value }).to_string().into_bytes();
        let pointer = Some(format!("/{name}"));
        Self { content_type: Some(JSON), body, statuses: &[422], pointer }
    }
}

/// Values that are never of this kind.
fn wrong_values(is: Is) -> Vec<Value> {
    let texts = [json!("x"), json!("")];
    let others = [json!({}), json!({"a": [1]})];
    let specific = match is {
        Is::Text | Is::Guess => vec![json!(7), json!(true), json!([]), json!(["x"])],
        Is::Texts => vec![json!(7), json!(false), texts[0].clone()],
        Is::Number => vec![json!("5"), json!(1.5), json!(true), json!(-1), json!(u64::MAX)],
        Is::Flag => vec![json!(1), json!("true"), json!([]), texts[1].clone()],
        Is::Object => {
            return vec![
                json!(1),
                json!("x"),
                json!([]),
                json!({"jwks_uri": "javascript:alert(1)"}),
                json!({"contacts": [7]}),
            ];
        }
    };
    specific.into_iter().chain(others).collect()
}

/// Every bad body for a route.
fn bad_bodies(route: &Route) -> Vec<Bad> {
    let first = route.members[0].0;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100), close.repeat(100));
    let mut all = vec![
        Bad::malformed(""),
        Bad::malformed(" "),
        Bad::malformed("{"),
        Bad::malformed("[]"),
        Bad::malformed("null"),
        Bad::malformed(r#""text""#),
        Bad::malformed("{} {}"),
        Bad::malformed("{'a':1}"),
        Bad::malformed(r#"{"a":NaN}"#),
        Bad::malformed(r#"{"a":01}"#),
        Bad::malformed(r#"{"a":1,}"#),
        Bad::malformed("\u{feff}{}"),
        Bad::malformed(deep("[", "]")),
        Bad::malformed(deep(r#"{"a":"#, "}")),
        Bad::malformed(format!(r#"{{"{first}":{}}}"#, deep("[", "]"))),
        Bad::malformed(format!(r#"{{"{first}":null,"{first}":null}}"#)),
        Bad::malformed(format!(
            r#"{{"{first}":"a","\u{:04x}{}":"b"}}"#,
            first.as_bytes()[0],
            &first[1..]
        )),
        Bad::malformed(r#"{"x":{"a":1,"a":2}}"#),
        Bad::malformed([br#"{"name":""#.as_slice(), &[0xff, 0xfe], br#""}"#].concat()),
        Bad::malformed(br#"{"name":"\ud800"}"#.as_slice()),
        Bad::malformed([0, 159, 146, 150].as_slice()),
    ];
    for content_type in [None, Some("text/plain"), Some(FORM), Some("text/json"), Some("")] {
        all.push(Bad { content_type, ..Bad::malformed("{}") });
        all.last_mut().unwrap().statuses = &[415];
    }
    let padded = format!("{{{}}}", " ".repeat(70 * 1024));
    all.push(Bad { statuses: &[413], ..Bad::malformed(padded) });
    all.push(Bad::member("surprise", &json!(1)));
    let escaped = Some("/a~1b~0c".to_owned());
    all.push(Bad { pointer: escaped, ..Bad::member("a/b~c", &json!({})) });
    for (name, is) in route.members {
        all.extend(wrong_values(*is).iter().map(|value| Bad::member(name, value)));
        let long = json!("x".repeat(60_000));
        match is {
            Is::Text => all.push(Bad::member(name, &long)),
            Is::Texts => {
                for (entry, at) in [(json!([7]), 0), (json!([[]]), 0), (json!([null]), 0)] {
                    let pointer = Some(format!("/{name}/{at}"));
                    all.push(Bad { pointer, ..Bad::member(name, &entry) });
                }
                let pointer = Some(format!("/{name}/0"));
                all.push(Bad { pointer, ..Bad::member(name, &json!([long])) });
                all.push(Bad::member(name, &json!(vec!["a"; 1_000])));
            }
            Is::Guess | Is::Number | Is::Flag | Is::Object => {}
        }
    }
    all
}

/// The tables, and the audit trail apart from them.
async fn written(app: &TestApp) -> BTreeMap<&'static str, i64> {
    contents(&app.app.store).await.unwrap().into_iter().collect()
}

/// Fails unless this is a well-formed problem.
#[track_caller]
fn assert_problem(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    for name in ["type", "title", "detail", "code"] {
        assert!(problem[name].is_string(), "{name}: {}", answer.shown());
    }
    assert_eq!(problem["status"], answer.status.as_u16());
    assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"));
    assert!(answer.header("x-request-id").is_some());
}

fn request(method: &str, path: &str, token: Option<&str>, bad: &Bad) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(content_type) = bad.content_type {
        request = request.header("content-type", content_type);
    }
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(bad.body.clone())).unwrap()
}

/// A path with the names of things that exist.
fn concrete(path: &str, user: &str) -> String {
    let id = if path.contains("clients") { "spa" } else { user };
    path.replace("{id}", id)
        .replace("{audience}", "http%3A%2F%2Flocalhost%3A8001")
        .replace("{name}", "manager")
}

#[test]
fn every_route_that_may_take_json_is_in_the_campaign() {
    let listed: BTreeSet<_> = BODIES.iter().map(|it| (it.method, it.path)).collect();
    let taking: BTreeSet<_> = routes(Mode::Dev)
        .iter()
        .filter(|it| ["POST", "PUT", "PATCH"].contains(&it.method))
        .filter(|it| !WITHOUT_JSON.contains(&it.path))
        .map(|it| (it.method, it.path))
        .collect();
    assert_eq!(listed, taking);
}

each_backend! {
    /// Every JSON body × everything that can be wrong with it: refused by name, nothing written.
    async fn every_bad_body_is_refused_by_name_and_writes_nothing(database) {
        let app = TestApp::start_with(&database).await;
        let (admin, user) = (app.admin().await, app.sign_in(MINJI).await);
        let mut tried = 0;
        for route in BODIES {
            let path = concrete(route.path, &subject(&user.access));
            let before = written(&app).await;
            for bad in bad_bodies(route) {
                tried += 1;
                let answer = app.send(request(route.method, &path, Some(&admin), &bad)).await;
                let shown: String = String::from_utf8_lossy(&bad.body).chars().take(120).collect();
                let shown = format!("{} {path} {shown}: {}", route.method, answer.shown());
                assert!(bad.statuses.contains(&answer.status.as_u16()), "{shown}");
                assert_problem(&answer);
                if let Some(pointer) = &bad.pointer {
                    let problem = answer.json();
                    let errors = problem["errors"].as_array().unwrap();
                    assert!(errors.iter().any(|it| it["pointer"] == **pointer), "{shown}");
                    assert!(errors.iter().all(|it| it["code"].is_string()), "{shown}");
                }
                assert_eq!(written(&app).await, before, "{shown}");
            }
        }
        assert!(tried > 500, "{tried}");
        app.read_as("/api/v1/users/me", &user.access).await.expect(200);
    }

    /// Every OAuth endpoint × malformed forms: the codes of RFC 6749 §5.2, nothing written but
    /// refused clients and refused sign-ins.
    async fn every_malformed_form_gets_a_code_of_rfc_6749(database) {
        let app = TestApp::start_with(&database).await;
        let before = written(&app).await;
        let many: String = (0..65).map(|number| format!("p{number}=1&")).collect();
        let long = "x".repeat(3_000);
        let scopes = (0..65).map(|number| format!("s{number}")).collect::<Vec<_>>().join("+");
        let resources: String = (0..9).map(|number| format!("resource=urn:a:{number}&")).collect();
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let asserting = format!("client_assertion_type={kind}&client_assertion=");
        let bodies: Vec<(Vec<u8>, &[u16])> = vec![
            (b"".to_vec(), &[400]),
            (b"&&&==".to_vec(), &[400]),
            (b"client_id=spa&client_id=spa".to_vec(), &[400]),
            (b"token=a&token=b".to_vec(), &[400]),
            (b"grant_type=password&grant_type=password".to_vec(), &[400]),
            (b"a=%".to_vec(), &[400]),
            (b"a=%f".to_vec(), &[400]),
            (b"a=%zz".to_vec(), &[400]),
            (b"a=%ff".to_vec(), &[400]),
            (b"a=\xff".to_vec(), &[400]),
            (many.into_bytes(), &[400]),
            (vec![b'a'; 70 * 1024], &[413]),
            (b"client_id=%00&token=x".to_vec(), &[401]),
            (b"client_id=a+b".to_vec(), &[401]),
            (format!("client_id={long}").into_bytes(), &[401]),
            (b"client_id=web&client_secret=%00".to_vec(), &[401]),
            (format!("client_id=web&client_secret={long}").into_bytes(), &[401]),
            (b"client_secret=x".to_vec(), &[400]),
            (b"client_assertion=a.b.c".to_vec(), &[400]),
            (b"client_assertion_type=x&client_assertion=a.b.c".to_vec(), &[400]),
            (format!("{asserting}%00").into_bytes(), &[401]),
            (format!("{asserting}a.b.c&client_id=spa").into_bytes(), &[401]),
            (format!("{asserting}{long}").into_bytes(), &[401]),
            (b"client_id=web".to_vec(), &[401]),
            (b"client_id=nobody".to_vec(), &[401]),
            (b"grant_type=x&client_id=spa".to_vec(), &[400]),
            (b"grant_type=refresh_token".to_vec(), &[400]),
            (b"grant_type=refresh_token&refresh_token=mj_rt_%00".to_vec(), &[400]),
            (format!("grant_type=refresh_token&refresh_token=mj_rt_{long}").into_bytes(), &[400]),
            (b"username=%00&password=%00".to_vec(), &[400]),
            (format!("username={long}&password={long}").into_bytes(), &[400]),
            (b"username=minji&password=x&scope=a%00".to_vec(), &[400]),
            (b"username=minji&password=x&scope=%22".to_vec(), &[400]),
            (b"username=minji&password=x&scope=everything".to_vec(), &[400]),
            (format!("username=minji&password=x&scope={long}").into_bytes(), &[400]),
            (format!("username=minji&password=x&scope={scopes}").into_bytes(), &[400]),
            (b"username=minji&password=x&resource=%00".to_vec(), &[400]),
            (b"username=minji&password=x&resource=nothing".to_vec(), &[400]),
            (format!("{resources}username=minji&password=x").into_bytes(), &[400]),
        ];
        for path in FORMS {
            for (body, statuses) in &bodies {
                let bad = Bad { content_type: Some(FORM), ..Bad::malformed(body.clone()) };
                // A query is not the form.
                let with_query = format!("{path}?grant_type=client_credentials&client_id=web");
                for path in [path, &with_query] {
                    let answer = app.send(request("POST", path, None, &bad)).await;
                    let shown: String = String::from_utf8_lossy(body).chars().take(99).collect();
                    assert_oauth(&answer, statuses, &format!("{path} {shown}"));
                }
            }
            let types = [None, Some(JSON), Some("text/plain"), Some("multipart/form-data")];
            for content_type in types {
                let bad = Bad { content_type, ..Bad::malformed("grant_type=password") };
                let answer = app.send(request("POST", path, None, &bad)).await;
                assert_oauth(&answer, &[415], &format!("{path} {content_type:?}"));
            }
        }
        assert_only_refusals(&app, before).await;
    }

    /// Client authentication × headers that are none.
    async fn every_malformed_authorization_header_is_refused(database) {
        let app = TestApp::start_with(&database).await;
        let before = written(&app).await;
        let basic = |text: &[u8]| {
            use base64::Engine as _;
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text)).into_bytes()
        };
        let headers: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"Basic".to_vec(),
            b"Basic ".to_vec(),
            b"Basic !!!".to_vec(),
            b"Bearer x".to_vec(),
            b"Digest username=\"web\"".to_vec(),
            vec![0xff, 0xfe, 0x80],
            basic(b"web"),
            basic(b":"),
            basic(b"web:"),
            basic(b"web:wrong"),
            basic(b"web:%zz"),
            basic(b"web:\xff"),
            basic(b"\0:\0"),
            basic("문지기:문지기".as_bytes()),
            basic(&vec![b'a'; 8_000]),
        ];
        for path in FORMS {
            for header in &headers {
                let body = "grant_type=client_credentials&token=x";
                let request = Request::post(path).header("content-type", FORM);
                let request = request.header("authorization", header.as_slice());
                let answer = app.send(request.body(Body::from(body)).unwrap()).await;
                let shown = format!("{path} {}", String::from_utf8_lossy(header));
                assert_oauth(&answer, &[401], &shown);
                assert_eq!(answer.text("/error"), "invalid_client");
                assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="munjigi""#));
            }
            let (id, secret) = app.web();
            let good = basic(format!("{id}:{secret}").as_bytes());
            let request = Request::post(path).header("content-type", FORM);
            let request = request.header("authorization", &good[..]);
            let request = request.header("authorization", &good[..]);
            let answer = app.send(request.body(Body::from("token=x")).unwrap()).await;
            assert_oauth(&answer, &[400], path);
        }
        assert_only_refusals(&app, before).await;
    }

    /// Every route × names that nothing has, with a token that may do everything: never a failure,
    /// nothing written.
    async fn no_path_parameter_makes_the_server_fail(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let before = written(&app).await;
        let long = "x".repeat(10_000);
        let names = [
            "%00",
            "a%00b",
            "%2F",
            "..%2F..%2Fetc%2Fpasswd",
            "%2E%2E",
            "%F0%9F%98%80",
            "%FF",
            "%C0%AF",
            "%25",
            "%",
            "%zz",
            "'",
            "%27%20OR%201=1--",
            "%0D%0ASet-Cookie:%20a=b",
            "%20",
            "x y",
            "00000000-0000-0000-0000-000000000000",
            "urn%3Anobody",
            "nobody",
            "*",
            &long,
        ];
        let mut tried = 0;
        for route in routes(Mode::Dev) {
            // The files of the documentation are found by path, a slash more or less.
            // Who may manage a registration is asked before which one it is (RFC 7592 §2).
            let api = ["/docs", "/oauth2/register"].iter().all(|it| !route.path.starts_with(it));
            let Some((head, rest)) = route.path.split_once('{').filter(|_| api) else { continue };
            let tail = rest.split_once('}').unwrap().1;
            for name in names {
                let path = format!("{head}{name}{tail}");
                let Ok(request) = Request::builder().method(route.method).uri(&path).body(())
                else {
                    continue;
                };
                let (mut parts, ()) = request.into_parts();
                parts.headers.insert("authorization", format!("Bearer {admin}").parse().unwrap());
                parts.headers.insert("content-type", JSON.parse().unwrap());
                let body = Body::from(r#"{"name":"x"}"#);
                let answer = app.send(Request::from_parts(parts, body)).await;
                tried += 1;
                let status = answer.status.as_u16();
                let shown = format!("{} {path:.80}: {:.200}", route.method, answer.shown());
                assert!([400, 404, 409, 422].contains(&status), "{shown}");
                assert!(answer.header("set-cookie").is_none(), "{shown}");
                assert_problem(&answer);
            }
        }
        assert!(tried > 400, "{tried}");
        assert_eq!(written(&app).await, before);
    }
}

/// Fails unless this is an error of RFC 6749 §5.2.
#[track_caller]
fn assert_oauth(answer: &Answer, statuses: &[u16], shown: &str) {
    let shown = format!("{shown}: {}", answer.shown());
    // Revocation of what is no token, and introspection of it, succeed; not without a client.
    assert!(statuses.contains(&answer.status.as_u16()), "{shown}");
    let code = answer.text("/error");
    let known = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    ];
    assert!(known.contains(&code.as_str()), "{shown}");
    assert_eq!(answer.status.as_u16() == 401, code == "invalid_client", "{shown}");
    // RFC 6749 §5.2: printable ASCII without quote and backslash.
    let described = answer.text("/error_description");
    assert!(described.bytes().all(|it| matches!(it, 0x20..=0x7e) && it != b'"'), "{shown}");
    assert_eq!(answer.header("content-type"), Some(JSON), "{shown}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{shown}");
    assert!(answer.header("x-request-id").is_some(), "{shown}");
}

/// Fails unless all that was written is refusals in the audit trail, and guesses in the ledger.
async fn assert_only_refusals(app: &TestApp, before: BTreeMap<&'static str, i64>) {
    use munjigi_core::audit::Outcome;
    use munjigi_store::audit::{self, AuditFilter};
    let after = written(app).await;
    for (name, count) in &before {
        if !["audit", "throttle"].contains(name) {
            assert_eq!(after[name], *count, "{name}");
        }
    }
    let filter = AuditFilter { outcome: Some(Outcome::Refused), ..Default::default() };
    let page = munjigi_store::page::Page::first(200);
    let refused = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
    let refused = i64::try_from(refused.items.len()).unwrap();
    assert_eq!(after["audit"] - before["audit"], refused);
}

/// Numbers that look random and are the same every time (a linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// An `Authorization` header: noise, a token of noise, a genuine one of which one character of
    /// the signature is another one, or another scheme.
    fn authorization(&mut self, genuine: &str, round: u32) -> Vec<u8> {
        let mut header = match round % 4 {
            0 => self.bytes(64),
            1 => [b"Bearer ".to_vec(), self.bytes(64)].concat(),
            2 => {
                let mut header = format!("Bearer {genuine}").into_bytes();
                let place = header.len() - 2 - usize::try_from(self.next() % 60).unwrap();
                header[place] = if header[place] == b'A' { b'B' } else { b'A' };
                header
            }
            _ => b"Basic AAAA".to_vec(),
        };
        header.retain(|byte| !matches!(byte, 0..=31 | 127));
        header
    }
}

/// Every route × random bytes as token, body and query: refused, with an id, and never a failure.
#[tokio::test]
async fn random_bytes_make_no_route_fail() {
    let app = TestApp::start().await;
    let genuine = app.sign_in(JUN).await.access;
    let before = written(&app).await;
    let mut numbers = Numbers(7);
    for route in routes(Mode::Dev) {
        for round in 0..20 {
            let token = numbers.authorization(&genuine, round);
            let query: String = numbers.bytes(40).iter().map(|it| format!("%{it:02x}")).collect();
            let path = concrete(route.path, "x").replace("{*path}", "x");
            let content_type = if path.starts_with("/oauth2") { FORM } else { JSON };
            let request = Request::builder()
                .method(route.method)
                .uri(format!("{path}?{query}"))
                .header("authorization", token.as_slice())
                .header("content-type", content_type)
                .header("user-agent", &[0xff, 0xfe][..])
                .body(Body::from(numbers.bytes(300)));
            let answer = app.send(request.unwrap()).await;
            let status = answer.status.as_u16();
            let shown = format!("{} {path}: {:.300}", route.method, answer.shown());
            assert!(status < 500, "{shown}");
            assert!(answer.header("x-request-id").is_some(), "{shown}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{shown}");
            if route.path.starts_with("/api/") || route.path.starts_with("/oauth2") {
                assert!((400..500).contains(&status), "{shown}");
            }
        }
    }
    let after = written(&app).await;
    assert_eq!(after["user_"], before["user_"]);
    assert_eq!(after["counters"], before["counters"]);
    app.read_as("/api/v1/admin/stats", &genuine).await.expect(200);
}

/// RFC 9110 §15.5.6: a method that a path does not take, and what it takes instead.
#[tokio::test]
async fn methods_that_a_path_does_not_take_are_refused_with_those_that_it_takes() {
    let app = TestApp::start().await;
    let mut taken: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // A proxy asks by the method of the request that it asks about, whichever that is.
    for route in routes(Mode::Dev).into_iter().filter(|route| route.path != "/forward-auth") {
        taken.entry(route.path).or_default().insert(route.method);
        // What pages of other origins may read, they may ask about before.
        let asked = Request::builder().method(Method::OPTIONS).uri(concrete(route.path, "x"));
        if app.send(asked.body(Body::empty()).unwrap()).await.status == 204 {
            taken.entry(route.path).or_default().insert("OPTIONS");
        }
    }
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];
    for (path, taken) in taken {
        for method in methods.into_iter().filter(|method| !taken.contains(method)) {
            let at = concrete(path, "x").replace("{*path}", "x");
            let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(&at);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status.as_u16(), 405, "{method} {path}: {}", answer.shown());
            assert_problem(&answer);
            let allowed = answer.header("allow").unwrap_or_default();
            let mut allowed: BTreeSet<_> = allowed.split(',').map(str::trim).collect();
            allowed.remove("HEAD");
            assert_eq!(allowed, taken, "{method} {path}");
        }
    }
    for path in ["/nothing", "/api/v1/nothing", "/api/v1/admin/", "//", "/oauth2", "/%00"] {
        let answer = app.get(path).await.expect(404);
        assert_problem(&answer);
    }
}
