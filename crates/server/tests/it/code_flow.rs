//! The authorization code flow (RFC 6749 §4.1, OpenID Connect Core §3.1) through the pages, as a
//! person with a browser goes through it.

use munjigi_store::each_backend;
use munjigi_token::{Typ, Unverified};
use serde_json::json;

use crate::harness::{ISSUER, JUN, MINJI, TestApp, claims};
use crate::visitor::{Visitor, code, request, start};

/// `oidcc-server`.
#[tokio::test]
async fn a_person_signs_in_consents_and_the_client_learns_who_they_are() {
    let minji = start().await;
    let answer = minji.open(&request(&[])).await;
    let answer = minji.sign_in(answer, MINJI).await;
    let answer = minji.follow_to_client(answer, "allow").await;

    assert!(answer.location().unwrap().starts_with("http://localhost:3000/callback?code=mj_ac_"));
    assert_eq!(answer.brings("state").as_deref(), Some("s-1"));
    assert_eq!(answer.brings("iss").as_deref(), Some(ISSUER), "RFC 9207");
    let answer = minji.redeem(&answer.brings("code").unwrap()).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let access_token = answer.text("/access_token");
    let id_token = answer.text("/id_token");
    let keys = minji.app.app.snapshot().keys.published().clone();
    let verified = Unverified::parse(&id_token).unwrap().verify(&keys).unwrap();
    assert_eq!(verified.header().alg.as_str(), "RS256");
    let said = claims(&id_token);
    let user = claims(&access_token);
    assert_eq!(said["iss"], json!(ISSUER));
    assert_eq!(said["aud"], json!("spa"));
    assert_eq!(said["sub"], user["sub"]);
    assert_eq!(said["nonce"], json!("n-1"));
    assert_eq!(said["sid"], user["sid"]);
    assert_eq!(said["amr"], json!(["pwd"]));
    assert_eq!(said["acr"], json!("urn:munjigi:acr:pwd"));
    assert!(said["at_hash"].is_string() && said["auth_time"].is_i64());
    assert!(said.get("email").is_none(), "claims of scopes are told by UserInfo");
    let told = minji.app.read_as("/oauth2/userinfo", &access_token).await.expect(200);
    assert_eq!(told.text("/email"), MINJI.0);
    minji
        .app
        .form(
            "/oauth2/token",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", "spa"),
                ("refresh_token", &answer.text("/refresh_token")),
            ],
        )
        .await
        .expect(200);
}

/// On the very first start the RSA key takes a moment: a code is not spent for nothing meanwhile.
#[tokio::test]
async fn a_code_that_comes_before_the_key_of_id_tokens_is_good_afterwards() {
    let minji = Visitor::of(&TestApp::start().await);
    let code = code(&minji, &request(&[])).await;
    minji.redeem(&code).await.expect(503);
    minji.app.app.ensure_rsa_key().await.unwrap();
    minji.redeem(&code).await.expect(200);
}

each_backend! {
    /// PK-02 of the attack kit, `attempt-reuse-authorization-code`.
    async fn a_code_is_good_once_and_a_second_use_ends_what_the_first_one_issued(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let minji = Visitor::of(&app);
        let code = code(&minji, &request(&[])).await;
        let tokens = minji.redeem(&code).await.tokens();
        app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);

        let again = minji.redeem(&code).await.expect(400);
        assert_eq!(again.text("/error"), "invalid_grant");
        app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
        let parameters = [
            ("grant_type", "refresh_token"),
            ("client_id", "spa"),
            ("refresh_token", &tokens.refresh),
        ];
        app.form("/oauth2/token", &parameters).await.expect(400);
        let subject = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
        assert!(app.trail(&subject).await.contains(&"code_reused".to_owned()));
    }
}

