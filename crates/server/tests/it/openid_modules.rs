//! The modules of the OpenID Foundation's plans (Basic, Config, Form Post) that ask what becomes of
//! one parameter, one scope or one address, over HTTP: `docs/reference/conformance.md` leads here.

use std::collections::BTreeSet;

use http::Method;
use munjigi_core::account::profile_claims::Profile;
use munjigi_core::id::UserId;
use munjigi_core::oidc::claims::{scope_of, supported};
use munjigi_store::{Audit, Committed, StoreError, users};
use serde_json::{Value, json};

use crate::cast::subject;
use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};
use crate::visitor::{CALLBACK, VERIFIER, Visitor, code, request, start};

/// Says something else of the public demo client.
async fn register(app: &TestApp, client: Value) {
    let admin = app.admin().await;
    app.call(Method::PATCH, "/api/v1/admin/clients/spa", &admin, client).await.expect(200);
}

/// The tokens of somebody who has just signed in with a request.
async fn tokens_of(app: &TestApp, request: &str) -> Answer {
    let minji = Visitor::of(app);
    minji.redeem(&code(&minji, request).await).await.expect(200)
}

/// A request of the confidential demo client, which is let through by what was allowed before.
fn of_web(further: &[(&str, Option<&str>)]) -> String {
    let mut change = vec![("client_id", Some("web"))];
    change.extend(further);
    request(&change)
}

/// Redeems a code as the confidential demo client.
async fn redeem_as_web(visitor: &Visitor, code: &str) -> Answer {
    let form = web_form(code);
    visitor.app.form_as(visitor.app.web(), "/oauth2/token", &form).await
}

