//! Clients that register themselves (RFC 7591) and manage what they registered (RFC 7592): who
//! may, what they get, and what they never get.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request};
use munjigi_core::audit::Kind;
use munjigi_core::oauth::client::Origin;
use munjigi_server::jobs;
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::{clients, each_backend};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, MINJI, TestApp, claims, json_request};
use crate::visitor::{VERIFIER, Visitor, challenge, code};

const REGISTER: &str = "/oauth2/register";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const DAY: u64 = 24 * 3_600;

fn app_of_the_web() -> Value {
    json!({
        "client_name": "Notes", "redirect_uris": ["https://notes.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none", "application_type": "web",
    })
}

/// A good registration with one member changed.
fn with(name: &str, value: Value) -> Value {
    let mut members = app_of_the_web();
    members.as_object_mut().unwrap().insert(name.to_owned(), value);
    members
}

impl TestApp {
    /// Lets everybody register.
    pub async fn open_registration(&self) {
        self.set("client_registration", "open").await;
    }

    async fn registration_token(&self, body: Value) -> Answer {
        let admin = self.admin().await;
        self.call(Method::POST, "/api/v1/admin/registration-tokens", &admin, body).await
    }

    /// The newest event of a kind, about a client.
    async fn last(&self, kind: Kind, client_id: Option<&str>) -> audit::StoredEvent {
        let filter = AuditFilter { kind: Some(kind), ..Default::default() };
        let page = munjigi_store::page::Page::first(50);
        let listed = self.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
        let is_its = |event: &audit::StoredEvent| {
            client_id.is_none_or(|id| event.client_id.as_ref().is_some_and(|it| it.as_str() == id))
        };
        listed.items.into_iter().find(is_its).expect("there is such an event")
    }
}

/// A client that registered itself: its answer, and the path and the token to manage it with.
struct Registered {
    answer: Value,
    path: String,
    token: String,
}

impl Registered {
    fn of(answer: &Answer) -> Self {
        let uri = answer.text("/registration_client_uri");
        let path = uri.strip_prefix(ISSUER).unwrap().to_owned();
        Self { answer: answer.json(), path, token: answer.text("/registration_access_token") }
    }

    fn id(&self) -> &str {
        self.answer["client_id"].as_str().unwrap()
    }
}

async fn register(app: &TestApp, body: Value) -> Registered {
    Registered::of(&app.post(REGISTER, body).await.expect(201))
}

#[tokio::test]
async fn nobody_registers_unless_it_was_opened_and_discovery_says_so() {
    let app = TestApp::start().await;
    let refused = app.post(REGISTER, app_of_the_web()).await.expect(403);
    assert_eq!(refused.text("/error"), "access_denied");
    assert!(app.get(DISCOVERY).await.json()["registration_endpoint"].is_null());
    for open in ["token", "open"] {
        app.set("client_registration", open).await;
        let endpoint = app.get(DISCOVERY).await.text("/registration_endpoint");
        assert_eq!(endpoint, format!("{ISSUER}{REGISTER}"));
    }
}

/// RFC 7591 §3.2.1.
#[tokio::test]
async fn a_client_is_told_what_was_registered_and_its_secret_once() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let body = json!({
        "redirect_uris": ["https://notes.example/cb"], "software_id": "ignored",
        "scope": "openid email admin users:write events:read nonsense", "contacts": ["a@b.kr"],
    });
    let answer = app.post(REGISTER, body).await.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.json();
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["grant_types"], json!(["authorization_code"]));
    assert_eq!(told["response_types"], json!(["code"]));
    assert_eq!(told["client_name"], "notes.example");
    assert_eq!(told["application_type"], "web");
    assert_eq!(told["contacts"], json!(["a@b.kr"]));
    // What administers this server is nothing for a stranger, whoever says yes.
    assert_eq!(told["scope"], "email events:read openid");
    assert_eq!(
        (&told["client_secret_expires_at"], &told["software_id"]),
        (&json!(0), &Value::Null)
    );
    assert!(told["client_id_issued_at"].is_i64());
    let client = Registered::of(&answer);
    let secret = answer.text("/client_secret");
    assert!(secret.starts_with("mj_cs_"));

    let read = app.read_as(&client.path, &client.token).await.expect(200).json();
    assert!(read["client_secret"].is_null(), "it is never told again");
    assert_eq!(read["registration_access_token"], client.token.as_str());
    let admin = app.admin().await;
    let shown = app.read_as(&format!("/api/v1/admin/clients/{}", client.id()), &admin).await;
    let shown = shown.expect(200).json();
    assert_eq!((&shown["origin"], &shown["first_party"]), (&json!("registered"), &json!(false)));
    assert!(!shown.to_string().contains(&secret));

    let form = [("token", "x")];
    app.form_as((client.id(), &secret), "/oauth2/introspect", &form).await.expect(200);
    app.form_as((client.id(), "wrong"), "/oauth2/introspect", &form).await.expect(401);
    let event = app.last(Kind::ClientCreated, Some(client.id())).await;
    assert_eq!(event.detail["origin"], "registered");
    assert!(!format!("{:?}", event.detail).contains(&secret));
}