each_backend! {
    /// PK-03 of the attack kit.
    async fn of_many_who_redeem_a_code_at_once_one_gets_tokens(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let minji = Visitor::of(&app);
        let code = code(&minji, &request(&[])).await;
        let all = futures_util::future::join_all((0..32).map(|_| minji.redeem(&code))).await;
        let good = all.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(good, 1);
        assert!(all.iter().all(|answer| [200, 400].contains(&answer.status.as_u16())));
    }
}

/// PK-04 of the attack kit: whoever should not have it burns it.
#[tokio::test]
async fn a_code_in_the_wrong_hands_is_burnt() {
    let minji = start().await;
    for wrong in [
        ("code_verifier", Some("another-verifier-of-forty-three-characters!")),
        ("code_verifier", None),
        ("redirect_uri", Some("http://localhost:5173/callback")),
        ("redirect_uri", None),
        ("client_id", Some("swagger")),
    ] {
        let visitor = Visitor::of(&minji.app);
        let code = code(&visitor, &request(&[])).await;
        let refused = visitor.redeem_with(&code, &[wrong]).await.expect(400);
        assert_eq!(refused.text("/error"), "invalid_grant", "{wrong:?}");
        visitor.redeem(&code).await.expect(400);
    }
}

#[tokio::test]
async fn a_code_waits_for_a_minute() {
    let minji = start().await;
    let code = code(&minji, &request(&[])).await;
    minji.app.advance(61);
    assert_eq!(minji.redeem(&code).await.expect(400).text("/error"), "invalid_grant");
}

/// RU-01 of the attack kit, `oidcc-ensure-registered-redirect-uri`.
#[tokio::test]
async fn a_wrong_client_or_redirect_uri_gets_a_page_and_never_a_redirect() {
    let minji = start().await;
    for change in [
        ("client_id", Some("nobody")),
        ("client_id", None),
        ("redirect_uri", Some("https://evil.example/callback")),
        ("redirect_uri", Some("http://localhost:3000/callback/")),
        ("redirect_uri", Some("http://localhost:3000/callback?x=<script>alert(1)</script>")),
        ("redirect_uri", None),
    ] {
        let answer = minji.open(&request(&[change])).await;
        assert_eq!(answer.status, 400, "{change:?}");
        assert!(answer.header("location").is_none());
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(!answer.page().contains("<script"), "{change:?}");
    }
}

/// RU-02 and RU-03 of the attack kit: other hosts that look like the registered one, and other
/// paths that some parsers take for it.
#[tokio::test]
async fn what_only_looks_like_the_registered_redirect_uri_gets_a_page() {
    let minji = start().await;
    for uri in [
        "http://localhost:3000@evil.test/callback",
        "http://localhost:3000%40evil.test/callback",
        "http://a@b@evil.test/callback",
        "http://localhost.evil.test:3000/callback",
        "http://localhost:3000.evil.test/callback",
        "http://localhostx:3000/callback",
        "http://localhost:3000/callback/..;/x",
        "http://localhost:3000/callback/%2e%2e/x",
        "http://localhost:3000/x/../callback",
        "http://localhost:3000\\callback",
        "http:\\\\localhost:3000/callback",
        "//localhost:3000/callback",
        "//evil.test",
        "http://localhost:3000/call\tback",
        "http://localhost:3000/callback\n",
        " http://localhost:3000/callback",
        "http://localhost:3000/callback#x",
        "HTTP://LOCALHOST:3000/callback",
    ] {
        let answer = minji.open(&request(&[("redirect_uri", Some(uri))])).await;
        assert_eq!(answer.status, 400, "{uri:?}");
        assert!(answer.header("location").is_none(), "{uri:?}");
    }
}