fn web_form(code: &str) -> [(&'static str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// `oidcc-display-page`, `oidcc-display-popup`, `oidcc-claims-locales`,
/// `oidcc-ensure-request-with-acr-values-succeeds`,
/// `oidcc-ensure-request-with-unknown-parameter-succeeds`.
#[tokio::test]
async fn hints_and_parameters_that_are_not_known_change_nothing() {
    let minji = start().await;
    for change in [
        ("display", "page"),
        ("display", "popup"),
        ("display", "touch"),
        ("display", "hologram"),
        ("claims_locales", "ko en"),
        ("ui_locales", "se ko"),
        ("acr_values", "1 2"),
        ("acr_values", "urn:munjigi:acr:mfa urn:munjigi:acr:pwd"),
        ("extra", "foobar"),
        ("client_secret_extra", "a=b&c=d"),
    ] {
        let answer = tokens_of(&minji.app, &request(&[(change.0, Some(change.1))])).await;
        let said = claims(&answer.text("/id_token"));
        assert_eq!(said["nonce"], json!("n-1"), "{change:?}");
        assert_eq!(said["acr"], json!("urn:munjigi:acr:pwd"), "what was done, not what was wished");
    }
}

/// `oidcc-login-hint`.
#[tokio::test]
async fn a_login_hint_is_typed_in_already() {
    let minji = start().await;
    let answer = minji.open(&request(&[("login_hint", Some(MINJI.0))])).await;
    let page = minji.follow(answer).await.expect(200).page();
    assert!(page.contains(&format!(r#"value="{}""#, MINJI.0)), "{page}");
    // WB-02 of the attack kit: as text.
    let hostile = r#""><script>alert(1)</script>"#;
    let answer = minji.open(&request(&[("login_hint", Some(hostile))])).await;
    let page = minji.follow(answer).await.expect(200).page();
    assert!(!page.contains("<script>alert"), "{page}");
}

/// `oidcc-ui-locales`.
#[tokio::test]
async fn pages_speak_the_first_language_that_they_know_of_those_asked_for() {
    let minji = start().await;
    for (locales, lang) in [("ko", "ko"), ("fr-CA ko-KR en", "ko"), ("en ko", "en"), ("se", "en")] {
        let visitor = Visitor::of(&minji.app);
        let answer = visitor.open(&request(&[("ui_locales", Some(locales))])).await;
        let page = visitor.follow(answer).await.expect(200).page();
        assert!(page.contains(&format!(r#"<html lang="{lang}""#)), "{locales}: {page}");
    }
}

/// `oidcc-ensure-request-without-nonce-succeeds-for-code-flow`; FAPI 2.0's
/// `ensure-authorization-request-without-state-success`, `-without-nonce-success`,
/// `-with-64-char-nonce-success`, `-with-long-nonce`, `-with-long-state`.
#[tokio::test]
async fn a_nonce_and_a_state_come_back_as_they_went_or_not_at_all() {
    let minji = start().await;
    let (middle, long) = ("n".repeat(64), "s".repeat(384));
    for value in [None, Some("n"), Some(&*middle), Some(&*long), Some("a b&c=\"d\"")] {
        let visitor = Visitor::of(&minji.app);
        let answer = visitor.open(&request(&[("nonce", value), ("state", value)])).await;
        let answer = visitor.sign_in(answer, MINJI).await;
        let answer = visitor.follow_to_client(answer, "allow").await;
        assert_eq!(answer.brings("state").as_deref(), value);
        assert_eq!(answer.brings("iss").as_deref(), Some(ISSUER));
        let tokens = visitor.redeem(&answer.brings("code").unwrap()).await.expect(200);
        let said = claims(&tokens.text("/id_token"));
        assert_eq!(said.get("nonce").and_then(Value::as_str), value);
    }
}

/// Lets a person say everything about themselves that can be said.
async fn tell_all(app: &TestApp, who: &str) {
    let (id, now) = (who.parse::<UserId>().unwrap(), app.app.clock.now());
    let all = json!({
        "given_name": "민지", "family_name": "김", "middle_name": "M", "nickname": "mj",
        "picture": "https://pictures.example/mj.png", "website": "https://mj.example/",
        "gender": "female", "birthdate": "1990-01-31", "zoneinfo": "Asia/Seoul",
        "phone_number": "+82 10-1234-5678",
        "address": {"formatted": "서울 종로구\n세종대로 1", "country": "KR", "postal_code": "03000"},
    });
    let profile = Profile::parse(all.as_object().unwrap()).unwrap();
    let written = app.app.store.write(move |tx| {
        let mut user = users::find(tx, &id)?.unwrap();
        user.profile = profile.clone();
        user.locale = Some("ko".to_owned());
        user.updated_at = now;
        users::update_profile(tx, &user)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test tells of somebody")))
    });
    written.await.unwrap();
}

/// `oidcc-scope-profile`, `oidcc-scope-email`, `oidcc-scope-address`, `oidcc-scope-phone`,
/// `oidcc-scope-all`: each brings its own claims and no others, to UserInfo by GET and by POST.
#[tokio::test]
async fn a_scope_brings_its_claims_and_no_others() {
    let minji = start().await;
    let app = &minji.app;
    let all = ["profile", "email", "address", "phone"];
    register(app, json!({"scope": "openid profile email address phone offline_access"})).await;
    tell_all(app, &subject(&app.sign_in(MINJI).await.access)).await;
    let each = all.iter().map(|scope| vec![*scope]);
    for scopes in each.chain([all.to_vec(), vec![]]) {
        let asked = format!("openid {}", scopes.join(" "));
        let answer = tokens_of(app, &request(&[("scope", Some(asked.trim()))])).await;
        let token = answer.text("/access_token");

        let told = app.read_as("/oauth2/userinfo", &token).await.expect(200).json();

        let carried = |claim: &&str| scope_of(claim).is_some_and(|scope| scopes.contains(&scope));
        // There is no page about a person here.
        let expected = supported().filter(carried).filter(|claim| *claim != "profile");
        let expected: BTreeSet<&str> = expected.chain(["sub"]).collect();
        let names: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, expected, "{asked}");
        assert_eq!(told["sub"], claims(&answer.text("/id_token"))["sub"]);
        let posted = app.act_as(Method::POST, "/oauth2/userinfo", &token).await.expect(200);
        assert_eq!(posted.json(), told);
        if scopes.contains(&"address") {
            assert_eq!(told["address"]["country"], json!("KR"));
        }
        if scopes.contains(&"phone") {
            assert_eq!(told["phone_number"], json!("+821012345678"));
            assert_eq!(told["phone_number_verified"], json!(false));
        }
    }
}

/// `oidcc-alternate-happy-flow`, FAPI 2.0's `ensure-other-scope-order-succeeds`.
#[tokio::test]
async fn neither_the_order_of_scopes_nor_that_of_parameters_matters() {
    let minji = start().await;
    let request = request(&[("scope", Some("email profile openid"))]);
    let (path, query) = request.split_once('?').unwrap();
    let pairs: Vec<&str> = query.split('&').rev().collect();

    let answer = tokens_of(&minji.app, &format!("{path}?{}", pairs.join("&"))).await;

    assert_eq!(answer.text("/scope"), "email openid profile");
    assert!(answer.json()["id_token"].is_string());
}

/// `oidcc-prompt-none-logged-in`, `oidcc-max-age-10000`, `oidcc-id-token-hint`: nobody sees a page,
/// and it is still the same sign-in.
#[tokio::test]
async fn who_is_signed_in_is_let_through_without_a_page() {
    let minji = start().await;
    let first = code(&minji, &of_web(&[])).await;
    let first = redeem_as_web(&minji, &first).await.expect(200).text("/id_token");
    minji.app.advance(2);
    for further in [
        vec![("prompt", Some("none"))],
        vec![("max_age", Some("10000"))],
        vec![("prompt", Some("none")), ("max_age", Some("10000"))],
        vec![("prompt", Some("none")), ("id_token_hint", Some(&*first))],
    ] {
        let answer = minji.open(&of_web(&further)).await;
        let code = answer.brings("code").unwrap_or_else(|| panic!("{further:?}"));
        let again = redeem_as_web(&minji, &code).await.expect(200).text("/id_token");
        let (first, again) = (claims(&first), claims(&again));
        for claim in ["sub", "sid", "auth_time"] {
            assert!(!first[claim].is_null() && again[claim] == first[claim], "{further:?} {claim}");
        }
    }
}

/// `oidcc-prompt-none-not-logged-in`, `oidcc-id-token-hint`: somebody else is nobody, and no page
/// may say so.
#[tokio::test]
async fn without_whom_is_asked_for_the_client_is_told_so_and_no_page_comes() {
    let jun = start().await;
    let answer = jun.open(&of_web(&[])).await;
    let answer = jun.sign_in(answer, JUN).await;
    let answer = jun.follow_to_client(answer, "allow").await;
    let hint = redeem_as_web(&jun, &answer.brings("code").unwrap()).await.expect(200);
    let hint = hint.text("/id_token");

    let stranger = Visitor::of(&jun.app);
    let minji = Visitor::of(&jun.app);
    code(&minji, &of_web(&[])).await;
    minji.app.advance(2);
    for (visitor, further) in [
        (&stranger, vec![("prompt", Some("none"))]),
        (&stranger, vec![("prompt", Some("none")), ("id_token_hint", Some(&*hint))]),
        (&minji, vec![("prompt", Some("none")), ("id_token_hint", Some(&*hint))]),
        (&minji, vec![("prompt", Some("none")), ("max_age", Some("1"))]),
        (&minji, vec![("prompt", Some("none")), ("max_age", Some("0"))]),
    ] {
        let answer = visitor.open(&of_web(&further)).await;
        assert_eq!(answer.brings("error").as_deref(), Some("login_required"), "{further:?}");
        assert_eq!(answer.brings("state").as_deref(), Some("s-1"));
        assert!(answer.brings("code").is_none());
    }
    // With a page, the one who is meant may come.
    let answer = minji.open(&of_web(&[("id_token_hint", Some(&*hint))])).await;
    assert!(answer.location().unwrap().starts_with("/login"));
    let answer = minji.sign_in(answer, JUN).await;
    assert!(minji.follow_to_client(answer, "allow").await.brings("code").is_some());
}

/// `oidcc-max-age-1`, `oidcc-prompt-login`: the ID token says when they proved it, and that it was
/// then.
#[tokio::test]
async fn auth_time_says_when_the_password_was_typed_last() {
    let minji = start().await;
    let first = code(&minji, &of_web(&[])).await;
    let first = claims(&redeem_as_web(&minji, &first).await.expect(200).text("/id_token"));
    for (step, change) in [(1, ("max_age", Some("1"))), (2, ("prompt", Some("login")))] {
        minji.app.advance(5);
        let answer = minji.open(&of_web(&[change])).await;
        assert!(answer.location().unwrap().starts_with("/login/again"), "{change:?}");
        let answer = minji.sign_in(answer, MINJI).await;
        let answer = minji.follow_to_client(answer, "allow").await;
        let again = redeem_as_web(&minji, &answer.brings("code").unwrap()).await.expect(200);
        let again = claims(&again.text("/id_token"));
        assert_eq!(again["sub"], first["sub"]);
        let since = again["auth_time"].as_i64().unwrap() - first["auth_time"].as_i64().unwrap();
        assert_eq!(since, 5 * step, "{change:?}");
        assert_eq!(again["auth_time"], again["iat"]);
    }
}

/// `oidcc-server-client-secret-post`, and `oidcc-server` with the secret in the header.
#[tokio::test]
async fn a_confidential_client_redeems_with_its_secret_in_the_header_or_in_the_form() {
    let minji = start().await;
    let first = code(&minji, &of_web(&[])).await;
    redeem_as_web(&minji, &first).await.expect(200);
    let (id, secret) = minji.app.web();
    for (secret, status) in [(secret, 200), ("mj_cs_wrong", 401), ("", 401)] {
        let code = minji.open(&of_web(&[("prompt", Some("none"))])).await.brings("code").unwrap();
        let mut form = web_form(&code).to_vec();
        form.extend([("client_id", id), ("client_secret", secret)]);
        let answer = minji.app.form("/oauth2/token", &form).await.expect(status);
        assert_eq!(answer.json()["id_token"].is_string(), status == 200);
        assert_eq!(answer.json()["error"] == "invalid_client", status == 401);
    }
}

/// `oidcc-ensure-request-with-valid-pkce-succeeds`, and every other module of the Basic plan, which
/// sends none; PK-01 of the attack kit.
#[tokio::test]
async fn a_client_that_was_let_off_may_leave_the_challenge_out_and_may_not_drop_it() {
    let minji = start().await;
    let without = [("code_challenge", None), ("code_challenge_method", None)];
    let refused = minji.open(&of_web(&without)).await;
    assert_eq!(refused.brings("error").as_deref(), Some("invalid_request"), "required by default");
    let admin = minji.app.admin().await;
    let path = "/api/v1/admin/clients/web";
    let optional = json!({"pkce": "optional"});
    minji.app.call(Method::PATCH, path, &admin, optional.clone()).await.expect(200);

    let bare = code(&minji, &of_web(&without)).await;
    let form = web_form(&bare);
    let (web, no_verifier) = (minji.app.web(), &form[..3]);
    minji.app.form_as(web, "/oauth2/token", no_verifier).await.expect(200);

    let quiet = ("prompt", Some("none"));
    let next = async |change: &[(&str, Option<&str>)]| {
        let further: Vec<_> = change.iter().copied().chain([quiet]).collect();
        minji.open(&of_web(&further)).await.brings("code").unwrap()
    };
    redeem_as_web(&minji, &next(&[]).await).await.expect(200);
    // RFC 9700 §4.8.2: who sent a challenge sends the verifier, and who sent none, none.
    let (code, form) = (next(&[]).await, |code| web_form(code));
    let downgraded = minji.app.form_as(web, "/oauth2/token", &form(&code)[..3]).await.expect(400);
    assert_eq!(downgraded.text("/error"), "invalid_grant");
    let unasked = redeem_as_web(&minji, &next(&without).await).await.expect(400);
    assert_eq!(unasked.text("/error"), "invalid_grant");
    // A public client is never let off.
    let path = "/api/v1/admin/clients/spa";
    let refused = minji.app.call(Method::PATCH, path, &admin, optional).await;
    assert!(refused.status.is_client_error(), "{}", refused.shown());
}

/// `oidcc-codereuse`, `oidcc-codereuse-30seconds`: the second use is refused, at once and half a
/// minute later, and what the first one brought is over.
#[tokio::test]
async fn a_second_use_of_a_code_is_noticed_at_once_and_half_a_minute_later() {
    let minji = start().await;
    for seconds in [0, 30] {
        let visitor = Visitor::of(&minji.app);
        let code = code(&visitor, &request(&[])).await;
        let tokens = visitor.redeem(&code).await.tokens();
        visitor.app.advance(seconds);
        let refused = visitor.redeem(&code).await.expect(400);
        assert_eq!(refused.text("/error"), "invalid_grant", "{seconds}");
        visitor.app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
    }
}

/// `oidcc-redirect-uri-query-OK`, `oidcc-redirect-uri-query-mismatch`,
/// `oidcc-redirect-uri-query-added`, `oidcc-redirect-uri-regfrag`; RU-01 of the attack kit.
#[tokio::test]
async fn a_redirect_uri_with_a_query_is_matched_to_the_last_sign() {
    let minji = start().await;
    let registered = format!("{CALLBACK}?foo=bar");
    register(&minji.app, json!({ "redirect_uris": [registered] })).await;
    let answer = minji.open(&request(&[("redirect_uri", Some(&registered))])).await;
    let answer = minji.sign_in(answer, MINJI).await;
    let answer = minji.follow_to_client(answer, "allow").await;
    assert_eq!(answer.brings("foo").as_deref(), Some("bar"), "RFC 6749 §3.1.2: it is kept");
    let code = answer.brings("code").unwrap();
    minji.redeem_with(&code, &[("redirect_uri", Some(&registered))]).await.expect(200);

    for other in [
        "?foo=bar&more=1",
        "?foo=baz",
        "?more=1&foo=bar",
        "?foo=bar&foo=bar",
        "?FOO=bar",
        "?foo=bar#x",
        "?foo=ba%72",
        "",
        "/?foo=bar",
        "?foo=bar%00",
    ] {
        let other = format!("{CALLBACK}{other}");
        let answer = minji.open(&request(&[("redirect_uri", Some(&other))])).await;
        assert_eq!(answer.status, 400, "{other}");
        assert!(answer.header("location").is_none(), "{other}");
    }
    let admin = minji.app.admin().await;
    let fragment = json!({"redirect_uris": [format!("{CALLBACK}#fragment")]});
    let path = "/api/v1/admin/clients/spa";
    let refused = minji.app.call(Method::PATCH, path, &admin, fragment).await;
    assert!(refused.status.is_client_error(), "{}", refused.shown());
}

/// The hidden fields of a page that posts itself to the client.
fn posted(answer: &Answer) -> Vec<(String, String)> {
    let page = answer.page();
    let hidden = page.split(r#"<input type="hidden" name=""#).skip(1).map(|rest| {
        let (name, rest) = rest.split_once(r#"" value=""#).unwrap();
        let value = rest.split('"').next().unwrap();
        (name.to_owned(), value.replace("&#38;", "&").replace("&amp;", "&"))
    });
    hidden.collect()
}

/// The Basic plan with `response_mode=form_post` (OAuth 2.0 Form Post Response Mode §2): codes and
/// errors alike are posted, with `state` and `iss`, and stand in no address.
#[tokio::test]
async fn form_post_brings_codes_and_errors_in_a_form_and_never_in_an_address() {
    let minji = start().await;
    let form_post = ("response_mode", Some("form_post"));
    let find = |fields: &[(String, String)], name: &str| {
        fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    };
    let check = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", answer.shown());
        assert!(answer.header("location").is_none());
        assert!(answer.page().contains(&format!(r#"<form method="post" action="{CALLBACK}""#)));
        let fields = posted(answer);
        assert_eq!(find(&fields, "state").as_deref(), Some("s-1"), "{fields:?}");
        assert_eq!(find(&fields, "iss").as_deref(), Some(ISSUER), "{fields:?}");
        fields
    };

    for (change, error) in [
        (("prompt", Some("none")), "login_required"),
        (("scope", Some("openid root")), "invalid_scope"),
        (("response_type", Some("token")), "unsupported_response_type"),
        (("response_type", None), "invalid_request"),
        (("code_challenge", None), "invalid_request"),
        (("request", Some("e30.e30.")), "request_not_supported"),
        (("request_uri", Some("https://evil.example/r")), "request_uri_not_supported"),
        (("max_age", Some("x")), "invalid_request"),
    ] {
        let fields = check(&minji.open(&request(&[form_post, change])).await);
        assert_eq!(find(&fields, "error").as_deref(), Some(error), "{change:?}");
        assert!(find(&fields, "code").is_none());
    }

    for (action, brings) in [("deny", "error"), ("allow", "code")] {
        let visitor = Visitor::of(&minji.app);
        let answer = visitor.open(&request(&[form_post])).await;
        let answer = visitor.sign_in(answer, MINJI).await;
        let consent = visitor.open(&answer.location().unwrap()).await.location().unwrap();
        visitor.open(&consent).await.expect(200);
        let answer = visitor.send(&consent, &[("action", action)]).await;
        let fields = check(&visitor.follow(answer).await);
        let value = find(&fields, brings).unwrap();
        match action {
            "deny" => assert_eq!(value, "access_denied"),
            _ => drop(visitor.redeem(&value).await.expect(200)),
        }
    }
    // Where it goes is checked before: a wrong address gets nothing, in whatever way.
    let evil = ("redirect_uri", Some("https://evil.example/cb"));
    let answer = minji.open(&request(&[form_post, evil])).await.expect(400);
    assert!(!answer.page().contains("evil.example/cb\""));
}

/// `oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported`,
/// `oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported`,
/// `oidcc-ensure-request-object-with-redirect-uri`: refused, as the metadata says, and what stands
/// in it counts for nothing.
#[tokio::test]
async fn request_objects_are_refused_as_the_metadata_says_and_read_by_nobody() {
    let minji = start().await;
    let document = minji.app.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["request_parameter_supported"], json!(false));
    assert_eq!(document["request_uri_parameter_supported"], json!(false));
    let part = |value: Value| munjigi_token::base64url::encode(value.to_string());
    let inside = json!({"redirect_uri": "https://evil.example/cb", "state": "inside"});
    let object = format!("{}.{}.", part(json!({"alg": "none"})), part(inside));
    for (name, value, error) in [
        ("request", &*object, "request_not_supported"),
        ("request_uri", "https://rp.example/request.jwt", "request_uri_not_supported"),
    ] {
        let answer = minji.open(&request(&[(name, Some(value))])).await;
        assert!(answer.location().unwrap().starts_with(CALLBACK), "{name}");
        assert_eq!(answer.brings("error").as_deref(), Some(error));
        assert_eq!(answer.brings("state").as_deref(), Some("s-1"));
    }
}

/// `oidcc-discovery-endpoint-verification` (Config): what the module looks at, one by one.
#[tokio::test]
async fn the_discovery_document_holds_what_the_config_plan_looks_at() {
    let app = start().await.app;
    let answer = app.get("/.well-known/openid-configuration").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert_eq!(document["issuer"], ISSUER);
    let list = |name: &str| -> BTreeSet<String> {
        let list = document[name].as_array().unwrap_or_else(|| panic!("{name} is no list"));
        let texts: BTreeSet<_> = list.iter().map(|it| it.as_str().unwrap().to_owned()).collect();
        assert_eq!(texts.len(), list.len(), "{name} says something twice");
        texts
    };
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
    ] {
        let url = document[name].as_str().unwrap();
        assert!(
            url.strip_prefix(ISSUER).is_some_and(|path| path.starts_with('/')),
            "{name}: {url}"
        );
    }
    assert_eq!(list("response_types_supported"), BTreeSet::from(["code".to_owned()]));
    assert_eq!(list("subject_types_supported"), BTreeSet::from(["public".to_owned()]));
    assert!(list("id_token_signing_alg_values_supported").contains("RS256"));
    assert!(!list("id_token_signing_alg_values_supported").contains("none"));
    assert!(list("scopes_supported").contains("openid"));
    assert!(list("code_challenge_methods_supported").contains("S256"));
    assert!(list("claims_supported").contains("sub"));
    assert!(list("ui_locales_supported").iter().all(|tag| ["en", "ko"].contains(&&**tag)));
    for name in ["claims_parameter_supported", "request_parameter_supported"] {
        assert!(document[name].is_boolean(), "{name}");
    }
    let keys = app.get("/.well-known/jwks.json").await.expect(200).json();
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    for key in keys["keys"].as_array().unwrap() {
        assert_eq!(key["use"], "sig");
        assert!(private.iter().all(|name| key.get(name).is_none()), "{key}");
    }
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["alg"] == "RS256"));
}