/// RU-05 of the attack kit, RFC 7591 §3.2.2: by its code, without an echo.
#[tokio::test]
async fn ru_05_what_cannot_be_registered_is_refused_by_its_code() {
    let app = TestApp::start().await;
    app.open_registration().await;
    for uri in [
        "JaVaScRiPt:alert(1)",
        "data:text/html,<b>",
        "vbscript:x",
        "http://notes.example/cb",
        "https://notes.example/cb#f",
        "https://a@notes.example/cb",
        "http://localhost:3000/cb",
    ] {
        let answer = app.post(REGISTER, with("redirect_uris", json!([uri]))).await.expect(400);
        assert_eq!(answer.text("/error"), "invalid_redirect_uri", "{uri}");
        assert!(!answer.shown().contains(uri));
    }
    for (name, value) in [
        ("grant_types", json!(["authorization_code", "client_credentials"])),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["implicit"])),
        ("response_types", json!(["token"])),
        ("response_types", json!([])),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("jwks_uri", json!("http://notes.example/keys")),
        ("jwks_uri", json!("https://10.0.0.1/keys")),
        ("jwks_uri", json!("https://169.254.169.254/latest")),
        ("backchannel_logout_uri", json!("https://192.168.0.1/out")),
        ("logo_uri", json!("javascript:alert(1)")),
        ("tos_uri", json!("data:text/html,x")),
        ("post_logout_redirect_uris", json!(["javascript:alert(1)"])),
        ("client_name", json!("\u{202e}knab")),
        ("client_name", json!("a".repeat(201))),
        ("contacts", json!(vec!["a@b.kr"; 17])),
        ("id_token_signed_response_alg", json!("none")),
        ("jwks", json!({"keys": [{"kty": "oct", "k": "AAAA"}]})),
    ] {
        let answer = app.post(REGISTER, with(name, value.clone())).await.expect(400);
        assert_eq!(answer.text("/error"), "invalid_client_metadata", "{name}: {value}");
    }
    // Nothing but a person lets such a client in: not even one that says it is ours.
    let ours = register(&app, with("first_party", json!(true))).await;
    assert!(ours.answer["first_party"].is_null());
}

/// DS-02 of the attack kit.
#[tokio::test]
async fn ds_02_bodies_that_are_no_registration_are_refused_before_anything_is_done() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let many = json!({"redirect_uris": vec!["https://notes.example/cb"; 33]});
    app.post(REGISTER, many).await.expect(400);
    app.post(REGISTER, with("client_uri", json!("x".repeat(70_000)))).await.expect(413);
    app.post(REGISTER, json!([])).await.expect(400);
    let form = [("redirect_uris", "https://notes.example/cb")];
    app.form(REGISTER, &form).await.expect(415);
    let twice =
        r#"{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}"#;
    let request = Request::post(REGISTER).header("content-type", "application/json");
    app.send(request.body(Body::from(twice)).unwrap()).await.expect(400);
}

