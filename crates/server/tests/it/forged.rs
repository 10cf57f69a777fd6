//! Tokens that only look genuine (JW-05, JW-06 and JW-07 of the attack kit): each claim wrong,
//! signed by the server's own key, and right claims signed by others.

use munjigi_server::Rotation;
use munjigi_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::harness::{ISSUER, JUN, MINJI, TestApp, claims};

/// Where a token opens something.
const DOORS: &[&str] = &["/api/v1/users/me", "/api/v1/admin/stats", "/oauth2/userinfo"];

/// Signs anything with the server's own key.
fn sign(app: &TestApp, typ: &str, claims: &Value) -> String {
    let snapshot = app.app.snapshot();
    let key = snapshot.keys.active(Algorithm::Es256, app.app.clock.now()).unwrap();
    key.sign(typ, claims).unwrap()
}

async fn statuses(app: &TestApp, token: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for door in DOORS {
        statuses.push(app.read_as(door, token).await.status.as_u16());
    }
    statuses
}

/// Each claim × what it must not be. The signature is good, so nothing else refuses it.
#[tokio::test]
async fn a_claim_that_is_wrong_is_refused_although_the_signature_is_right() {
    let app = TestApp::start().await;
    let good = claims(&app.sign_in(JUN).await.access);
    let now = good["iat"].as_i64().unwrap();
    assert_eq!(statuses(&app, &sign(&app, "at+jwt", &good)).await, [200, 200, 200]);
    let slash = format!("{ISSUER}/");
    let longer = format!("{ISSUER}0");
    let mut tried = Vec::new();
    for (name, values) in [
        ("iss", vec![json!("https://evil.example"), json!(slash), json!([ISSUER]), json!(longer)]),
        ("aud", vec![json!("http://localhost:8001"), json!([]), json!(longer), json!("")]),
        ("aud", vec![json!("http://localhost:800"), json!({"a": ISSUER}), json!([[ISSUER]])]),
        ("exp", vec![json!(now - 31), json!((now + 600).to_string()), json!(true), json!([now])]),
        ("exp", vec![json!(-1), json!({}), json!(1e300)]),
        ("iat", vec![json!(now + 3600), json!(now.to_string()), json!([now]), json!({})]),
        ("nbf", vec![json!(now + 3600), json!("999"), json!(true), json!([])]),
        ("sub", vec![json!(7), json!(["a"]), json!("x"), json!("")]),
        ("gid", vec![json!("x"), json!(7), json!(good["sid"])]),
        ("client_id", vec![json!(7), json!([]), json!({})]),
        ("scope", vec![json!(7), json!(["admin"]), json!({})]),
    ] {
        tried.extend(values.into_iter().map(|value| (name, value)));
    }
    tried.extend(["iss", "aud", "exp", "sub"].map(|name| (name, Value::Null)));
    for (name, value) in tried {
        let mut bad = good.clone();
        bad[name] = value.clone();
        let token = sign(&app, "at+jwt", &bad);
        let seen = app.read_as(DOORS[0], &token).await.status.as_u16();
        assert_eq!(seen, 401, "{name}: {value}");
        let told = app.introspect(app.web(), &token).await;
        // Introspection asks for no audience of its own: the API's is in the token or not.
        if !["aud", "gid"].contains(&name) && name != "sub" {
            assert_eq!(told, json!({"active": false}), "{name}: {value}");
        }
    }
    for name in ["iss", "aud", "exp", "sub", "gid", "sid"] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(name);
        let token = sign(&app, "at+jwt", &bad);
        assert_eq!(app.read_as(DOORS[0], &token).await.status.as_u16(), 401, "without {name}");
    }
}

/// RFC 9068 §4: another kind of token is no access token, though the same key signed it.
#[tokio::test]
async fn another_type_of_token_is_no_access_token() {
    let app = TestApp::start().await;
    let good = claims(&app.sign_in(JUN).await.access);
    assert_eq!(statuses(&app, &sign(&app, "application/at+jwt", &good)).await, [200, 200, 200]);
    for typ in ["JWT", "jwt", "logout+jwt", "dpop+jwt", "at+jwt2", "secevent+jwt", ""] {
        assert_eq!(statuses(&app, &sign(&app, typ, &good)).await, [401, 401, 401], "{typ}");
    }
}

/// A key that nobody published signs nothing, whatever it calls itself.
#[tokio::test]
async fn a_strangers_key_opens_nothing_whatever_it_is_called() {
    let app = TestApp::start().await;
    let genuine = app.sign_in(JUN).await.access;
    let good = claims(&genuine);
    let header = munjigi_token::base64url::decode(genuine.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let kid = header["kid"].as_str().unwrap();
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let der = stranger.to_pkcs8().unwrap();
    for name in [stranger.kid(), kid, "", "../../etc/passwd", "' OR 1=1--", "http://evil.example"] {
        let Ok(key) = SigningKey::from_pkcs8(Algorithm::Es256, name, &der) else { continue };
        let token = key.sign("at+jwt", &good).unwrap();
        assert_eq!(statuses(&app, &token).await, [401, 401, 401], "{name}");
        assert_eq!(app.introspect(app.web(), &token).await, json!({"active": false}));
    }
    // Another server's own, with the same issuer.
    let other = TestApp::start().await;
    assert_eq!(statuses(&app, &other.sign_in(JUN).await.access).await, [401, 401, 401]);
}

/// JW-07: a destroyed key's tokens are dead with it.
#[tokio::test]
async fn a_destroyed_keys_tokens_are_refused() {
    let app = TestApp::start().await;
    let mut good = claims(&app.sign_in(MINJI).await.access);
    good["exp"] = json!(good["iat"].as_i64().unwrap() + 100_000);
    let token = sign(&app, "at+jwt", &good);
    assert_eq!(app.read_as(DOORS[0], &token).await.status.as_u16(), 200);
    app.advance(1);
    let event = app.app.system_event(munjigi_core::audit::Kind::KeyCreated).unwrap();
    app.app.rotate_key(Algorithm::Es256, Rotation::AtOnce, event).await.unwrap();
    assert_eq!(app.read_as(DOORS[0], &token).await.status.as_u16(), 200);

    app.advance(2 * 3_600);
    munjigi_server::jobs::run(&app.app).await.unwrap();

    assert_eq!(app.read_as(DOORS[0], &token).await.status.as_u16(), 401);
}

/// A genuine token says who it is, and nothing in it makes somebody more than they are today.
#[tokio::test]
async fn what_a_token_claims_about_roles_and_rights_is_not_believed() {
    let app = TestApp::start().await;
    let mut plain = claims(&app.sign_in(MINJI).await.access);
    plain["roles"] = json!(["admin"]);
    plain["permissions"] = json!(["*"]);
    plain["scope"] = json!("openid admin");
    let token = sign(&app, "at+jwt", &plain);
    assert_eq!(statuses(&app, &token).await, [200, 403, 200]);
    let jun = claims(&app.sign_in(JUN).await.access);
    for (name, value) in [("sub", &jun["sub"]), ("gid", &jun["gid"])] {
        let mut mixed = plain.clone();
        mixed[name] = value.clone();
        let token = sign(&app, "at+jwt", &mixed);
        let seen = statuses(&app, &token).await;
        assert_eq!(seen[..2], [401, 401], "a grant of somebody else's: {name}");
    }
}
