//! Introspection (RFC 7662), revocation (RFC 7009) and userinfo (OpenID Connect Core §5.3): who is
//! told what, and what is dead after which answer.

use http::Method;
use munjigi_store::each_backend;
use serde_json::{Value, json};

use crate::cast::{PASSWORD, subject};
use crate::harness::{JUN, MINJI, TestApp, Tokens, claims};

const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";
const USERINFO: &str = "/oauth2/userinfo";
const ME: &str = "/api/v1/users/me";

fn inactive() -> Value {
    json!({"active": false})
}

/// Fails unless an access token is refused everywhere, at once.
async fn assert_dead(app: &TestApp, token: &str) {
    app.read_as(ME, token).await.expect(401);
    app.read_as(USERINFO, token).await.expect(401);
    assert_eq!(app.introspect(app.web(), token).await, inactive());
}

/// A confidential client that signs people in, and one of minji's grants to it.
async fn at_a_desk(app: &TestApp) -> (String, Tokens) {
    let secret = app.make_desk(&app.admin().await, "desk").await;
    let tokens = app.sign_in_at(("desk", &secret), MINJI).await;
    (secret, tokens)
}

each_backend! {
    /// RFC 7662 §2.2: the API that the token is for is told what it stands for.
    async fn the_api_that_a_token_is_for_is_told_what_it_stands_for(database) {
        let app = TestApp::start_with(&database).await;
        let tokens = app.sign_in(MINJI).await;

        let told = app.introspect(app.web(), &tokens.access).await;

        let said = claims(&tokens.access);
        for name in ["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "sid", "roles"]
        {
            assert_eq!(told[name], said[name], "{name}");
        }
        assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
        let own = app.own_token(app.web(), None).await.text("/access_token");
        let told = app.introspect(app.web(), &own).await;
        assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!("web")));
        app.advance(600 + 2);
        assert_eq!(app.introspect(app.web(), &tokens.access).await, inactive(), "expired");
        assert_eq!(app.introspect(app.web(), &own).await, inactive(), "expired");
    }

    /// JW-12, CVE-2026-37979: everybody else learns nothing, whatever the reason.
    async fn others_learn_only_that_a_token_is_not_active(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let other = app.make_client(&admin, "other", "events:read").await;
        let tokens = app.sign_in(MINJI).await;
        let for_us =
            [("username", "minji"), ("password", MINJI.1), ("resource", "urn:munjigi:self")];
        let for_us = app.form("/oauth2/token", &for_us).await.tokens();
        let long = "x".repeat(20_000);
        for (client, token) in [
            (("other", other.as_str()), tokens.access.as_str()),
            (("other", other.as_str()), tokens.refresh.as_str()),
            (app.web(), tokens.refresh.as_str()),
            (app.web(), for_us.access.as_str()),
            (app.web(), "garbage"),
            (app.web(), "mj_rt_garbage"),
            (app.web(), "a.b.c"),
            (app.web(), &format!("{}x", tokens.access)),
            (app.web(), &long),
        ] {
            let answer = app.form_as(client, INTROSPECT, &[("token", token)]).await.expect(200);
            assert_eq!(answer.shown(), r#"200 {"active":false}"#);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }

    /// A refresh token is its own client's to ask about, and only the present one is active.
    async fn a_refresh_token_is_active_for_its_own_client_until_it_is_rotated(database) {
        let app = TestApp::start_with(&database).await;
        let (secret, tokens) = at_a_desk(&app).await;
        let desk = ("desk", secret.as_str());
        let told = app.introspect(desk, &tokens.refresh).await;
        assert_eq!((&told["active"], &told["sub"]), (&json!(true), &claims(&tokens.access)["sub"]));
        assert_eq!(told["token_type"], "refresh_token");
        assert_eq!(app.introspect(app.web(), &tokens.refresh).await, inactive());

        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        let next = app.form_as(desk, "/oauth2/token", &refresh).await.tokens();

        assert_eq!(app.introspect(desk, &tokens.refresh).await, inactive());
        assert_eq!(app.introspect(desk, &next.refresh).await["active"], true);
        app.form_as(desk, REVOKE, &[("token", &next.refresh)]).await.expect(200);
        assert_eq!(app.introspect(desk, &next.refresh).await, inactive());
    }

    /// RFC 7009 §2: a revoked refresh token takes the access tokens of its grant along, at once.
    async fn revoking_a_refresh_token_ends_its_grant_at_once(database) {
        let app = TestApp::start_with(&database).await;
        let first = app.sign_in(MINJI).await;
        let bystander = app.sign_in(MINJI).await;
        let second = app.refresh(&first.refresh).await.tokens();

        let done = app.form(REVOKE, &[("token", &second.refresh)]).await.expect(200);

        assert!(done.bytes.is_empty());
        for token in [&first.access, &second.access] {
            assert_dead(&app, token).await;
        }
        app.refresh(&second.refresh).await.expect(400);
        app.read_as(ME, &bystander.access).await.expect(200);
        app.refresh(&bystander.refresh).await.expect(200);
        // RFC 7009 §2.2: again, and for what never was one, the answer is the same.
        for token in [second.refresh.as_str(), "mj_rt_garbage", "garbage", "a.b.c"] {
            app.form(REVOKE, &[("token", token)]).await.expect(200);
        }
        let kinds = app.trail(&subject(&first.access)).await;
        assert_eq!(kinds.iter().filter(|it| *it == "grant_revoked").count(), 1);
    }

    /// RFC 7009 §2.1: revoking an access token ends the grant behind it too.
    async fn revoking_an_access_token_ends_its_grant_at_once(database) {
        let app = TestApp::start_with(&database).await;
        let tokens = app.sign_in(MINJI).await;
        let form = [("token", tokens.access.as_str()), ("token_type_hint", "refresh_token")];
        app.form(REVOKE, &form).await.expect(200);
        assert_dead(&app, &tokens.access).await;
        app.refresh(&tokens.refresh).await.expect(400);

        let own = app.own_token(app.web(), None).await.text("/access_token");
        let other = app.own_token(app.web(), None).await.text("/access_token");
        app.form_as(app.web(), REVOKE, &[("token", &own)]).await.expect(200);
        assert_eq!(app.introspect(app.web(), &own).await, inactive());
        assert_eq!(app.introspect(app.web(), &other).await["active"], true);
    }

    /// RFC 7009 §2.1: a token of another client is none of this one's business.
    async fn another_clients_token_is_not_revoked(database) {
        let app = TestApp::start_with(&database).await;
        let (secret, tokens) = at_a_desk(&app).await;
        for token in [&tokens.access, &tokens.refresh] {
            app.form(REVOKE, &[("token", token)]).await.expect(200);
            app.form_as(app.web(), REVOKE, &[("token", token)]).await.expect(200);
        }
        app.form_as(("desk", "wrong"), REVOKE, &[("token", &tokens.access)]).await.expect(401);

        app.read_as(ME, &tokens.access).await.expect(200);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        app.form_as(("desk", &secret), "/oauth2/token", &refresh).await.expect(200);
    }

    /// RT-05, KC#51312: however a revocation falls among refreshes, nothing of the grant is alive
    /// once it was answered, and none of what was still under way comes to life later.
    async fn nothing_of_a_grant_is_alive_after_its_revocation_among_refreshes(database) {
        let app = TestApp::start_with(&database).await;
        for round in 0..50 {
            let first = app.sign_in(MINJI).await;
            let mut under_way = Vec::new();
            for _ in 0..3 {
                let (app, token) = (app.clone(), first.refresh.clone());
                under_way.push(tokio::spawn(async move { app.refresh(&token).await }));
            }
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            let token = if round % 2 == 0 { &first.refresh } else { &first.access };
            app.form(REVOKE, &[("token", token)]).await.expect(200);
            assert_dead(&app, &first.access).await;

            for answer in under_way {
                let answer = answer.await.unwrap();
                if answer.status == 200 {
                    let tokens = answer.tokens();
                    assert_dead(&app, &tokens.access).await;
                    app.refresh(&tokens.refresh).await.expect(400);
                } else {
                    assert_eq!(answer.expect(400).text("/error"), "invalid_grant");
                }
            }
            app.refresh(&first.refresh).await.expect(400);
        }
    }

    /// A token that was given a later `iat`, because its owner's tokens ended in this very second,
    /// dies all the same when its grant or its owner is ended in that second too.
    async fn two_endings_within_one_second_both_count(database) {
        let app = TestApp::start_with(&database).await;
        let (person, admin) = (app.sign_in(MINJI).await, app.admin().await);
        let user = format!("/api/v1/admin/users/{}", subject(&person.access));
        let roles = |names: Value| json!({"roles": names});
        let put = format!("{user}/roles");
        app.call(Method::PUT, &put, &admin, roles(json!(["user", "manager"]))).await.expect(200);
        app.call(Method::PUT, &put, &admin, roles(json!(["user"]))).await.expect(200);
        assert_dead(&app, &person.access).await;

        let second = app.refresh(&person.refresh).await.tokens();
        app.read_as(USERINFO, &second.access).await.expect(200);
        app.form(REVOKE, &[("token", &second.refresh)]).await.expect(200);
        assert_dead(&app, &second.access).await;

        let third = app.sign_in(MINJI).await;
        app.act_as(Method::POST, "/api/v1/users/signout", &third.access).await.expect(204);
        assert_dead(&app, &third.access).await;

        let fourth = app.sign_in(MINJI).await;
        app.act_as(Method::POST, &format!("{user}/disable"), &admin).await.expect(204);
        assert_dead(&app, &fourth.access).await;
        app.act_as(Method::POST, &format!("{user}/enable"), &admin).await.expect(204);
        app.advance(2);
        let fifth = app.sign_in(MINJI).await;
        assert_dead(&app, &fourth.access).await;
        app.read_as(USERINFO, &fifth.access).await.expect(200);
    }

    /// What one node ended, another one that was started on the same database knows.
    async fn a_revocation_reaches_every_node(database) {
        let app = TestApp::start_with(&database).await;
        let other = TestApp::start_with(&database).await;
        let tokens = app.sign_in(MINJI).await;
        other.read_as(USERINFO, &tokens.access).await.expect(200);

        app.form(REVOKE, &[("token", &tokens.refresh)]).await.expect(200);

        // Those that look into the database know at once, the others by their next look.
        other.read_as(ME, &tokens.access).await.expect(401);
        other.refresh(&tokens.refresh).await.expect(400);
        other.app.catch_up().await.unwrap();
        assert_dead(&other, &tokens.access).await;
        let late = TestApp::start_with(&database).await;
        assert_dead(&late, &tokens.access).await;
    }
}

/// RFC 7662 §2.1: the endpoint has to know who asks.
#[tokio::test]
async fn introspection_is_for_clients_that_prove_themselves() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    let token = ("token", tokens.access.as_str());
    let public = app.form(INTROSPECT, &[token, ("client_id", "spa")]).await;
    assert_eq!(public.expect(400).text("/error"), "unauthorized_client");
    let nobody = app.form(INTROSPECT, &[token]).await;
    assert_eq!(nobody.expect(400).text("/error"), "unauthorized_client");
    app.form_as(("web", "wrong"), INTROSPECT, &[token]).await.expect(401);
    let missing = app.form_as(app.web(), INTROSPECT, &[]).await.expect(400);
    assert_eq!(missing.text("/error"), "invalid_request");
    assert_eq!(missing.text("/error_description"), "token is missing");
    let missing = app.form(REVOKE, &[("client_id", "spa")]).await.expect(400);
    assert_eq!(missing.text("/error"), "invalid_request");
}

/// OpenID Connect Core §5.4: claims by scope; nothing without `openid`.
#[tokio::test]
async fn userinfo_tells_what_the_scope_allows() {
    let app = TestApp::start().await;
    let sign_in = |scope: &'static str| {
        let app = app.clone();
        async move {
            let form = [("username", JUN.0), ("password", JUN.1), ("scope", scope)];
            app.form("/oauth2/token", &form).await.tokens().access
        }
    };
    let sub = subject(&sign_in("openid").await);
    for (scope, expected) in [
        ("openid", json!({"sub": sub})),
        ("openid email", json!({"sub": sub, "email": JUN.0, "email_verified": true})),
        ("openid roles", json!({"sub": sub, "roles": ["admin", "user"]})),
        (
            "openid profile",
            json!({
                "sub": sub,
                "name": "이준",
                "preferred_username": "jun",
                "updated_at": 1_767_225_600,
            }),
        ),
    ] {
        let token = sign_in(scope).await;
        assert_eq!(app.read_as(USERINFO, &token).await.expect(200).json(), expected);
        assert_eq!(app.act_as(Method::POST, USERINFO, &token).await.expect(200).json(), expected);
    }
    app.read_as(USERINFO, &sign_in("email profile").await).await.expect(403);
    let own = app.own_token(app.web(), None).await.text("/access_token");
    app.read_as(USERINFO, &own).await.expect(401);
    assert_eq!(app.get(USERINFO).await.expect(401).header("www-authenticate"), Some("Bearer"));
}

/// JW-12: a disabled or deleted person is not told about, nor introspected as active.
#[tokio::test]
async fn a_disabled_or_deleted_persons_token_stands_for_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let disabled = app.make_and_sign_in(&admin, "disabled", &["user"]).await.access;
    let deleted = app.make_and_sign_in(&admin, "deleted", &["user"]).await.access;
    let path = |of: &str| format!("/api/v1/admin/users/{}", subject(of));
    assert_eq!(app.introspect(app.web(), &disabled).await["active"], true);
    app.act_as(Method::POST, &format!("{}/disable", path(&disabled)), &admin).await.expect(204);
    app.act_as(Method::DELETE, &path(&deleted), &admin).await.expect(204);
    for token in [&disabled, &deleted] {
        assert_dead(&app, token).await;
    }
    app.act_as(Method::POST, &format!("{}/enable", path(&disabled)), &admin).await.expect(204);
    assert_dead(&app, &disabled).await;
    app.advance(1);
    let again = app.sign_in(("disabled@cast.example", PASSWORD)).await;
    app.read_as(USERINFO, &again.access).await.expect(200);
}