each_backend! {
    /// RFC 7591 §3: so many registrations as the operator's token is good for.
    async fn a_registration_token_is_good_for_its_number_and_its_time(database) {
        let app = TestApp::start_with(&database).await;
        app.set("client_registration", "token").await;
        let with_token = async |token: &str| {
            app.call(Method::POST, REGISTER, token, app_of_the_web()).await
        };
        let missing = app.post(REGISTER, app_of_the_web()).await.expect(401);
        assert_eq!(missing.text("/error"), "invalid_token");
        assert!(missing.header("www-authenticate").unwrap().starts_with("Bearer"));

        let made = app.registration_token(json!({"registrations": 2, "ttl_seconds": 60})).await;
        let token = made.expect(201).text("/registration_token");
        assert!(token.starts_with("mj_rg_"));
        with_token(&token).await.expect(201);
        with_token(&token).await.expect(201);
        assert_eq!(with_token(&token).await.expect(401).text("/error"), "invalid_token");
        let event = app.last(Kind::ClientRefused, None).await;
        assert!(!format!("{:?}", event.detail).contains(&token));

        let made = app.registration_token(json!({"ttl_seconds": 60})).await;
        let late = made.expect(201).text("/registration_token");
        app.advance(60);
        with_token(&late).await.expect(401);
        let admin = app.admin().await;
        let body = json!({});
        for wrong in [late.replace("mj_rg_", "mj_mg_"), format!("{late}A"), "x".into(), admin] {
            assert_eq!(with_token(&wrong).await.expect(401).json()["error"], "invalid_token");
        }

        let made = app.registration_token(body).await.expect(201);
        let (id, token) = (made.text("/id"), made.text("/registration_token"));
        let admin = app.admin().await;
        let path = "/api/v1/admin/registration-tokens";
        let listed = app.read_as(path, &admin).await.expect(200);
        assert_eq!(listed.text("/items/0/id"), id);
        assert!(!listed.shown().contains(&token), "it is told once");
        let one = format!("{path}/{id}");
        app.act_as(Method::DELETE, &one, &admin).await.expect(204);
        app.act_as(Method::DELETE, &one, &admin).await.expect(404);
        with_token(&token).await.expect(401);
        app.last(Kind::RegistrationTokenCreated, None).await;
        app.last(Kind::RegistrationTokenDeleted, None).await;
    }

    /// RFC 7592 §2.2: what is not said is gone, and the token that said it is no good any more.
    async fn a_client_replaces_its_registration_and_gets_another_token(database) {
        let app = TestApp::start_with(&database).await;
        app.open_registration().await;
        let client = register(&app, with("contacts", json!(["a@b.kr"]))).await;
        let put = async |token: &str, body: Value| {
            app.call(Method::PUT, &client.path, token, body).await
        };
        let mut body = with("redirect_uris", json!(["https://notes.example/other"]));
        put(&client.token, body.clone()).await.expect(400);
        body["client_id"] = json!(client.id());

        let answer = put(&client.token, body.clone()).await.expect(200);

        let next = Registered::of(&answer);
        assert_ne!(next.token, client.token);
        assert_eq!(next.answer["redirect_uris"], json!(["https://notes.example/other"]));
        assert!(next.answer["contacts"].is_null());
        let late = put(&client.token, body.clone()).await.expect(401);
        assert_eq!(late.text("/error"), "invalid_token");
        app.read_as(&client.path, &client.token).await.expect(401);
        app.read_as(&client.path, &next.token).await.expect(200);
        let event = app.last(Kind::ClientUpdated, None).await;
        assert_eq!(event.detail["changed"], json!(["metadata", "redirect_uris"]));

        for (name, value) in [
            ("client_id", json!("web")),
            ("registration_access_token", json!(next.token)),
            ("client_id_issued_at", json!(0)),
            ("client_secret", json!("mj_cs_x")),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("grant_types", json!(["client_credentials"])),
        ] {
            let mut bad = body.clone();
            bad[name] = value;
            let answer = put(&next.token, bad).await.expect(400);
            assert_eq!(answer.text("/error"), "invalid_client_metadata", "{name}");
        }
        let mut bad = body.clone();
        bad["redirect_uris"] = json!(["javascript:alert(1)"]);
        assert_eq!(put(&next.token, bad).await.expect(400).text("/error"), "invalid_redirect_uri");
        app.read_as(&client.path, &next.token).await.expect(200);
    }

    /// Clients that nobody uses are forgotten; whoever uses one keeps it.
    async fn clients_that_are_not_used_are_forgotten(database) {
        let app = TestApp::start_with(&database).await;
        app.open_registration().await;
        app.set("client_unused_ttl", "30d").await;
        let (idle, used) =
            (register(&app, app_of_the_web()).await, register(&app, app_of_the_web()).await);
        app.advance(20 * DAY);
        let code = code_for(&app, used.id(), &[]).await;
        redeem(&app, used.id(), &code, &[]).await.expect(200);
        app.advance(11 * DAY);

        jobs::run(&app.app).await.unwrap();

        app.read_as(&idle.path, &idle.token).await.expect(401);
        app.read_as(&used.path, &used.token).await.expect(200);
        let event = app.last(Kind::ClientDeleted, Some(idle.id())).await;
        assert_eq!(event.actor_kind, "system");
        assert!(app.app.store.read(clients::all).await.unwrap().iter()
            .any(|client| client.origin == Origin::Made), "what an operator made stays");
    }
}

