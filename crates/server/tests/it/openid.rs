//! OpenID Connect over HTTP: what ID tokens and UserInfo say, in which words, signed how, and what
//! becomes of each parameter of an authentication request.

use http::Method;
use munjigi_store::each_backend;
use munjigi_token::{Algorithm, Unverified};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};
use crate::visitor::{Visitor, code, request, start};

/// Refreshes as the public demo client.
async fn refresh(app: &TestApp, token: &str, further: &[(&str, &str)]) -> Answer {
    let mut form =
        vec![("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", token)];
    form.extend(further);
    app.form("/oauth2/token", &form).await
}

each_backend! {
    /// OpenID Connect Core §12.2, `oidcc-refresh-token`: the same sign-in is told of again, without
    /// its nonce.
    async fn a_refresh_brings_an_id_token_of_the_same_sign_in(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let minji = Visitor::of(&app);
        let answer = minji.redeem(&code(&minji, &request(&[])).await).await.expect(200);
        let first = claims(&answer.text("/id_token"));
        // Proved again for something else: the sign-in behind this grant stays what it was.
        app.advance(60);
        let again = minji.open(&request(&[("prompt", Some("login"))])).await;
        minji.sign_in(again, MINJI).await;
        app.advance(60);

        let answer = refresh(&app, &answer.text("/refresh_token"), &[]).await.expect(200);

        let id_token = answer.text("/id_token");
        let keys = app.app.snapshot().keys.published().clone();
        Unverified::parse(&id_token).unwrap().verify(&keys).unwrap();
        let second = claims(&id_token);
        for claim in ["iss", "sub", "aud", "auth_time", "acr", "amr", "sid"] {
            assert!(!first[claim].is_null() && first[claim] == second[claim], "{claim}");
        }
        assert_eq!(second["iat"].as_i64(), first["iat"].as_i64().map(|iat| iat + 120));
        assert!(second["exp"].as_i64() > first["exp"].as_i64());
        assert!(second.get("nonce").is_none());
        let access_token = answer.text("/access_token");
        let at_hash = munjigi_core::oidc::at_hash::at_hash(Algorithm::Rs256, &access_token);
        assert_eq!(second["at_hash"], json!(at_hash));
        assert_eq!(claims(&access_token)["auth_time"], first["auth_time"]);
    }
}

/// OpenID Connect Core §12.2: no ID token has to come; without `openid` none does.
#[tokio::test]
async fn a_refresh_without_openid_brings_no_id_token() {
    let minji = start().await;
    let answer = minji.redeem(&code(&minji, &request(&[])).await).await.expect(200);
    let less = [("scope", "profile")];
    let answer = refresh(&minji.app, &answer.text("/refresh_token"), &less).await.expect(200);
    assert!(answer.json().get("id_token").is_none());
    let answer = refresh(&minji.app, &answer.text("/refresh_token"), &[]).await.expect(200);
    assert!(answer.json()["id_token"].is_string(), "what was granted is still there");

    // Who signed in by password made no authentication request.
    let tokens = minji.app.sign_in(MINJI).await;
    assert!(claims(&tokens.access)["scope"].as_str().unwrap().contains("openid"));
    let answer = minji.app.refresh(&tokens.refresh).await.expect(200);
    assert!(answer.json().get("id_token").is_none());
}

/// Says what else is known of a demo client.
async fn register(app: &TestApp, client: &str, metadata: Value) {
    let (admin, body) = (app.admin().await, json!({ "metadata": metadata }));
    let path = format!("/api/v1/admin/clients/{client}");
    app.call(Method::PATCH, &path, &admin, body).await.expect(200);
}

/// What tokens have in the words of each profile, and that they have nothing of it without.
fn words(sub: &Value, sid: &Value) -> Vec<(&'static str, &'static str, Value)> {
    let name = "이준";
    vec![
        ("keycloak", "/realm_access/roles", json!(["admin", "user"])),
        ("keycloak", "/azp", json!("spa")),
        ("keycloak", "/preferred_username", json!("jun")),
        ("keycloak", "/email", json!(JUN.0)),
        ("auth0", "/http:~1~1localhost:8000~1roles", json!(["admin", "user"])),
        ("auth0", "/http:~1~1localhost:8000~1name", json!(name)),
        ("hasura", "/https:~1~1hasura.io~1jwt~1claims/x-hasura-user-id", sub.clone()),
        ("hasura", "/https:~1~1hasura.io~1jwt~1claims/x-hasura-default-role", json!("admin")),
        (
            "hasura",
            "/https:~1~1hasura.io~1jwt~1claims/x-hasura-allowed-roles",
            json!(["admin", "user"]),
        ),
        ("postgrest", "/role", json!("admin")),
        ("supabase", "/role", json!("authenticated")),
        ("supabase", "/session_id", sid.clone()),
        ("supabase", "/app_metadata/roles", json!(["admin", "user"])),
        ("supabase", "/user_metadata/name", json!(name)),
        ("spring", "/scp", json!(["email", "openid", "profile"])),
        (
            "spring",
            "/authorities",
            json!(["SCOPE_email", "SCOPE_openid", "SCOPE_profile", "ROLE_admin", "ROLE_user"]),
        ),
    ]
}

