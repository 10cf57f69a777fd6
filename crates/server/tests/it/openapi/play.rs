//! Every operation played once against a server with the demo data, by the document's own
//! examples, and the refusals that all operations of a kind share.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::{Method, Request};
use munjigi_token::Jwk;
use serde_json::{Value, json};

use super::{FORM, JSON, Operation, operations};
use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};

/// A server, its document, and what was said so far.
pub(super) struct Play {
    app: TestApp,
    pub(super) document: Value,
    operations: BTreeMap<String, Operation>,
    /// The administrator's access token.
    jun: String,
    pub(super) exchanges: Vec<Value>,
    pub(super) succeeded: BTreeSet<String>,
}

/// How a request differs from the plainest one.
#[derive(Default)]
struct With<'a> {
    token: Option<&'a str>,
    /// What stands in the path's one parameter.
    key: &'a str,
    query: &'a str,
    body: Option<(&'a str, Value)>,
    header: Option<(&'a str, &'a str)>,
}

impl Play {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await;
        app.app.ensure_rsa_key().await.unwrap();
        let document = app.get("/openapi.json").await.expect(200).json();
        let operations = operations(&document).into_iter().map(|it| (it.id().to_owned(), it));
        let jun = app.sign_in(JUN).await.access;
        let (operations, exchanges, succeeded) = (operations.collect(), vec![], BTreeSet::new());
        Self { app, document, operations, jun, exchanges, succeeded }
    }

    /// Sends a request and remembers what came of it.
    async fn call(&mut self, id: &str, with: With<'_>) -> Answer {
        let operation = self.operations.get(id).unwrap_or_else(|| panic!("no operation {id}"));
        let operation = operation.clone();
        let key = url::form_urlencoded::byte_serialize(with.key.as_bytes()).collect::<String>();
        let path: Vec<_> = operation.path.split('/').collect();
        let filled = |part: &&str| if part.starts_with('{') { key.clone() } else { (*part).into() };
        let path = path.iter().map(filled).collect::<Vec<String>>().join("/");
        let mut request = Request::builder().method(operation.method.to_uppercase().as_str());
        request = request.uri(format!("{path}{}", with.query));
        if let Some(token) = with.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some((name, value)) = with.header {
            request = request.header(name, value);
        }
        let (said, body) = match with.body {
            None => (Value::Null, Body::empty()),
            Some((media_type, said)) => {
                request = request.header("content-type", media_type);
                let text = if media_type == FORM { form(&said) } else { said.to_string() };
                (said, Body::from(text))
            }
        };
        let answer = self.app.send(request.body(body).unwrap()).await;
        self.remember(&operation, &said, &answer);
        answer
    }

    fn remember(&mut self, operation: &Operation, request: &Value, answer: &Answer) {
        let status = answer.status.as_u16();
        let known = operation.body["responses"].get(status.to_string()).is_some();
        assert!(known, "{} does not tell of {}", operation.id(), answer.shown());
        if answer.status.is_success() {
            self.succeeded.insert(operation.id().to_owned());
        }
        let media_type = answer.header("content-type");
        let headers: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
        let body = if answer.bytes.is_empty() { Value::Null } else { answer.json() };
        self.exchanges.push(json!({
            "operation": format!("{} {}", operation.method, operation.path), "request": request,
            "status": status, "media_type": media_type, "headers": headers, "answer": body,
        }));
    }

    /// Sends every example of an operation's body, as `with` says; each has to work.
    async fn examples(&mut self, id: &str, token: &str, key: &str) -> BTreeMap<String, Answer> {
        let operation = self.operations[id].clone();
        let media_type = operation.media_type().unwrap();
        let token = operation.is_guarded().then_some(token);
        let mut answers = BTreeMap::new();
        for (name, example) in operation.examples() {
            let body = Some((media_type, example));
            let answer = self.call(id, With { token, key, body, ..With::default() }).await;
            assert!(answer.status.is_success(), "{id}, {name}: {}", answer.shown());
            answers.insert(name, answer);
        }
        assert!(!answers.is_empty(), "{id} has no example that can be sent as it is");
        answers
    }

    /// The examples of an operation that is open.
    pub(super) async fn send(&mut self, id: &str) -> BTreeMap<String, Answer> {
        self.examples(id, "", "").await
    }

    /// A request without a body by somebody; it has to work.
    async fn act(&mut self, id: &str, token: &str, key: &str) -> Answer {
        let answer = self.call(id, With { token: Some(token), key, ..With::default() }).await;
        assert!(answer.status.is_success(), "{id}: {}", answer.shown());
        answer
    }

    /// The same by the administrator, with the operation's examples if it has a body.
    async fn administer(&mut self, id: &str, key: &str) {
        let jun = self.jun.clone();
        if self.operations[id].media_type().is_some() {
            self.examples(id, &jun, key).await;
        } else {
            self.act(id, &jun, key).await;
        }
    }

    /// A form of one's own.
    async fn form(&mut self, id: &str, parameters: Value, status: u16) -> Answer {
        let with = With { body: Some((FORM, parameters)), ..With::default() };
        self.call(id, with).await.expect(status)
    }
}