/// A code that a person gave to a public client, with further parameters in the request.
async fn code_for(app: &TestApp, client_id: &str, more: &[(&str, &str)]) -> String {
    app.app.ensure_rsa_key().await.unwrap();
    code(&Visitor::of(app), &request(client_id, more)).await
}

fn request(client_id: &str, more: &[(&str, &str)]) -> String {
    let challenge = challenge(VERIFIER);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", client_id),
        ("redirect_uri", "https://notes.example/cb"),
        ("response_type", "code"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    query.extend_pairs(more);
    format!("/oauth2/authorize?{}", query.finish())
}

async fn redeem(app: &TestApp, id: &str, code: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("redirect_uri", "https://notes.example/cb"),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    form.extend(more);
    app.form("/oauth2/token", &form).await
}

#[tokio::test]
async fn a_registered_client_signs_people_in_and_is_shown_as_a_stranger() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let client = register(&app, app_of_the_web()).await;
    let visitor = Visitor::of(&app);
    let answer = visitor.open(&request(client.id(), &[])).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let page = visitor.follow(answer).await.expect(200).page();
    assert!(page.contains("notes.example") && page.contains("class=\"caution\""), "{page}");
    let code = code_for(&app, client.id(), &[]).await;
    let tokens = redeem(&app, client.id(), &code, &[]).await.tokens();
    // RFC 8707: without a resource a stranger's token is for UserInfo alone.
    assert_eq!(claims(&tokens.access)["aud"], ISSUER);
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);
    app.read_as("/api/v1/users/me", &tokens.access).await.expect(403);
}

/// Whoever registered by itself has no power of the person's but what the consent page named.
#[tokio::test]
async fn a_strangers_token_tells_roles_by_their_scope_alone_and_no_permissions() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let client = register(&app, with("scope", json!("openid roles"))).await;
    let admin = app.admin().await;
    app.make_role(&admin, "clerk", &["users:read"]).await;
    let minji = crate::cast::subject(&app.sign_in(MINJI).await.access);
    let roles = json!({"roles": ["user", "clerk"]});
    let path = format!("/api/v1/admin/users/{minji}/roles");
    app.call(Method::PUT, &path, &admin, roles).await.expect(200);
    let own = claims(&app.sign_in(MINJI).await.access);
    assert_eq!(own["permissions"], json!(["users:read"]), "a client that was made here");
    for (scope, roles) in [("openid", json!([])), ("openid roles", json!(["clerk", "user"]))] {
        let code = code_for(&app, client.id(), &[("scope", scope)]).await;
        let tokens = redeem(&app, client.id(), &code, &[]).await.tokens();
        let said = claims(&tokens.access);
        assert_eq!(said["roles"], roles, "{scope}");
        let permissions = said.get("permissions").and_then(Value::as_array);
        assert!(permissions.is_none_or(Vec::is_empty), "{said}");
    }
}