/// RFC 6749 §4.1.2.1: everything else is told to the client.
#[tokio::test]
async fn what_is_wrong_with_the_rest_is_told_to_the_client() {
    let minji = start().await;
    for (name, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", None, "invalid_request"),
        ("scope", Some("openid root"), "invalid_scope"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("prompt", Some("none login"), "invalid_request"),
        ("prompt", Some("none"), "login_required"),
        ("max_age", Some("-1"), "invalid_request"),
        ("request", Some("e30."), "request_not_supported"),
        ("request_uri", Some("https://evil.example/r"), "request_uri_not_supported"),
        ("resource", Some("https://unknown.example"), "invalid_target"),
        ("id_token_hint", Some("e30.e30.AAAA"), "invalid_request"),
    ] {
        let answer = minji.open(&request(&[(name, value)])).await;
        assert_eq!(answer.brings("error").as_deref(), Some(error), "{name}={value:?}");
        assert_eq!(answer.brings("state").as_deref(), Some("s-1"));
        assert_eq!(answer.brings("iss").as_deref(), Some(ISSUER));
    }
}

/// `oidcc-prompt-none-logged-in`, `oidcc-max-age-10000`, `oidcc-id-token-hint`.
#[tokio::test]
async fn who_is_signed_in_and_has_consented_is_not_asked_again() {
    let minji = start().await;
    let first = code(&minji, &request(&[])).await;
    let id_token = minji.redeem(&first).await.expect(200).text("/id_token");
    minji.app.advance(2);
    for change in [
        [("prompt", Some("none")), ("max_age", Some("10000"))],
        [("prompt", Some("none")), ("id_token_hint", Some(&*id_token))],
    ] {
        // A page on this machine could be anybody's: the client with an address of its own is let
        // through, this one asks each time (RFC 8252 §8.6).
        let answer = minji.open(&request(&change)).await;
        assert_eq!(answer.brings("error").as_deref(), Some("consent_required"));
        let web = [("client_id", Some("web")), change[0], change[1]];
        let answer = minji.open(&request(&web)).await;
        assert_eq!(answer.brings("error").as_deref(), Some("consent_required"));
    }
    let web = request(&[("client_id", Some("web"))]);
    let answer = minji.open(&web).await;
    minji.follow_to_client(answer, "allow").await;
    let quiet = request(&[("client_id", Some("web")), ("prompt", Some("none"))]);
    assert!(minji.open(&quiet).await.brings("code").is_some());
}

/// `oidcc-prompt-login`, `oidcc-max-age-1`.
#[tokio::test]
async fn who_is_signed_in_proves_it_again_when_that_is_asked() {
    let minji = start().await;
    let first = code(&minji, &request(&[])).await;
    let before = claims(&minji.redeem(&first).await.expect(200).text("/id_token"));
    let old = minji.cookie("__Host-munjigi-session").unwrap();
    minji.app.advance(5);
    for change in [("prompt", Some("login")), ("max_age", Some("1"))] {
        let answer = minji.open(&request(&[change])).await;
        assert!(answer.location().unwrap().starts_with("/login/again"), "{change:?}");
        let answer = minji.sign_in(answer, MINJI).await;
        let answer = minji.follow_to_client(answer, "allow").await;
        let code = answer.brings("code").unwrap();
        let after = claims(&minji.redeem(&code).await.expect(200).text("/id_token"));
        assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64(), "{change:?}");
        assert_eq!(after["sid"], before["sid"]);
        minji.app.advance(5);
    }
    // SS-01 of the attack kit: a new value at every change of privilege, and the old one is dead.
    assert_ne!(minji.cookie("__Host-munjigi-session").unwrap(), old);
    let thief = Visitor::of(&minji.app);
    thief.plant("__Host-munjigi-session", &old);
    let answer = thief.open(&request(&[])).await;
    assert!(answer.location().unwrap().starts_with("/login"));
}

