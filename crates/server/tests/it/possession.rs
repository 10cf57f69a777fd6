//! Tokens that are bound to a key (DPoP, RFC 9449): at the token endpoint, at our own APIs, and
//! when they are asked about.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use http::{Method, Request};
use munjigi_store::each_backend;
use munjigi_token::{Algorithm, SigningKey, dpop};
use serde_json::{Value, json};

use crate::harness::{Answer, BEGINNING, ISSUER, MINJI, TestApp, claims};
use crate::visitor::{CALLBACK, VERIFIER, Visitor, request};

const TOKEN: &str = "/oauth2/token";
const ME: &str = "/api/v1/users/me";

/// Somebody with a key, who makes proofs.
pub struct Holder {
    pub app: TestApp,
    pub key: SigningKey,
    made: AtomicUsize,
}

impl Holder {
    pub async fn start() -> Self {
        Self::of(&TestApp::start().await)
    }

    pub fn of(app: &TestApp) -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        Self { app: app.clone(), key, made: AtomicUsize::new(0) }
    }

    pub fn jkt(&self) -> String {
        self.key.public_jwk().unwrap().thumbprint()
    }

    /// The nonce that the server gives out just now.
    pub async fn nonce(&self) -> String {
        let answer = self.post(TOKEN, &[], &[&self.proof("POST", TOKEN, |_| ())]).await;
        assert_eq!(answer.text("/error"), "use_dpop_nonce");
        answer.header("dpop-nonce").unwrap().to_owned()
    }

    pub fn proof(&self, method: &str, path: &str, change: impl FnOnce(&mut Value)) -> String {
        let jti = self.made.fetch_add(1, Ordering::Relaxed).to_string();
        let now = self.app.app.clock.now().as_seconds();
        let mut claims =
            json!({"jti": jti, "htm": method, "htu": format!("{ISSUER}{path}"), "iat": now});
        change(&mut claims);
        dpop::sign(&self.key, &claims).unwrap()
    }

    /// A form with proofs.
    pub async fn post(&self, path: &str, form: &[(&str, &str)], proofs: &[&str]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request =
            Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        self.app.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A form with a good proof.
    pub async fn send(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let nonce = self.nonce().await;
        let proof = self.proof("POST", path, |claims| claims["nonce"] = json!(nonce));
        self.post(path, form, &[&proof]).await
    }

    /// A token request of the confidential demo client on its own behalf.
    async fn own(&self, proofs: &[&str]) -> Answer {
        let (id, secret) = self.app.web();
        let form =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        self.post(TOKEN, &form, proofs).await
    }

    /// Calls an API of this server.
    pub async fn call(&self, method: &str, path: &str, authorization: &str, proof: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", authorization).header("dpop", proof);
        self.app.send(request.body(Body::empty()).unwrap()).await
    }

    pub fn proof_beside(&self, method: &str, path: &str, token: &str) -> String {
        let hash = dpop::access_token_hash(token);
        self.proof(method, path, |claims| claims["ath"] = json!(hash))
    }

    async fn read(&self, path: &str, token: &str) -> Answer {
        let proof = self.proof_beside("GET", path, token);
        self.call("GET", path, &format!("DPoP {token}"), &proof).await
    }

    /// Signs in through the pages with the public demo client; the code.
    async fn code(&self, change: &[(&str, Option<&str>)]) -> String {
        let visitor = Visitor::of(&self.app);
        let answer = visitor.open(&request(change)).await;
        let answer = visitor.sign_in(answer, MINJI).await;
        let answer = visitor.follow_to_client(answer, "allow").await;
        answer.brings("code").unwrap()
    }

    async fn redeem(&self, code: &str) -> Answer {
        self.send(TOKEN, &redemption(code)).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.send(TOKEN, &refreshing(token)).await
    }
}