/// What a client says of itself after the page was shown, nobody has agreed to.
#[tokio::test]
async fn a_click_allows_what_was_shown_and_not_what_the_client_says_meanwhile() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let client = register(&app, with("scope", json!("openid"))).await;
    let visitor = Visitor::of(&app);
    let answer = visitor.open(&request(client.id(), &[])).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let mut page = answer.location().unwrap();
    while !page.starts_with("/consent") {
        page = visitor.open(&page).await.location().unwrap();
    }
    let shown = visitor.open(&page).await.expect(200).shown_consent();

    let mut wider = with("scope", json!("openid email roles"));
    wider["client_id"] = json!(client.id());
    app.call(Method::PUT, &client.path, &client.token, wider).await.expect(200);

    let fields = [("action", "allow"), ("shown", shown.as_str())];
    let again = visitor.send_from("same-origin", &page, &fields).await.expect(200);
    assert_ne!(again.shown_consent(), shown);
    let fields = [("action", "allow"), ("shown", &again.shown_consent())];
    visitor.send_from("same-origin", &page, &fields).await.expect(303);
}

#[tokio::test]
async fn a_client_gives_its_registration_back_and_its_tokens_die() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let client = register(&app, app_of_the_web()).await;
    let other = register(&app, app_of_the_web()).await;
    let code = code_for(&app, client.id(), &[]).await;
    let tokens = redeem(&app, client.id(), &code, &[]).await.tokens();
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);
    app.act_as(Method::DELETE, &client.path, &other.token).await.expect(401);
    app.act_as(Method::DELETE, "/oauth2/register/web", &client.token).await.expect(401);
    app.act_as(Method::DELETE, "/oauth2/register/a%20b", &client.token).await.expect(401);

    app.act_as(Method::DELETE, &client.path, &client.token).await.expect(204);

    app.read_as(&client.path, &client.token).await.expect(401);
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client.id()),
        ("refresh_token", &tokens.refresh),
    ];
    app.form("/oauth2/token", &form).await.expect(401);
    let event = app.last(Kind::ClientDeleted, Some(client.id())).await;
    assert_eq!(event.actor_id.as_deref(), Some(client.id()));
}

#[tokio::test]
async fn a_client_that_an_operator_disabled_manages_nothing() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let client = register(&app, app_of_the_web()).await;
    let admin = app.admin().await;
    let path = format!("/api/v1/admin/clients/{}/disable", client.id());
    app.act_as(Method::POST, &path, &admin).await.expect(204);
    let mut body = app_of_the_web();
    body["client_id"] = json!(client.id());
    for (method, body) in
        [(Method::GET, json!({})), (Method::PUT, body), (Method::DELETE, json!({}))]
    {
        let answer = app.send(json_request(method, &client.path, Some(&client.token), &body)).await;
        assert_eq!(answer.expect(403).text("/error"), "access_denied");
    }
}

#[tokio::test]
async fn one_address_registers_a_few_clients_and_then_waits() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let from = async |address: &str| {
        let mut request = json_request(Method::POST, REGISTER, None, &app_of_the_web());
        let address: SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(address));
        app.send(request).await
    };
    for port in 0..20 {
        from(&format!("[2001:db8::{port}]:1")).await.expect(201);
    }
    let refused = from("[2001:db8::ffff]:2").await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("301"));
    from("[2001:db8:0:1::1]:1").await.expect(201);
    app.advance(301);
    from("[2001:db8::1]:1").await.expect(201);
    from("[2001:db8::1]:1").await.expect(429);
}
