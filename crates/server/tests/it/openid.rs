//! OpenID Connect over HTTP: what ID tokens and UserInfo say, in which words, signed how, and what
//! becomes of each parameter of an authentication request.

use munjigi_store::each_backend;
use munjigi_token::{Algorithm, Unverified};
use serde_json::json;

use crate::harness::{Answer, MINJI, TestApp, claims};
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