/// Tokens of the administrator at the public demo client.
async fn of_jun(app: &TestApp) -> Answer {
    let jun = Visitor::of(app);
    let answer = jun.open(&request(&[])).await;
    let answer = jun.sign_in(answer, JUN).await;
    let code = jun.follow_to_client(answer, "allow").await.brings("code").unwrap();
    jun.redeem(&code).await.expect(200)
}

/// A client's tokens speak the words that it was registered with: access tokens and ID tokens, at
/// the sign-in and after a refresh; and what the standards say stays as it is.
#[tokio::test]
async fn tokens_speak_the_words_that_their_client_was_registered_with() {
    let app = start().await.app;
    let plain = of_jun(&app).await;
    let plain = [claims(&plain.text("/access_token")), claims(&plain.text("/id_token"))];
    let profiles = ["keycloak", "auth0", "hasura", "postgrest", "supabase", "spring", "default"];
    for profile in profiles {
        register(&app, "spa", json!({ "claim_profile": profile })).await;
        let first = of_jun(&app).await;
        let again = refresh(&app, &first.text("/refresh_token"), &[]).await.expect(200);
        for answer in [first, again] {
            let (access_token, id_token) = (answer.text("/access_token"), answer.text("/id_token"));
            assert_speaks(profile, &claims(&access_token), &plain[0]);
            assert_speaks(profile, &claims(&id_token), &plain[1]);
            app.read_as("/oauth2/userinfo", &access_token).await.expect(200);
        }
    }
}

/// The words of the profile are there, and everything that a `plain` token says is as it says it.
#[track_caller]
fn assert_speaks(profile: &str, said: &Value, plain: &Value) {
    let words = words(&said["sub"], &said["sid"]);
    for (_, at, expected) in words.iter().filter(|(whose, ..)| *whose == profile) {
        assert_eq!(said.pointer(at), Some(expected), "{profile} {at}: {said}");
    }
    // Those of one token alone; a refresh repeats no nonce.
    let own = ["jti", "sid", "gid", "at_hash", "exp", "iat", "nonce"];
    for (name, value) in plain.as_object().unwrap() {
        let is_same = said.get(name) == Some(value);
        let is_there = name == "nonce" || said.get(name).is_some();
        assert!(is_there && (is_same || own.contains(&&**name)), "{profile} {name}: {said}");
    }
    if profile == "default" {
        let names = |claims: &Value| {
            let all = claims.as_object().unwrap().keys().cloned();
            all.filter(|name| name != "nonce").collect::<Vec<_>>()
        };
        assert_eq!(names(said), names(plain));
    }
}

/// The password grant's access tokens speak them, too; and nothing is told that was not granted.
#[tokio::test]
async fn a_profile_tells_nothing_that_was_not_granted() {
    let app = TestApp::start().await;
    register(&app, "first-party", json!({"claim_profile": "keycloak"})).await;
    let form = [
        ("grant_type", "password"),
        ("client_id", "first-party"),
        ("username", MINJI.0),
        ("password", MINJI.1),
        ("scope", "openid profile"),
    ];
    let said = claims(&app.form("/oauth2/token", &form).await.tokens().access);
    assert_eq!(said["realm_access"], json!({"roles": ["user"]}));
    assert_eq!(said["preferred_username"], json!("minji"));
    assert!(said.get("email").is_none(), "{said}");
    // A client's own token speaks of nobody.
    register(&app, "web", json!({"claim_profile": "keycloak"})).await;
    let own = app.own_token(app.web(), None).await.expect(200).text("/access_token");
    assert!(claims(&own).get("realm_access").is_none());
    assert_eq!(claims(&own)["iss"], json!(ISSUER));
}

/// OpenID Connect Core §5.4: what the scopes carry stands in the ID token too, for a client that
/// asked for that.
#[tokio::test]
async fn a_hydrated_id_token_holds_what_its_scopes_carry() {
    let minji = start().await;
    let of_person = ["name", "preferred_username", "email", "email_verified", "updated_at"];
    for (placement, is_there) in [("hydrated", true), ("minimal", false)] {
        register(&minji.app, "spa", json!({ "id_token_claims": placement })).await;
        let visitor = Visitor::of(&minji.app);
        let answer = visitor.redeem(&code(&visitor, &request(&[])).await).await.expect(200);
        let said = claims(&answer.text("/id_token"));
        for claim in of_person {
            assert_eq!(said.get(claim).is_some(), is_there, "{placement} {claim}: {said}");
        }
        assert!(said.get("roles").is_none(), "no scope was granted that carries them");
        let told = minji.app.read_as("/oauth2/userinfo", &answer.text("/access_token")).await;
        let told = told.expect(200).json();
        assert!(of_person.iter().all(|claim| told.get(claim).is_some()), "{told}");
        let all = claims(&answer.text("/access_token"));
        assert!(all.get("email").is_none(), "an access token tells of nobody: {all}");
    }
}