#[tokio::test]
async fn who_says_no_is_taken_at_their_word() {
    let minji = start().await;
    let answer = minji.open(&request(&[])).await;
    let answer = minji.sign_in(answer, MINJI).await;
    let answer = minji.follow_to_client(answer, "deny").await;
    assert_eq!(answer.brings("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.brings("state").as_deref(), Some("s-1"));
}

/// SS-03 of the attack kit.
#[tokio::test]
async fn a_way_that_was_begun_in_one_browser_does_not_go_on_in_another() {
    let thief = start().await;
    let begun = thief.open(&request(&[])).await.location().unwrap();
    let minji = Visitor::of(&thief.app);
    for page in [begun.clone(), begun.replace("/login", "/consent")] {
        let answer = minji.open(&page).await;
        assert_eq!(answer.status, 400, "{page}");
    }
    let fields = [("username", MINJI.0), ("password", MINJI.1)];
    assert_eq!(minji.send(&begun, &fields).await.status, 400);
    assert!(minji.cookie("__Host-munjigi-session").is_none());
}

/// LG-10 of the attack kit.
#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in() {
    let minji = start().await;
    let login = minji.open(&request(&[])).await.location().unwrap();
    let fields = [("username", MINJI.0), ("password", MINJI.1)];
    for site in ["cross-site", "same-site"] {
        assert_eq!(minji.send_from(site, &login, &fields).await.status, 403, "{site}");
    }
    assert!(minji.cookie("__Host-munjigi-session").is_none());
}

/// LG-01 of the attack kit: one sentence for all causes.
#[tokio::test]
async fn nobody_learns_from_the_login_page_who_has_an_account() {
    let minji = start().await;
    let login = minji.open(&request(&[])).await.location().unwrap();
    let known = minji.send(&login, &[("username", MINJI.0)]).await.expect(200).page();
    let unknown = minji.send(&login, &[("username", "nobody@x.example")]).await.expect(200).page();
    assert_eq!(known.replace(MINJI.0, "nobody@x.example"), unknown);
    let wrong = |name: &'static str| {
        let login = login.clone();
        let visitor = &minji;
        async move {
            let fields = [("username", name), ("password", "wrong-password")];
            visitor.send(&login, &fields).await.expect(422).page().replace(name, "")
        }
    };
    assert_eq!(wrong(MINJI.0).await, wrong("nobody@x.example").await);
}