/// A form of an object's members.
fn form(members: &Value) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Array(values) => {
                form.extend_pairs(values.iter().map(|it| (name, it.as_str().unwrap())));
            }
            one => {
                form.append_pair(name, one.as_str().unwrap());
            }
        }
    }
    form.finish()
}

/// The scenes.
impl Play {
    pub(super) async fn open_routes(&mut self) {
        for id in ["livez", "readyz"] {
            self.call(id, With::default()).await.expect(200);
        }
        let jun = self.jun.clone();
        let query = "?audience=http://localhost:8001&role=admin";
        let with = |token| With { query, token, ..With::default() };
        self.call("forward_auth", with(Some(&jun))).await.expect(200);
        self.call("forward_auth", with(None)).await.expect(401);
        for id in ["openid_configuration", "authorization_server_metadata", "jwks"] {
            let answer = self.call(id, With::default()).await.expect(200);
            let header = Some(("if-none-match", answer.header("etag").unwrap()));
            self.call(id, With { header, ..With::default() }).await.expect(304);
        }
    }

    pub(super) async fn oauth(&mut self) {
        let issued = self.send("token").await["password"].json();
        let refresh = json!({"grant_type": "refresh_token", "client_id": "first-party",
            "refresh_token": issued["refresh_token"]});
        let minji = self.form("token", refresh, 200).await.tokens();
        let (web, secret) = self.app.web();
        let proof = json!({"client_id": web, "client_secret": secret});
        let and = |more: Value| {
            let mut all = proof.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let (own, all_wrong) = (and(json!({"grant_type": "client_credentials"})), json!({}));
        let program = self.form("token", own, 200).await.tokens();
        let narrow = json!({"grant_type": "password", "username": MINJI.0, "password": MINJI.1,
            "client_id": "first-party", "resource": ["http://localhost:8001"]});
        let narrow = self.form("token", narrow, 200).await.tokens();
        for token in [&narrow.access, &program.access, &minji.refresh, "none"] {
            self.form("introspect", and(json!({"token": token})), 200).await;
        }
        for id in ["userinfo", "userinfo_by_post"] {
            self.act(id, &minji.access, "").await;
        }

        self.device().await;
        self.send("par").await;
        self.form("token", all_wrong.clone(), 400).await;
        self.form("par", all_wrong, 400).await;
        for id in ["token", "introspect", "revoke", "device_authorization", "par"] {
            let nobody = json!({"client_id": "nobody", "client_secret": "x", "token": "x"});
            self.form(id, nobody, 401).await;
            let with = With { body: Some((JSON, json!({}))), ..With::default() };
            self.call(id, with).await.expect(415);
            let large = json!({"token": "x".repeat(70_000)});
            self.form(id, large, 413).await;
        }
        let public = json!({"client_id": "first-party", "token": minji.refresh});
        self.form("introspect", public.clone(), 400).await;
        self.form("revoke", public, 200).await;
        self.form("introspect", and(json!({"token": minji.access})), 200).await;
    }

    async fn device(&mut self) {
        self.app.app.ensure_rsa_key().await.unwrap();
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let tv = json!({"client_id": "tv", "name": "TV", "grant_types": [grant],
            "token_endpoint_auth_method": "none"});
        let jun = self.jun.clone();
        self.app.call(Method::POST, "/api/v1/admin/clients", &jun, tv).await.expect(201);
        let told = self.form("device_authorization", json!({"client_id": "tv"}), 200).await;
        let poll = json!({"grant_type": grant, "client_id": "tv",
            "device_code": told.text("/device_code")});
        self.form("token", poll, 400).await;
    }

    pub(super) async fn feed(&mut self) {
        let demo = munjigi_server::demo::demo_clients(&self.app.app).unwrap();
        let planner = demo.into_iter().find(|it| it.client.id.as_str() == "planner").unwrap();
        let secret = planner.secret.unwrap();
        let own = json!({"grant_type": "client_credentials", "client_id": "planner",
            "client_secret": secret.reveal()});
        let token = self.form("token", own, 200).await.text("/access_token");
        let with = |query| With { token: Some(&token), query, ..With::default() };
        let first = self.call("follow_revocations", with("")).await.expect(200);
        assert!(!first.json()["entries"].as_array().unwrap().is_empty());
        // Of another database: the same place, another mark.
        let elsewhere = "?cursor=AQAAAAAAAAABAAAAAAAAAAA";
        self.call("follow_revocations", with(elsewhere)).await.expect(410);
        self.call("follow_revocations", with("?wait=31")).await.expect(400);
    }

    pub(super) async fn accounts(&mut self) {
        let made = self.send("sign_up").await["hana"].json();
        let again = self.operations["sign_up"].examples().remove("hana").unwrap();
        let with = |body| With { body: Some((JSON, body)), ..With::default() };
        self.call("sign_up", with(again.clone())).await.expect(409);
        let hers = json!({"email": made["email"], "password": again["password"]});
        let hana = self.call("sign_in", with(hers)).await.tokens();
        let farewell = |body| With { token: Some(&hana.access), ..with(body) };
        self.call("delete_me", farewell(json!({"password": "not hers"}))).await.expect(422);
        let password = json!({"password": again["password"]});
        self.call("delete_me", farewell(password)).await.expect(204);

        let signed_in = self.send("sign_in").await;
        let minji = signed_in["minji"].text("/access_token");
        let other = signed_in["narrow"].text("/access_token");
        self.act("show_me", &minji, "").await;
        self.examples("change_me", &minji, "").await;
        self.act("list_sessions", &minji, "").await;
        self.act("end_session", &minji, claims(&other)["sid"].as_str().unwrap()).await;
        self.examples("change_my_password", &minji, "").await;
        let wrong = With {
            token: Some(&minji),
            ..with(json!({"current_password": MINJI.1,
            "new_password": "바다로 가는 첫차"}))
        };
        self.call("change_my_password", wrong).await.expect(422);
        self.act("sign_out", &minji, "").await;
        self.refused_sign_ins().await;
    }

    /// What guessing comes to: 401, and 429 in the end.
    async fn refused_sign_ins(&mut self) {
        let wrong = json!({"email": "nobody@demo.local", "password": "wrong-password"});
        let guess = json!({"grant_type": "password", "client_id": "first-party",
            "username": "nobody@demo.local", "password": "wrong-password"});
        let sign_in = || With { body: Some((JSON, wrong.clone())), ..With::default() };
        let mut answer = self.call("sign_in", sign_in()).await.expect(401);
        while answer.status.as_u16() == 401 {
            answer = self.call("sign_in", sign_in()).await;
        }
        answer.expect(429);
        self.form("token", guess, 429).await;
        let scope = json!({"email": MINJI.0, "password": MINJI.1, "scope": "unheard-of"});
        let with = With { body: Some((JSON, scope)), ..With::default() };
        self.call("sign_in", with).await.expect(400);
    }

    pub(super) async fn people(&mut self) {
        self.administer("stats", "").await;
        self.administer("create_user", "").await;
        let jun = self.jun.clone();
        let query = "?kind=user_created&outcome=succeeded&since=2020-01-01T00:00:00Z&limit=1";
        let with = With { token: Some(&jun), query, ..With::default() };
        self.call("list_events", with).await.expect(200);
        let with = With { token: Some(&jun), query: "?kind=nothing", ..With::default() };
        self.call("list_events", with).await.expect(400);
        let mut sequencer = munjigi_server::sequencer::Sequencer::new(&self.app.app).unwrap();
        sequencer.run(&self.app.app).await.unwrap();
        for (id, key) in
            [("read_checkpoint", ""), ("read_audit_keys", ""), ("read_tile", "entries/000.p/1")]
        {
            let with = With { token: Some(&jun), key, ..With::default() };
            self.call(id, with).await.expect(200);
        }
        let query = "?search=sora&role=manager&state=enabled&limit=1";
        let with = With { token: Some(&jun), query, ..With::default() };
        let id = self.call("list_users", with).await.expect(200).text("/items/0/id");
        for operation in ["show_user", "change_user", "set_user_roles", "disable_user"] {
            self.administer(operation, &id).await;
        }
        self.administer("show_user", &id).await;
        let query = format!("?user={id}&limit=1");
        let with = With { token: Some(&jun), query: &query, ..With::default() };
        self.call("list_everybodys_sessions", with).await.expect(200);
        let query = format!("?user={id}");
        let with = With { token: Some(&jun), query: &query, ..With::default() };
        self.call("end_all_sessions", with).await.expect(204);
        let another = claims(&self.app.sign_in(JUN).await.access);
        let text = |name: &str| another[name].as_str().unwrap().to_owned();
        let session = format!("{}.{}", text("sub"), text("sid"));
        self.administer("list_everybodys_sessions", "").await;
        self.administer("end_somebodys_session", &session).await;
        for operation in ["enable_user", "delete_user"] {
            self.administer(operation, &id).await;
        }
    }

    pub(super) async fn clients(&mut self) {
        self.administer("register_client", "").await;
        self.administer("list_clients", "").await;
        self.taken(
            "register_client",
            json!({"client_id": "web", "name": "Web",
            "grant_types": ["refresh_token"]}),
        )
        .await;
        for operation in ["show_client", "change_client", "rotate_client_secret", "disable_client"]
        {
            self.administer(operation, "reports").await;
        }
        self.administer("show_client", "reports").await;
        for operation in ["enable_client", "delete_client"] {
            self.administer(operation, "reports").await;
        }
        self.refuse("rotate_client_secret", "spa", 409).await;
    }

    /// A client registers itself, by the operator's leave, and gives its registration back.
    pub(super) async fn registration(&mut self) {
        let jun = self.jun.clone();
        let example = self.operations["register"].examples().remove("native").unwrap();
        let with = |body: &Value| With { body: Some((JSON, body.clone())), ..With::default() };
        self.call("register", with(&example)).await.expect(403);
        self.app.set("client_registration", "token").await;
        self.call("register", with(&example)).await.expect(401);
        let made = self.examples("create_registration_token", &jun, "").await;
        let token = made["three"].text("/registration_token");
        let wrong = json!({"redirect_uris": ["javascript:alert(1)"]});
        let signed = |body| With { token: Some(&token), ..with(body) };
        self.call("register", signed(&wrong)).await.expect(400);
        let text = With { token: Some(&token), body: Some((FORM, json!({}))), ..With::default() };
        self.call("register", text).await.expect(415);
        let large = json!({"client_uri": "x".repeat(70_000)});
        self.call("register", signed(&large)).await.expect(413);
        let client = self.call("register", signed(&example)).await.expect(201);
        let (key, mine) = (client.text("/client_id"), client.text("/registration_access_token"));

        let by = |token, body| With { token: Some(token), key: &key, body, ..With::default() };
        self.call("read_registration", by(&mine, None)).await.expect(200);
        let mut whole = example.clone();
        whole["client_id"] = json!(key);
        let body = Some((JSON, whole.clone()));
        let next = self.call("replace_registration", by(&mine, body.clone())).await.expect(200);
        let next = next.text("/registration_access_token");
        self.call("replace_registration", by(&next, Some((JSON, wrong)))).await.expect(400);
        self.call("replace_registration", by(&mine, body.clone())).await.expect(401);
        self.administer("disable_client", &key).await;
        for (id, body) in [
            ("read_registration", None),
            ("replace_registration", body),
            ("delete_registration", None),
        ] {
            self.call(id, by("x", body.clone())).await.expect(401);
            self.call(id, by(&next, body)).await.expect(403);
        }
        self.administer("enable_client", &key).await;
        self.call("delete_registration", by(&next, None)).await.expect(204);

        self.administer("list_registration_tokens", "").await;
        self.administer("delete_registration_token", &made["three"].text("/id")).await;
    }

    pub(super) async fn apis(&mut self) {
        self.administer("register_api", "").await;
        self.administer("list_apis", "").await;
        self.taken("register_api", json!({"audience": ISSUER})).await;
        for operation in [
            "show_api",
            "change_api",
            "disable_api",
            "show_api",
            "enable_api",
            "share_api_secret",
            "list_api_secrets",
            "share_api_secret",
        ] {
            self.administer(operation, "https://orders.example").await;
        }
        let jun = self.jun.clone();
        let (key, body) = ("https://orders.example", Some((JSON, json!({}))));
        let third = With { token: Some(&jun), key, body, ..With::default() };
        self.call("share_api_secret", third).await.expect(409);
        for operation in ["unshare_api_secrets", "delete_api"] {
            self.administer(operation, "https://orders.example").await;
        }
    }

    pub(super) async fn keys(&mut self) {
        self.administer("list_keys", "").await;
        self.administer("rotate_key", "").await;
        let waiting = {
            let snapshot = self.app.app.snapshot();
            snapshot.keys.jwks().keys.last().and_then(Jwk::kid).unwrap().to_owned()
        };
        self.administer("withdraw_key", &waiting).await;
        self.administer("withdraw_key", &waiting).await;
        self.administer("list_keys", "").await;
    }

    pub(super) async fn roles(&mut self) {
        self.administer("create_role", "").await;
        self.administer("list_roles", "").await;
        self.taken("create_role", json!({"name": "admin"})).await;
        for operation in
            ["show_role", "change_role", "disable_role", "show_role", "enable_role", "delete_role"]
        {
            self.administer(operation, "support").await;
        }
        self.refuse("disable_role", "user", 409).await;
        self.refuse("delete_role", "user", 409).await;
    }

    async fn taken(&mut self, id: &str, body: Value) {
        let jun = self.jun.clone();
        let with = With { token: Some(&jun), body: Some((JSON, body)), ..With::default() };
        self.call(id, with).await.expect(409);
    }

    async fn refuse(&mut self, id: &str, key: &str, status: u16) {
        let jun = self.jun.clone();
        let with = With { token: Some(&jun), key, ..With::default() };
        self.call(id, with).await.expect(status);
    }

    /// What all operations of a kind refuse.
    pub(super) async fn refusals(&mut self) {
        let jun = self.jun.clone();
        let plain = self.app.sign_in((MINJI.0, "바다로 가는 막차")).await.access;
        for operation in self.operations.clone().values().filter(|it| !it.is_registration()) {
            let (id, key) = (operation.id(), "nobody");
            let token = operation.is_guarded().then_some(jun.as_str());
            let plainest = || With { token, key, ..With::default() };
            if operation.is_guarded() {
                self.call(id, With { token: None, ..plainest() }).await.expect(401);
                let twice = Some(("authorization", "Bearer x"));
                self.call(id, With { header: twice, ..plainest() }).await.expect(400);
            }
            if operation.path.starts_with("/api/v1/admin") {
                self.call(id, With { token: Some(&plain), ..plainest() }).await.expect(403);
            }
            if operation.takes(JSON) {
                let with = |media_type, said| With { body: Some((media_type, said)), ..plainest() };
                let unknown = self.call(id, with(JSON, json!({"un~known": 1}))).await.expect(422);
                assert!(unknown.shown().contains("/un~0known"), "{id}: {}", unknown.shown());
                self.call(id, with("text/plain", json!({}))).await.expect(415);
                self.call(id, with(JSON, json!([]))).await.expect(400);
                let large = json!({"name": "x".repeat(70_000)});
                self.call(id, with(JSON, large)).await.expect(413);
            } else if operation.path.contains('{') {
                self.call(id, plainest()).await.expect(404);
            }
            if id.starts_with("list_") && id != "list_sessions" {
                self.call(id, With { query: "?limit=0", ..plainest() }).await.expect(400);
            }
        }
    }
}