fn redemption(code: &str) -> [(&'static str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

fn refreshing(token: &str) -> [(&'static str, &str); 3] {
    [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", token)]
}

#[track_caller]
fn refused(answer: &Answer, error: &str, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {}", answer.shown());
    assert_eq!(answer.text("/error"), error, "{what}");
}

/// RFC 9449 §5, §8; `happy-flow`, `access-token-type-header-case-sensitivity`.
#[tokio::test]
async fn a_client_with_a_key_gets_tokens_that_are_bound_to_it() {
    let holder = Holder::start().await;
    let first = holder.own(&[&holder.proof("POST", TOKEN, |_| ())]).await;
    refused(&first, "use_dpop_nonce", "without our nonce");
    let nonce = first.header("dpop-nonce").unwrap().to_owned();

    let proof = holder.proof("POST", TOKEN, |claims| claims["nonce"] = json!(nonce));
    let answer = holder.own(&[&proof]).await.expect(200);
    assert_eq!(answer.text("/token_type"), "DPoP");
    assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()), "for the next one");
    assert_eq!(claims(&answer.text("/access_token"))["cnf"], json!({"jkt": holder.jkt()}));

    let plain = holder.own(&[]).await.expect(200);
    assert_eq!(plain.text("/token_type"), "Bearer");
    assert!(plain.header("dpop-nonce").is_none());
    assert!(claims(&plain.text("/access_token")).get("cnf").is_none());
}

/// RFC 9449 §8: every node gives out and takes the same; none is good for long.
#[tokio::test]
async fn a_nonce_is_ours_and_of_a_moment_ago() {
    let holder = Holder::start().await;
    let nonce = holder.nonce().await;
    let with = |nonce: &str| holder.proof("POST", TOKEN, |claims| claims["nonce"] = json!(nonce));
    refused(&holder.own(&[&with("made-up")]).await, "use_dpop_nonce", "made up");
    holder.app.advance(300);
    holder.own(&[&with(&nonce)]).await.expect(200);
    holder.app.advance(300);
    refused(&holder.own(&[&with(&nonce)]).await, "use_dpop_nonce", "too old");

    holder.app.set("dpop_nonce", "optional").await;
    holder.own(&[&holder.proof("POST", TOKEN, |_| ())]).await.expect(200);
    refused(&holder.own(&[&with("made-up")]).await, "use_dpop_nonce", "made up");
}

/// `dpop-negative-tests`, `check-dpop-proof-nbf-exp`,
/// `ensure-dpopproof-with-iat-10seconds-before-succeeds`, `-after-succeeds`.
#[tokio::test]
async fn a_proof_is_for_this_request_made_a_moment_ago_and_alone() {
    let holder = Holder::start().await;
    let nonce = holder.nonce().await;
    let with = |claim: &str, value: Value| {
        holder.proof("POST", TOKEN, |claims| {
            claims["nonce"] = json!(nonce);
            claims[claim] = value;
        })
    };
    for (claim, wrong) in [
        ("htm", json!("GET")),
        ("htu", json!(format!("{ISSUER}/oauth2/par"))),
        ("htu", json!("https://evil.example/oauth2/token")),
        ("iat", json!(BEGINNING - 61)),
        ("iat", json!(BEGINNING + 11)),
        ("iat", json!("now")),
        ("exp", json!(BEGINNING - 10)),
        ("nbf", json!(BEGINNING + 11)),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
    ] {
        let answer = holder.own(&[&with(claim, wrong.clone())]).await;
        refused(&answer, "invalid_dpop_proof", &format!("{claim} {wrong}"));
        assert!(answer.header("dpop-nonce").is_some());
    }
    let good = with("iat", json!(BEGINNING));
    let twice = holder.own(&[&good, &good]).await;
    refused(&twice, "invalid_dpop_proof", "two proofs");
    refused(&holder.own(&["nonsense"]).await, "invalid_dpop_proof", "nonsense");
    let (head, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    refused(&holder.own(&[&forged]).await, "invalid_dpop_proof", "forged");
    let plain = holder.key.sign("JWT", &claims(&good)).unwrap();
    refused(&holder.own(&[&plain]).await, "invalid_dpop_proof", "another kind of token");
    holder.own(&[&good]).await.expect(200);
    for iat in [BEGINNING - 10, BEGINNING + 10] {
        holder.own(&[&with("iat", json!(iat))]).await.expect(200);
    }
    let query = with("htu", json!(format!("{ISSUER}{TOKEN}?a=b#c")));
    holder.own(&[&query]).await.expect(200);
}

each_backend! {
    /// RFC 9449 §11.1: by whichever node it is seen.
    async fn a_proof_is_good_once_however_many_come_at_the_same_time(database) {
        let holder = Holder::of(&TestApp::start_with(&database).await);
        let nonce = holder.nonce().await;
        let proof = holder.proof("POST", TOKEN, |claims| claims["nonce"] = json!(nonce));
        let proofs = [proof.as_str()];
        let all = futures_util::future::join_all((0..8).map(|_| holder.own(&proofs))).await;
        assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1);
        refused(&holder.own(&proofs).await, "invalid_dpop_proof", "once more");
        // Another client's key may use the same id.
        let said = claims(&proof);
        let other = Holder::of(&holder.app);
        other.own(&[&other.proof("POST", TOKEN, |claims| {
            claims["nonce"] = json!(nonce);
            claims["jti"] = said["jti"].clone();
        })]).await.expect(200);
    }
}

/// RFC 9449 §7.1: at the account API and UserInfo; `ensure-holder-of-key-required`.
#[tokio::test]
async fn a_bound_token_is_taken_with_its_proof_and_never_as_a_bearer_token() {
    let holder = Holder::start().await;
    let form = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    let token = holder.send(TOKEN, &form).await.expect(200).text("/access_token");
    for path in [ME, "/oauth2/userinfo"] {
        holder.read(path, &token).await.expect(200);
        let answer = holder.app.read_as(path, &token).await.expect(401);
        let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        let challenges: Vec<_> = challenges.iter().map(|it| it.to_str().unwrap()).collect();
        assert!(challenges.iter().any(|it| it.starts_with("DPoP ")), "{challenges:?}");
        let proof = holder.proof_beside("GET", path, &token);
        holder.call("GET", path, &format!("Bearer {token}"), &proof).await.expect(401);
        let thief = Holder::of(&holder.app);
        thief.read(path, &token).await.expect(401);
        let elsewhere = holder.proof_beside("GET", "/elsewhere", &token);
        holder.call("GET", path, &format!("DPoP {token}"), &elsewhere).await.expect(401);
        let bare = holder.proof("GET", path, |_| ());
        holder.call("GET", path, &format!("DPoP {token}"), &bare).await.expect(401);
        // The scheme is not case-sensitive (RFC 9110 §11.1), and a proof is good once.
        let proof = holder.proof_beside("GET", path, &token);
        holder.call("GET", path, &format!("dpop {token}"), &proof).await.expect(200);
        holder.call("GET", path, &format!("DPoP {token}"), &proof).await.expect(401);
    }
    let plain = holder.app.sign_in(MINJI).await.access;
    holder.app.read_as(ME, &plain).await.expect(200);
    holder.read(ME, &plain).await.expect(401);
}

each_backend! {
    /// RFC 9449 §11.1: a proof that one node has taken is not taken by another.
    async fn no_other_node_takes_a_proof_again(database) {
        let one = TestApp::start_with(&database).await;
        let other = TestApp::start_with(&database).await;
        let holder = Holder::of(&one);
        let form = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
        let token = holder.send(TOKEN, &form).await.expect(200).text("/access_token");
        let proof = holder.proof_beside("GET", ME, &token);
        let authorization = format!("DPoP {token}");
        holder.call("GET", ME, &authorization, &proof).await.expect(200);
        let request = Request::get(ME).header("authorization", authorization);
        let request = request.header("dpop", proof).body(Body::empty()).unwrap();
        other.send(request).await.expect(401);
    }
}

/// RFC 9449 §6.2.
#[tokio::test]
async fn an_api_that_asks_learns_to_which_key_a_token_is_bound() {
    let holder = Holder::start().await;
    let nonce = holder.nonce().await;
    let proof = holder.proof("POST", TOKEN, |claims| claims["nonce"] = json!(nonce));
    let (id, secret) = holder.app.web();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("resource", "http://localhost:8001"),
    ];
    let token = holder.post(TOKEN, &form, &[&proof]).await.expect(200).text("/access_token");
    let told = holder.app.introspect(holder.app.web(), &token).await;
    assert_eq!(told["active"], true, "{told}");
    assert_eq!(told["token_type"], "DPoP");
    assert_eq!(told["cnf"], json!({"jkt": holder.jkt()}));
    holder.app.form_as((id, secret), "/oauth2/revoke", &[("token", &token)]).await.expect(200);
    let told = holder.app.introspect(holder.app.web(), &token).await;
    assert_eq!(told, json!({"active": false}));
}

/// RFC 9449 §5.2; `ensure-holder-of-key-required`.
#[tokio::test]
async fn a_client_whose_tokens_are_all_bound_gets_no_other() {
    let holder = Holder::start().await;
    let admin = holder.app.admin().await;
    let bound = json!({"metadata": {"dpop_bound_access_tokens": true}});
    for client in ["web", "first-party"] {
        let path = format!("/api/v1/admin/clients/{client}");
        holder.app.call(Method::PATCH, &path, &admin, bound.clone()).await.expect(200);
    }
    refused(&holder.own(&[]).await, "invalid_dpop_proof", "a client's own token");
    let nonce = holder.nonce().await;
    let proof = holder.proof("POST", TOKEN, |claims| claims["nonce"] = json!(nonce));
    holder.own(&[&proof]).await.expect(200);
    let form = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    refused(&holder.app.form(TOKEN, &form).await, "invalid_dpop_proof", "a person's");
    let json = json!({"email": MINJI.0, "password": MINJI.1});
    let answer = holder.app.post("/api/v1/users/signin", json).await;
    assert!(answer.status.is_client_error(), "{}", answer.shown());
    holder.send(TOKEN, &form).await.expect(200);
}

/// RFC 9449 §5: the refresh tokens of a public client; `refresh-token`.
#[tokio::test]
async fn a_public_client_refreshes_with_the_key_that_it_began_with() {
    let holder = Holder::start().await;
    holder.app.app.ensure_rsa_key().await.unwrap();
    let code = holder.code(&[]).await;
    let tokens = holder.redeem(&code).await.tokens();
    assert_eq!(claims(&tokens.access)["cnf"], json!({"jkt": holder.jkt()}));

    let thief = Holder::of(&holder.app);
    refused(&thief.refresh(&tokens.refresh).await, "invalid_dpop_proof", "another key");
    let bare = holder.app.form(TOKEN, &refreshing(&tokens.refresh)).await;
    refused(&bare, "invalid_dpop_proof", "no proof");
    let next = holder.refresh(&tokens.refresh).await.tokens();
    assert_eq!(claims(&next.access)["cnf"], json!({"jkt": holder.jkt()}));
    // A lost reply: the same successor, for the same key alone.
    refused(&thief.refresh(&tokens.refresh).await, "invalid_dpop_proof", "another key");
    assert_eq!(holder.refresh(&tokens.refresh).await.tokens().refresh, next.refresh);

    // One that was bound to nothing is from its first proof on.
    let code = holder.code(&[("prompt", Some("login"))]).await;
    let free = holder.app.form(TOKEN, &redemption(&code)).await.tokens();
    let bound = holder.refresh(&free.refresh).await.tokens();
    let bare = holder.app.form(TOKEN, &refreshing(&bound.refresh)).await;
    refused(&bare, "invalid_dpop_proof", "bound by now");
    holder.refresh(&bound.refresh).await.expect(200);
}

/// RFC 9449 §5: a client that proves itself may change its key, not go without.
#[tokio::test]
async fn a_confidential_client_refreshes_with_any_key_of_its_own() {
    let holder = Holder::start().await;
    let admin = holder.app.admin().await;
    let secret = holder.app.make_desk(&admin, "desk").await;
    let client = [("client_id", "desk"), ("client_secret", secret.as_str())];
    let sign_in = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    let tokens = holder.send(TOKEN, &[&sign_in[..], &client[..]].concat()).await.tokens();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let form = [&refresh[..], &client[..]].concat();
    refused(&holder.app.form(TOKEN, &form).await, "invalid_dpop_proof", "no proof");
    let other = Holder::of(&holder.app);
    let next = other.send(TOKEN, &form).await.tokens();
    assert_eq!(claims(&next.access)["cnf"], json!({"jkt": other.jkt()}));
}

/// RFC 9449 §10; `ensure-dpop-auth-code-binding-success`,
/// `ensure-token-endpoint-fails-with-mismatched-dpop-jkt`, `-mismatched-dpop-proof-jkt`.
#[tokio::test]
async fn a_code_is_redeemed_by_the_key_that_its_request_named() {
    let holder = Holder::start().await;
    holder.app.app.ensure_rsa_key().await.unwrap();
    let jkt = holder.jkt();
    let named = [("dpop_jkt", Some(jkt.as_str()))];
    let code = holder.code(&named).await;
    // The nonce comes first: it costs nothing.
    holder.post(TOKEN, &redemption(&code), &[&holder.proof("POST", TOKEN, |_| ())]).await;
    holder.redeem(&code).await.expect(200);

    let thief = Holder::of(&holder.app);
    let code = holder.code(&named).await;
    refused(&thief.redeem(&code).await, "invalid_grant", "another key");
    refused(&holder.redeem(&code).await, "invalid_grant", "burnt");
    let code = holder.code(&named).await;
    let bare = holder.app.form(TOKEN, &redemption(&code)).await;
    refused(&bare, "invalid_grant", "no proof");
}