/// `oidcc-ensure-post-request-succeeds`, `oidcc-form-post`.
#[tokio::test]
async fn a_request_may_be_posted_and_its_answer_too() {
    let minji = start().await;
    let request = request(&[("response_mode", Some("form_post"))]);
    let query = request.split_once('?').unwrap().1;
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = minji.send_from("cross-site", "/oauth2/authorize", &pairs).await.expect(303);
    let answer = minji.open(&answer.location().unwrap()).await;
    let answer = minji.sign_in(answer, MINJI).await;
    let consent = minji.open(&answer.location().unwrap()).await.location().unwrap();
    minji.open(&consent).await.expect(200);
    let back = minji.send(&consent, &[("action", "allow")]).await.location().unwrap();
    let page = minji.open(&back).await.expect(200);
    assert!(page.page().contains(r#"action="http://localhost:3000/callback""#), "{}", page.page());
    assert!(page.page().contains("mj_ac_"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http://localhost:3000"), "{policy}");
}

/// KC CVE-2025-12390: two people, one browser.
#[tokio::test]
async fn somebody_else_signs_in_with_the_same_browser_as_themselves() {
    let browser = start().await;
    let first = code(&browser, &request(&[])).await;
    let minji = claims(&browser.redeem(&first).await.expect(200).text("/id_token"));
    browser.app.advance(2);
    let answer = browser.open(&request(&[("prompt", Some("select_account"))])).await;
    let page = answer.location().unwrap();
    let answer = browser.send(&page, &[("action", "other")]).await;
    let answer = browser.sign_in(answer, JUN).await;
    let answer = browser.follow_to_client(answer, "allow").await;
    let code = answer.brings("code").unwrap();
    let jun = claims(&browser.redeem(&code).await.expect(200).text("/id_token"));
    assert_ne!(jun["sub"], minji["sub"]);
    assert_ne!(jun["sid"], minji["sid"]);
}

/// SS-02 of the attack kit, RT-06.
#[tokio::test]
async fn a_session_that_ended_ends_what_came_from_it() {
    let minji = start().await;
    let first = code(&minji, &request(&[])).await;
    let tokens = minji.redeem(&first).await.tokens();
    let waiting = code_again(&minji).await;
    let owner = minji.app.sign_in(MINJI).await;
    let sid = claims(&tokens.access)["sid"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/me/sessions/{sid}");
    minji.app.act_as(http::Method::DELETE, &path, &owner.access).await.expect(204);

    minji.app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
    minji.redeem(&waiting).await.expect(400);
    let answer = minji.open(&request(&[])).await;
    assert!(answer.location().unwrap().starts_with("/login"));
}

async fn code_again(minji: &Visitor) -> String {
    let answer = minji.open(&request(&[])).await;
    minji.follow_to_client(answer, "allow").await.brings("code").unwrap()
}

/// WB-01 of the attack kit.
#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let minji = start().await;
    let login = minji.open(&request(&[])).await.location().unwrap();
    for page in [login.as_str(), "/login", "/oauth2/authorize", "/consent"] {
        let answer = minji.open(page).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{page}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{page}: {policy}");
        assert!(!policy.contains("unsafe-inline"), "{page}: {policy}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{page}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{page}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{page}");
    }
}

/// JW-06 of the attack kit: no kind of token is taken for another.
#[tokio::test]
async fn an_id_token_is_no_access_token_and_an_access_token_no_hint() {
    let minji = start().await;
    let first = code(&minji, &request(&[])).await;
    let answer = minji.redeem(&first).await.expect(200);
    minji.app.read_as("/oauth2/userinfo", &answer.text("/id_token")).await.expect(401);
    let hint = answer.text("/access_token");
    let answer = minji.open(&request(&[("id_token_hint", Some(&hint))])).await;
    assert_eq!(answer.brings("error").as_deref(), Some("invalid_request"));
    let typ = Typ::AccessToken;
    assert!(typ.admits(Some("at+jwt")) && !typ.admits(Some("JWT")));
}

/// `oidcc-claims-essential`, `oidcc-scope-profile`: what was asked for one by one, and no more than
/// the client may have.
#[tokio::test]
async fn userinfo_tells_what_was_granted_and_what_was_asked_for_one_by_one() {
    let minji = start().await;
    let wanted = json!({
        "userinfo": {"email": {"essential": true}, "phone_number": null},
        "id_token": {"name": null},
    });
    let wanted = wanted.to_string();
    let change = [("scope", Some("openid")), ("claims", Some(&*wanted))];
    let code = code(&minji, &request(&change)).await;
    let answer = minji.redeem(&code).await.expect(200);
    let id_token = claims(&answer.text("/id_token"));
    assert_eq!(id_token["name"], json!("김민지"));
    assert!(id_token.get("email").is_none());
    let told = minji.app.read_as("/oauth2/userinfo", &answer.text("/access_token")).await;
    let told = told.expect(200).json();
    assert_eq!(told["email"], json!(MINJI.0));
    assert_eq!(told["sub"], id_token["sub"]);
    assert!(told.get("name").is_none() && told.get("phone_number").is_none(), "{told}");
}

/// What is over is forgotten, though not before a second use could still be told from a first.
#[tokio::test]
async fn a_code_is_remembered_for_a_day_and_then_forgotten() {
    let minji = start().await;
    let code = code(&minji, &request(&[])).await;
    minji.redeem(&code).await.expect(200);
    for (seconds, why) in [(86_000, "the code was used before"), (1_000, "the code is unknown")] {
        minji.app.advance(seconds);
        munjigi_server::jobs::run(&minji.app.app).await.unwrap();
        let refused = minji.redeem(&code).await.expect(400);
        assert_eq!(refused.text("/error_description"), why);
    }
}
